//! `vault-snapshot`: saves snapshots of an OpenBao cluster and tests that they can be restored.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// An allocator that zeroes each buffer when it is freed, also those of the libraries for HTTP, TLS
/// and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    zts_cli::main(vault_snapshot::run)
}
