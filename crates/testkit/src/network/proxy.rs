//! A proxy that counts, and spoils what it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use rustls::ServerConfig;

use super::{
    listener::Listener,
    relay::serve,
    rules::{Rule, Trouble},
    stream::tls_config,
};
use crate::ServerCertificate;

/// Stands between a client and a server on 127.0.0.1, counts what passes, and spoils it.
///
/// Plain HTTP is read request by request. TLS passes through as it is, so that only connections
/// and bytes are counted, unless the proxy itself shows a certificate ([`Proxy::with_tls`]).
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    shared: Arc<Shared>,
    encrypted: bool,
}

/// A request that a [`Proxy`] has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// `GET`, `POST`, `LIST` and so on.
    pub method: String,
    /// The path with its query, such as `/v1/sys/health`.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

/// How often a [`Proxy`] before several servers picks the next of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// For each connection, as balancers of TCP do.
    Connection,
    /// For each request, as balancers of HTTP do.
    Request,
}

/// What the proxy's connections and the test share.
#[derive(Debug)]
pub(super) struct Shared {
    servers: Vec<SocketAddr>,
    pub(super) turn: Turn,
    turns: AtomicUsize,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) hits: Mutex<Vec<Hit>>,
    pub(super) bytes_from_client: AtomicU64,
    pub(super) bytes_to_client: AtomicU64,
}

impl Proxy {
    /// A proxy before the server at `address` (`http://127.0.0.1:8200` or `https://…`).
    pub fn to(address: &str) -> Self {
        Self::start(&[address.to_owned()], Turn::Connection, None)
    }

    /// A load balancer before the servers at `addresses`, which picks one after the other, at each `turn`.
    pub fn balancer(addresses: &[String], turn: Turn) -> Self {
        Self::start(addresses, turn, None)
    }

    /// A proxy that takes TLS, showing `certificate`, and passes plain HTTP on to the server at
    /// `address`, as many a reverse proxy does.
    pub fn with_tls(address: &str, certificate: &ServerCertificate) -> Self {
        let addresses = [address.to_owned()];
        Self::start(&addresses, Turn::Connection, Some(tls_config(certificate)))
    }

    /// A relay that makes the OpenBao at `address` answer as HashiCorp Vault does: no inline
    /// authentication, no `detailed-metadata`, tokens that begin with `hvs.`, its version and its
    /// `sys/health`. Everything else is the real server's work.
    pub fn vault(address: &str) -> Self {
        let proxy = Self::to(address);
        proxy.always(Trouble::AsVault);
        proxy
    }

    fn start(addresses: &[String], turn: Turn, tls: Option<Arc<ServerConfig>>) -> Self {
        let passes_tls = addresses
            .iter()
            .any(|address| address.starts_with("https:"));
        assert!(
            !passes_tls || tls.is_none(),
            "a proxy that ends TLS passes plain HTTP on"
        );
        let encrypted = passes_tls || tls.is_some();
        let shared = Arc::new(Shared {
            servers: addresses.iter().map(|address| socket(address)).collect(),
            turn,
            turns: AtomicUsize::new(0),
            tls,
            rules: Mutex::default(),
            hits: Mutex::default(),
            bytes_from_client: AtomicU64::new(0),
            bytes_to_client: AtomicU64::new(0),
        });
        let counters = Arc::clone(&shared);
        // A connection that breaks is what a proxy of this kind is for: no error to report.
        let listener = Listener::start(move |stream, state| drop(serve(&counters, stream, state)));
        Self {
            listener,
            shared,
            encrypted,
        }
    }

    /// Where clients connect to: `http://127.0.0.1:<port>`, or `https` where TLS is spoken.
    pub fn address(&self) -> String {
        format!(
            "http{}://{}",
            if self.encrypted { "s" } else { "" },
            self.listener.address()
        )
    }

    /// Every request from now on has this trouble.
    pub fn always(&self, trouble: Trouble) -> &Self {
        self.add(Rule {
            trouble,
            left: None,
            path: String::new(),
        })
    }

    /// The next `count` requests have this trouble; those after pass.
    pub fn first(&self, count: usize, trouble: Trouble) -> &Self {
        self.add(Rule {
            trouble,
            left: Some(count),
            path: String::new(),
        })
    }

    /// Requests whose method and path, such as `GET /v1/sys/health`, contain `fragment` have this
    /// trouble.
    pub fn on(&self, fragment: &str, trouble: Trouble) -> &Self {
        self.add(Rule {
            trouble,
            left: None,
            path: fragment.to_owned(),
        })
    }

    /// The next request whose method and path contain `fragment` has this trouble; those after pass.
    pub fn once_on(&self, fragment: &str, trouble: Trouble) -> &Self {
        self.add(Rule {
            trouble,
            left: Some(1),
            path: fragment.to_owned(),
        })
    }

    fn add(&self, rule: Rule) -> &Self {
        let readable = !self.encrypted || self.shared.tls.is_some();
        assert!(
            readable || rule.trouble.works_on_ciphertext(),
            "TLS passes through: {:?} is impossible",
            rule.trouble
        );
        lock(&self.shared.rules).push(rule);
        self
    }

    /// All trouble is over.
    pub fn behave(&self) -> &Self {
        lock(&self.shared.rules).clear();
        self
    }

    /// The requests so far; none are seen in TLS that passes through.
    pub fn requests(&self) -> Vec<Hit> {
        lock(&self.shared.hits).clone()
    }

    /// How many TCP connections were opened so far.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }

    /// How many bytes came from clients so far, with TLS that ends here: without its overhead.
    pub fn bytes_from_clients(&self) -> u64 {
        self.shared.bytes_from_client.load(Ordering::SeqCst)
    }

    /// How many bytes went to clients so far, counted as in [`Proxy::bytes_from_clients`].
    pub fn bytes_to_clients(&self) -> u64 {
        self.shared.bytes_to_client.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// The server whose turn it is.
    pub(super) fn next_server(&self) -> SocketAddr {
        let turn = self.turns.fetch_add(1, Ordering::SeqCst);
        self.servers[turn % self.servers.len()]
    }
}

fn socket(address: &str) -> SocketAddr {
    let (_, server) = address
        .split_once("://")
        .expect("an address begins with its scheme");
    server
        .parse()
        .expect("a proxied server has a numeric address")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
