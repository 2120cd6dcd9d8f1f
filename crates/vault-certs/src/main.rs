//! `vault-certs`: makes OpenBao's certificates and replaces them before they end.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Every buffer is zeroed when it is freed, also those inside the libraries for HTTP, TLS and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    cli::main(vault_certs::run)
}
