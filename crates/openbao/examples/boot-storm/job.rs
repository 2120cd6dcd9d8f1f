//! What is to be done.

use std::{ops::Range, path::PathBuf, time::Duration};

use openbao::{Address, Client, Error, ParseAddressError, Settings, Trust};
use secrecy::SecretString;
use serde::Deserialize;

/// One of the two jobs.
#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Job {
    /// Make hosts.
    Prepare(Prepare),
    /// Let hosts come up.
    Storm(Storm),
}

/// Which servers there are.
#[derive(Deserialize)]
pub(crate) struct Site {
    addresses: Vec<String>,
    authority: PathBuf,
    connect_seconds: f64,
    request_seconds: f64,
}

/// Which hosts are meant.
#[derive(Deserialize)]
pub(crate) struct Hosts {
    /// The first one's number.
    pub(crate) first: usize,
    /// How many.
    pub(crate) count: usize,
    /// How many secrets each has.
    pub(crate) secrets: usize,
    /// What makes their credentials this run's own.
    pub(crate) seed: String,
}

/// Make hosts: policy, role, secret id, secrets.
#[derive(Deserialize)]
pub(crate) struct Prepare {
    pub(crate) site: Site,
    pub(crate) hosts: Hosts,
    /// At how many hosts at a time.
    pub(crate) at_once: usize,
    /// Whose right it is.
    pub(crate) token: SecretString,
    /// Which roles each host gets.
    pub(crate) roles: Vec<Role>,
}

/// Let hosts come up.
#[derive(Deserialize)]
pub(crate) struct Storm {
    pub(crate) site: Site,
    pub(crate) hosts: Hosts,
    /// How many hosts at a time.
    pub(crate) at_once: usize,
    /// How each gets its secrets.
    pub(crate) way: Way,
    /// As whom.
    pub(crate) role: Role,
    /// Whether each host asks another server first than its neighbour, or all the first.
    pub(crate) spread: bool,
    /// How long one fetch goes on after a server that could not answer; 0: such a one ends the job.
    pub(crate) patience_seconds: f64,
}

/// A role that a host can have.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// With the policy `default` beside its own, as OpenBao does it by itself.
    Usual,
    /// With its own policy and no other.
    Lean,
}

/// How a host gets its secrets.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// A process a secret: connect, log in, read.
    LoginPerSecret,
    /// A process a host: connect, log in, read all.
    LoginPerHost,
    /// A process a secret: connect, read with the login inside.
    InlinePerSecret,
    /// A process a host: connect, read each with the login inside.
    InlinePerHost,
}

impl Hosts {
    /// Their numbers.
    pub(crate) fn numbers(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

impl Site {
    /// A client that has not connected yet; it asks the server number `first` before the others.
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
