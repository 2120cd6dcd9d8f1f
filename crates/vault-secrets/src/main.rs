//! `vault-secrets`: manages the declared secrets of a host.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Zeroes each buffer when it is freed, also those of the libraries for HTTP, TLS and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    zts_cli::main(vault_secrets::run)
}
