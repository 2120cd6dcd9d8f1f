//! `vault-exporter`: metrics of an OpenBao cluster, seen from outside.

use std::process::ExitCode;

fn main() -> ExitCode {
    zts_cli::main(vault_exporter::run)
}
