//! `vault-snapshot`: saves snapshots of an OpenBao cluster, and shows that they can be restored.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Every buffer is zeroed when it is freed, also those inside the libraries for HTTP, TLS and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    cli::main(vault_snapshot::run)
}
