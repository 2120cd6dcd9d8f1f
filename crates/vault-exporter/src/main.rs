//! `vault-exporter`: metrics of an OpenBao cluster, seen from outside.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(vault_exporter::run)
}
