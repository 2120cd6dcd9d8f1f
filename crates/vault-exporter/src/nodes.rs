//! The configured nodes, and the state that is kept between scrapes.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use x509_parser::prelude::{FromDer, X509Certificate};
use zts_cli::{ConnectionArgs, Failure};
use zts_net::Trust;
use zts_openbao::{Address, Client, Settings};

use crate::cli::Arguments;

/// The nodes of a cluster.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) all: Vec<Node>,
    trust: Trust,
    timeout: Duration,
}

/// A node of the cluster.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: Address,
    validity: Mutex<Option<CertificateValidity>>,
    /// The time and the result of the last test read.
    read_test: Mutex<Option<(Instant, bool)>>,
}

/// The validity of a node's certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertificateValidity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// The latest expiry of the CA certificates in the chain.
    pub(crate) next_ca: Option<i64>,
}

impl Nodes {
    /// Reads the nodes of the command line, or else those of the environment variable.
    ///
    /// # Errors
    /// No node, an invalid address, two nodes of one name, a CA bundle that cannot be read.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let given: Vec<_> = arguments.node.iter().map(|text| split_name(text)).collect();
        let urls: Vec<_> = given.iter().map(|(_, url)| *url).collect();
        let connection = ConnectionArgs {
            address: (!urls.is_empty()).then(|| urls.join(",")),
            ca_certificate: arguments.ca_certificate.clone(),
            skip_verify: arguments.skip_verify,
            namespace: None,
        };
        let settings = connection.settings(None).map_err(|failure| {
            failure.hint("name each node with `--node NAME=URL`, such as `--node bao1=https://10.0.0.21:8200`")
        })?;
        let names = given.iter().map(|(name, _)| *name);
        let names = names.chain(std::iter::repeat(None));
        let all = settings.addresses.iter().zip(names);
        let all = all
            .map(|(address, name)| Node::new(name, address))
            .collect();
        let nodes = Self {
            all,
            trust: settings.trust,
            timeout: arguments.timeout,
        };
        nodes.check()?;
        Ok(nodes)
    }

    fn check(&self) -> Result<(), Failure> {
        let mut names: Vec<_> = self.all.iter().map(|node| &node.name).collect();
        names.sort();
        let twice = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b);
        if let Some((name, _)) = twice {
            return Err(Failure::usage(format!("two nodes are named `{name}`"))
                .hint("`--node NAME=URL` gives each a name of its own"));
        }
        if self.timeout.is_zero() {
            return Err(Failure::usage("`--timeout` is 0: no node could answer"));
        }
        self.client(&self.all[0])?;
        Ok(())
    }

    /// Creates a client of one node with the current CA certificates, which are replaced on
    /// schedule.
    pub(crate) fn client(&self, node: &Node) -> Result<Client, zts_openbao::Error> {
        let mut settings = Settings::new(vec![node.address.clone()]);
        settings.trust = self.trust.clone();
        settings.connect_timeout = self.request_timeout();
        settings.request_timeout = self.request_timeout();
        Client::new(settings)
    }

    /// Returns the timeout of each of a probe's two consecutive requests.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.timeout / 2
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Returns the latest expiry of the configured CA certificates.
    pub(crate) fn ca_expiry(&self) -> Option<i64> {
        match &self.trust {
            Trust::Bundle(_) => latest_expiry(&self.trust.root_certificates().ok()?),
            _ => None,
        }
    }
}

impl Node {
    fn new(name: Option<&str>, address: &Address) -> Self {
        let url = address.to_string();
        let authority = url.split_once("://").map_or(&*url, |(_, rest)| rest);
        Self {
            name: name.unwrap_or(authority).to_owned(),
            address: address.clone(),
            validity: Mutex::default(),
            read_test: Mutex::default(),
        }
    }

    /// Stores the current validity, if there is one, and returns the last known one.
    pub(crate) fn update_validity(
        &self,
        current: Option<CertificateValidity>,
    ) -> Option<CertificateValidity> {
        let mut validity = self.validity.lock().unwrap_or_else(PoisonError::into_inner);
        *validity = current.or(*validity);
        *validity
    }

    /// Returns whether the node answers reads; runs `test` if the last result is older than
    /// `interval`.
    pub(crate) fn answers_reads(
        &self,
        interval: Duration,
        test: impl FnOnce() -> Option<bool>,
    ) -> Option<bool> {
        let mut last = self
            .read_test
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |(time, _): &(Instant, bool)| time.elapsed() < interval;
        if !last.as_ref().is_some_and(is_fresh) {
            *last = test().map(|answers| (Instant::now(), answers));
        }
        last.map(|(_, answers)| answers)
    }
}

impl CertificateValidity {
    /// Reads the validity of a chain in DER, the node's own certificate first.
    pub(crate) fn of_chain(chain: &[Vec<u8>]) -> Option<Self> {
        let (own, authorities) = chain.split_first()?;
        let (_, own) = X509Certificate::from_der(own).ok()?;
        let validity = own.validity();
        Some(Self {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            next_ca: latest_expiry(authorities),
        })
    }
}

/// Returns the latest expiry of certificates in DER.
fn latest_expiry(certificates: &[Vec<u8>]) -> Option<i64> {
    let expiries = certificates.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    expiries.max()
}

/// Splits `NAME=URL`; a URL alone has no name.
fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !name.contains('/') => (Some(name), url),
        _ => (None, text),
    }
}
