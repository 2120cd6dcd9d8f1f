//! The job that the program reads from stdin.

use std::{ops::Range, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;
use zts_openbao::{Address, Client, Error, ParseAddressError, Settings, Trust};

/// One of the two jobs.
#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Job {
    /// Creates hosts.
    Prepare(Prepare),
    /// Boots hosts.
    Storm(Storm),
}

/// The servers.
#[derive(Deserialize)]
pub(crate) struct Site {
    addresses: Vec<String>,
    authority: PathBuf,
    connect_seconds: f64,
    request_seconds: f64,
}

/// A range of hosts.
#[derive(Deserialize)]
pub(crate) struct Hosts {
    /// The number of the first host.
    pub(crate) first: usize,
    /// The number of hosts.
    pub(crate) count: usize,
    /// The number of secrets of each host.
    pub(crate) secrets: usize,
    /// A text that makes the credentials of each run different.
    pub(crate) seed: String,
}

/// Creates hosts: policy, role, secret id, secrets.
#[derive(Deserialize)]
pub(crate) struct Prepare {
    pub(crate) site: Site,
    pub(crate) hosts: Hosts,
    /// The number of hosts at a time.
    pub(crate) at_once: usize,
    /// The token that may create them.
    pub(crate) token: SecretString,
    /// The roles of each host.
    pub(crate) roles: Vec<Role>,
}

/// Boots hosts.
#[derive(Deserialize)]
pub(crate) struct Storm {
    pub(crate) site: Site,
    pub(crate) hosts: Hosts,
    /// The number of hosts at a time.
    pub(crate) at_once: usize,
    /// The way in which a host reads its secrets.
    pub(crate) way: Way,
    /// The role of a host.
    pub(crate) role: Role,
    /// Lets each host try another server first than its neighbour, instead of all the first.
    pub(crate) spread: bool,
    /// The time for which a fetch is repeated where no server can answer, in seconds; with 0, such
    /// a failure ends the job.
    pub(crate) patience_seconds: f64,
}

/// A role that a host can have.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// With the policy `default` and its own, as OpenBao does by default.
    Usual,
    /// With its own policy only.
    Lean,
}

/// The way in which a host reads its secrets.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// One process for each secret: connect, log in, read.
    LoginPerSecret,
    /// One process for each host: connect, log in, read all.
    LoginPerHost,
    /// One process for each secret: connect, read with inline authentication.
    InlinePerSecret,
    /// One process for each host: connect, read all with inline authentication.
    InlinePerHost,
    /// One process for each host: connect, list the folder once for each secret, with inline
    /// authentication.
    ListPerHost,
}

impl Hosts {
    /// Returns the hosts' numbers.
    pub(crate) fn numbers(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

impl Site {
    /// Returns a client without a connection that tries the server number `first` before the
    /// others.
    pub(crate) fn client(&self, first: usize) -> Result<Client, Error> {
        let mut addresses = self.addresses()?;
        let count = addresses.len().max(1);
        addresses.rotate_left(first % count);
        let mut settings = Settings::new(addresses);
        settings.trust = Trust::Bundle(self.authority.clone());
        settings.connect_timeout = Duration::from_secs_f64(self.connect_seconds);
        settings.request_timeout = Duration::from_secs_f64(self.request_seconds);
        Client::new(settings)
    }

    fn addresses(&self) -> Result<Vec<Address>, ParseAddressError> {
        self.addresses.iter().map(|text| text.parse()).collect()
    }
}
