//! The flags and variables that lead to OpenBao.

use std::{env, path::PathBuf};

use clap::Args;
use openbao::{Address, Settings, Trust};

use crate::{Failure, message};

/// How to reach OpenBao. Each flag beats its variable, and `BAO_…` beats `VAULT_…`, as in OpenBao's
/// own command line; an empty variable counts as none.
#[derive(Args, Clone, Debug, Default)]
#[expect(
    clippy::doc_markdown,
    reason = "these comments are the text of `--help`"
)]
#[command(next_help_heading = "OpenBao")]
pub struct ConnectionArgs {
    /// OpenBao's address, or several of one cluster with commas between [env: BAO_ADDR, VAULT_ADDR]
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,

    /// The CA certificates (PEM) that vouch for OpenBao's, in place of the system's [env: BAO_CACERT, VAULT_CACERT]
    #[arg(long, value_name = "FILE")]
    pub ca_certificate: Option<PathBuf>,

    /// Do not verify OpenBao's certificate; whoever can answer in its place reads every secret
    /// [env: BAO_SKIP_VERIFY, VAULT_SKIP_VERIFY]
    #[arg(long)]
    pub skip_verify: bool,

    /// The namespace in OpenBao [env: BAO_NAMESPACE, VAULT_NAMESPACE]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl ConnectionArgs {
    /// The settings for a client; `fallback` is the address when neither flag nor variable gives one.
    /// Warns where certificates are not verified.
    ///
    /// # Errors
    /// No address, an address or a boolean that cannot be read.
    pub fn settings(&self, fallback: Option<&str>) -> Result<Settings, Failure> {
        let address = self
            .address
            .clone()
            .or_else(|| variable("ADDR"))
            .or_else(|| fallback.map(ToOwned::to_owned));
        let Some(address) = address else {
            return Err(Failure::usage("OpenBao's address is not known")
                .hint("give it with `--address` or `BAO_ADDR`"));
        };
        let mut settings =
            Settings::new(Address::parse_list(&address).map_err(openbao::Error::from)?);
        settings.trust = self.trust(&settings.addresses)?;
        settings.namespace = self.namespace.clone().or_else(|| variable("NAMESPACE"));
        Ok(settings)
    }

    fn trust(&self, addresses: &[Address]) -> Result<Trust, Failure> {
        if self.skip_verify || boolean("SKIP_VERIFY")? {
            if addresses.iter().any(Address::is_encrypted) {
                message::warn(
                    "OpenBao's certificate is not verified: whoever can answer in its place reads every secret",
                );
            }
            return Ok(Trust::SkipVerify);
        }
        let bundle = self
            .ca_certificate
            .clone()
            .or_else(|| variable("CACERT").map(PathBuf::from));
        Ok(bundle.map_or(Trust::System, Trust::Bundle))
    }
}

/// `BAO_<name>`, else `VAULT_<name>`.
pub(crate) fn variable(name: &str) -> Option<String> {
    let read = |prefix: &str| {
        env::var(format!("{prefix}_{name}"))
            .ok()
            .filter(|value| !value.is_empty())
    };
    read("BAO").or_else(|| read("VAULT"))
}

/// A variable that holds a boolean, as OpenBao's own command line reads one.
fn boolean(name: &str) -> Result<bool, Failure> {
    let Some(value) = variable(name) else {
        return Ok(false);
    };
    match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Failure::usage(format!(
            "`BAO_{name}` (or `VAULT_{name}`) is `{value}`, which is no boolean"
        ))
        .hint("write `true` or `false`")),
    }
}
