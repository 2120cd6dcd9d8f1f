//! The flags and variables of the connection to OpenBao.

use std::{env, path::PathBuf};

use clap::Args;
use zts_openbao::{Address, Settings, Trust};

use crate::{failure::Failure, message};

/// The connection to OpenBao. Each flag overrides its variable, and `BAO_…` overrides `VAULT_…`, as
/// in OpenBao's own command line. An empty variable counts as unset.
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

    /// The CA certificates (PEM) that vouch for OpenBao's, in place of the system's [env:
    /// BAO_CACERT, VAULT_CACERT]
    #[arg(long, value_name = "FILE")]
    pub ca_certificate: Option<PathBuf>,

    /// Do not verify OpenBao's certificate; anybody who answers in its place reads every secret
    /// [env: BAO_SKIP_VERIFY, VAULT_SKIP_VERIFY]
    #[arg(long)]
    pub skip_verify: bool,

    /// The namespace in OpenBao [env: BAO_NAMESPACE, VAULT_NAMESPACE]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl ConnectionArgs {
    /// Returns the settings for a client; `fallback` is the address when neither flag nor variable
    /// sets one. Warns where certificates are not verified.
    ///
    /// # Errors
    /// No address, an address or a boolean that cannot be read.
    pub fn settings(&self, fallback: Option<&str>) -> Result<Settings, Failure> {
        let address = |name: &str| fallback.filter(|_| name == "ADDR").map(ToOwned::to_owned);
        self.settings_or(address)
    }

    /// Returns the address that a flag or a variable sets.
    pub fn given_address(&self) -> Option<String> {
        let variable = || variable("ADDR").map(without_comment);
        self.address.clone().or_else(variable)
    }

    /// Returns the namespace that a flag or a variable sets.
    pub fn given_namespace(&self) -> Option<String> {
        let variable = || variable("NAMESPACE").map(without_comment);
        self.namespace.clone().or_else(variable)
    }

    /// Returns whether a flag or a variable sets the address.
    pub(crate) fn names_address(&self) -> bool {
        self.address.is_some() || variable("ADDR").is_some()
    }

    /// As [`ConnectionArgs::settings`]; `fallback` returns the value that neither flag nor variable
    /// sets, by the variable's name without its prefix, such as `ADDR`.
    ///
    /// # Errors
    /// No address, an address or a boolean that cannot be read.
    pub fn settings_or(
        &self,
        fallback: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, Failure> {
        let value = |name: &str| {
            let set = variable(name).map(without_comment);
            set.or_else(|| fallback(name).filter(|value| !value.is_empty()))
        };
        let address = self.address.clone().or_else(|| value("ADDR"));
        let Some(address) = address else {
            return Err(Failure::usage("OpenBao's address is not known")
                .hint("give it with `--address` or `BAO_ADDR`"));
        };
        let mut settings =
            Settings::new(Address::parse_list(&address).map_err(zts_openbao::Error::from)?);
        settings.trust = self.trust(&settings.addresses, value)?;
        settings.namespace = self.namespace.clone().or_else(|| value("NAMESPACE"));
        Ok(settings)
    }

    fn trust(
        &self,
        addresses: &[Address],
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<Trust, Failure> {
        if self.skip_verify || boolean("SKIP_VERIFY", &value)? {
            if addresses.iter().any(Address::is_encrypted) {
                message::warn(
                    "OpenBao's certificate is not verified: anybody who answers in its place reads every secret",
                );
            }
            return Ok(Trust::SkipVerify);
        }
        let bundle = self
            .ca_certificate
            .clone()
            .or_else(|| value("CACERT").map(PathBuf::from));
        Ok(bundle.map_or_else(system_trust, Trust::Bundle))
    }
}

/// Returns the system's root certificates, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
pub fn system_trust() -> Trust {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("SSL_CERT_DIR") || set("SSL_CERT_FILE") {
        Trust::Environment
    } else {
        Trust::System
    }
}

/// Returns the value of `BAO_<name>`, else of `VAULT_<name>`.
pub fn variable(name: &str) -> Option<String> {
    let read = |prefix: &str| {
        env::var(format!("{prefix}_{name}"))
            .ok()
            .filter(|value| !value.is_empty())
    };
    read("BAO").or_else(|| read("VAULT"))
}

/// Removes the comment after a value. `/etc/environment` may have one, which systemd takes for a
/// part of the value, unlike PAM.
fn without_comment(value: String) -> String {
    let comment = value.find(" #").or_else(|| value.find("\t#"));
    match comment {
        Some(at) => value[..at].trim_end().to_owned(),
        None => value,
    }
}

/// Parses a variable as a boolean, as OpenBao's own command line does.
fn boolean(name: &str, value: impl Fn(&str) -> Option<String>) -> Result<bool, Failure> {
    let Some(value) = value(name) else {
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
