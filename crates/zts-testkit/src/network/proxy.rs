//! A proxy that counts traffic and injects faults.

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering};

use rustls::ServerConfig;

use super::{
    faults::{Fault, Rule},
    listener::Listener,
    relay::{Balancing, ProxiedRequest, Relay, lock},
    stream::tls_config,
};
use crate::certificates::ServerCertificate;

/// A proxy between a client and a server on 127.0.0.1 that counts traffic and injects faults.
///
/// Plain HTTP is read request by request. TLS passes through unread, so that only connections and
/// bytes are counted, unless the proxy itself ends the TLS ([`Proxy::with_tls`]).
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    relay: Arc<Relay>,
    encrypted: bool,
}

impl Proxy {
    /// Starts a proxy in front of the server at `address` (`http://127.0.0.1:8200` or `https://…`).
    pub fn to(address: &str) -> Self {
        Self::start(&[address.to_owned()], Balancing::PerConnection, None)
    }

    /// Starts a load balancer in front of the servers at `addresses`, which picks them in turn.
    pub fn load_balancer(addresses: &[String], balancing: Balancing) -> Self {
        Self::start(addresses, balancing, None)
    }

    /// Starts a proxy that ends TLS with `certificate` and passes plain HTTP on to the server at
    /// `address`, as many reverse proxies do.
    pub fn with_tls(address: &str, certificate: &ServerCertificate) -> Self {
        let addresses = [address.to_owned()];
        Self::start(
            &addresses,
            Balancing::PerConnection,
            Some(tls_config(certificate)),
        )
    }

    /// Starts a proxy that makes the OpenBao at `address` answer as HashiCorp Vault does: no inline
    /// authentication, no `detailed-metadata`, tokens that begin with `hvs.`, Vault's version and
    /// `sys/health`. All other answers are OpenBao's own.
    pub fn emulating_vault(address: &str) -> Self {
        let proxy = Self::to(address);
        proxy.always(Fault::AsVault);
        proxy
    }

    fn start(addresses: &[String], balancing: Balancing, tls: Option<Arc<ServerConfig>>) -> Self {
        let passes_tls = addresses
            .iter()
            .any(|address| address.starts_with("https:"));
        assert!(
            !passes_tls || tls.is_none(),
            "a proxy that ends TLS passes plain HTTP on"
        );
        let encrypted = passes_tls || tls.is_some();
        let servers = addresses.iter().map(|address| parse_address(address));
        let relay = Arc::new(Relay::new(servers.collect(), balancing, tls));
        let serving = Arc::clone(&relay);
        // Broken connections are this proxy's purpose, so their errors are not reported.
        let listener = Listener::start(move |stream, state| drop(serving.serve(stream, state)));
        Self {
            listener,
            relay,
            encrypted,
        }
    }

    /// Returns the address for clients: `http://127.0.0.1:<port>`, or `https` with TLS.
    pub fn address(&self) -> String {
        format!(
            "http{}://{}",
            if self.encrypted { "s" } else { "" },
            self.listener.address()
        )
    }

    /// Injects the fault into every request from now on.
    pub fn always(&self, fault: Fault) -> &Self {
        self.add(Rule::new(fault))
    }

    /// Injects the fault into the next `count` requests.
    pub fn first(&self, count: usize, fault: Fault) -> &Self {
        self.add(Rule::new(fault).limit(count))
    }

    /// Injects the fault into requests whose method and path, such as `GET /v1/sys/health`, contain
    /// `fragment`.
    pub fn on(&self, fragment: &str, fault: Fault) -> &Self {
        self.add(Rule::new(fault).on(fragment))
    }

    /// Injects the fault into the next request whose method and path contain `fragment`.
    pub fn once_on(&self, fragment: &str, fault: Fault) -> &Self {
        self.add(Rule::new(fault).on(fragment).limit(1))
    }

    /// Passes the next request whose method and path contain `fragment`, and injects the fault into
    /// the one after it.
    pub fn second_on(&self, fragment: &str, fault: Fault) -> &Self {
        self.add(Rule::new(fault).on(fragment).limit(1).skip(1))
    }

    fn add(&self, rule: Rule) -> &Self {
        let readable = !self.encrypted || self.relay.ends_tls();
        assert!(
            readable || rule.fault.works_on_ciphertext(),
            "TLS passes through: {:?} is impossible",
            rule.fault
        );
        lock(&self.relay.rules).push(rule);
        self
    }

    /// Removes all faults.
    pub fn clear_faults(&self) -> &Self {
        lock(&self.relay.rules).clear();
        self
    }

    /// Returns the requests so far; none of TLS that passes through.
    pub fn requests(&self) -> Vec<ProxiedRequest> {
        lock(&self.relay.requests).clone()
    }

    /// Returns the number of TCP connections so far.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }

    /// Returns the number of bytes from clients so far. Where the proxy ends TLS, its overhead is
    /// not counted.
    pub fn bytes_from_clients(&self) -> u64 {
        self.relay.bytes_from_clients.load(Ordering::SeqCst)
    }

    /// Returns the number of bytes to clients so far, counted as in [`Proxy::bytes_from_clients`].
    pub fn bytes_to_clients(&self) -> u64 {
        self.relay.bytes_to_clients.load(Ordering::SeqCst)
    }
}

fn parse_address(address: &str) -> SocketAddr {
    let (_, server) = address
        .split_once("://")
        .expect("an address begins with its scheme");
    server
        .parse()
        .expect("a proxied server has a numeric address")
}
