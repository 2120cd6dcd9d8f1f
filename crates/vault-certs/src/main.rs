//! `vault-certs`: makes OpenBao's certificates and replaces them before they expire.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// An allocator that zeroes each buffer when it is freed, also those of the libraries for HTTP, TLS
/// and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    zts_cli::main(vault_certs::run)
}
