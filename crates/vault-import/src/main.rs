//! `vault-import`: moves the secrets of sops-nix and agenix to OpenBao.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Every buffer is zeroed when it is freed, also those inside the libraries for HTTP, TLS and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    zts_cli::main(vault_import::run)
}
