//! Misbehaving networks on loopback, between a client and a real OpenBao.

mod dns;
mod faults;
mod http;
mod listener;
mod proxy;
mod relay;
mod stream;
mod unresponsive;
mod vault;

pub use dns::{DnsAnswer, DnsServer};
pub use faults::Fault;
pub use proxy::Proxy;
pub use relay::{Balancing, ProxiedRequest};
pub use unresponsive::{BlackHole, ClosedPort, SilentListener, closed_port, closed_port_pair};
