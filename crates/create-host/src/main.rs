//! `create-host`: makes a host of the fleet, from its files to its identity in OpenBao.

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Every buffer is zeroed when it is freed, also those inside the libraries for HTTP, TLS and JSON.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    create_host::write_usage_error_as_json(std::env::args_os());
    zts_cli::main(create_host::run)
}
