//! Which nodes there are, and how each is asked.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use cli::{ConnectionArgs, Failure};
use openbao::{Address, Client, Settings, Trust};

use crate::{Arguments, certificate::Validity};

/// The nodes of a cluster.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) all: Vec<Node>,
    trust: Trust,
    timeout: Duration,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: Address,
    /// What it showed last.
    shown: Mutex<Option<Validity>>,
    /// Whether it answered reads when it was asked last, and when that was.
    reads: Mutex<Option<(Instant, bool)>>,
}

impl Nodes {
    /// Those of the command line, else of the variable.
    ///
    /// # Errors
    /// None at all, an address that is none, two of one name, a CA bundle that cannot be read.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let given: Vec<_> = arguments.node.iter().map(|text| split(text)).collect();
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

    /// A client of this node alone, with the CA certificates of this moment: they are replaced on
    /// schedule. Two questions one after the other end within the timeout.
    pub(crate) fn client(&self, node: &Node) -> Result<Client, openbao::Error> {
        let mut settings = Settings::new(vec![node.address.clone()]);
        settings.trust = self.trust.clone();
        settings.connect_timeout = self.patience();
        settings.request_timeout = self.patience();
        Client::new(settings)
    }

    /// How long one step of a look may take.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout / 2
    }

    /// Which certificates are trusted.
    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The CA certificates of this moment; none where they are the system's, or cannot be read.
    pub(crate) fn bundle(&self) -> Vec<Vec<u8>> {
        match &self.trust {
            Trust::Bundle(_) => self.trust.roots().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl Node {
    fn new(name: Option<&str>, address: &Address) -> Self {
        let url = address.to_string();
        let place = url.split_once("://").map_or(&*url, |(_, place)| place);
        Self {
            name: name.unwrap_or(place).to_owned(),
            address: address.clone(),
            shown: Mutex::default(),
            reads: Mutex::default(),
        }
    }

    /// Keeps in mind what it shows now, and gives what it showed last.
    pub(crate) fn remember(&self, now: Option<Validity>) -> Option<Validity> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = now.or(*shown);
        *shown
    }

    /// Whether it answers reads: as it was seen within `time`, else as `ask` says.
    pub(crate) fn reads_within(
        &self,
        time: Duration,
        ask: impl FnOnce() -> Option<bool>,
    ) -> Option<bool> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |(when, _): &(Instant, bool)| when.elapsed() < time;
        if !reads.as_ref().is_some_and(fresh) {
            *reads = ask().map(|answers| (Instant::now(), answers));
        }
        reads.map(|(_, answers)| answers)
    }
}

/// `NAME=URL`, or a URL alone.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !name.contains('/') => (Some(name), url),
        _ => (None, text),
    }
}
