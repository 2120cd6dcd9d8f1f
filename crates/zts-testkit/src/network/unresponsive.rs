//! Addresses that never answer: closed ports, black holes and silent listeners.

use std::{net::TcpStream, os::fd::OwnedFd, time::Duration};

use super::listener::Listener;
use crate::port::{Port, stream_socket};

/// The longest time in which loopback completes a connection.
const CONNECT_LIMIT: Duration = Duration::from_millis(300);

/// An address that refuses every connection while this lives.
#[derive(Debug)]
pub struct ClosedPort(Port);

/// Reserves a port of 127.0.0.1 without a listener, which no parallel test takes.
pub fn closed_port() -> ClosedPort {
    ClosedPort(Port::free())
}

/// Reserves two adjacent ports as [`closed_port`], on which a node of OpenBao can listen.
pub fn closed_port_pair() -> [ClosedPort; 2] {
    Port::free_pair().map(ClosedPort)
}

impl ClosedPort {
    /// Returns `http://127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

/// An address that drops packets, as behind a firewall: connecting to it hangs.
///
/// Linux drops the first packet of a connection when a listener's queue is full. This listener has
/// a queue of one, which is full, and never accepts, so no address outside this machine is needed.
#[derive(Debug)]
pub struct BlackHole {
    port: Port,
    _listener: OwnedFd,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    /// Opens it and verifies that connections hang.
    pub fn open() -> Self {
        let port = Port::free();
        let listener = stream_socket().expect("a socket is created");
        rustix::net::sockopt::set_socket_reuseaddr(&listener, true)
            .expect("the port can be shared with its holder");
        rustix::net::bind(&listener, &port.address()).expect("the reserved port is bound");
        rustix::net::listen(&listener, 0).expect("a bound socket listens");
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&port.address().into(), CONNECT_LIMIT) {
            queue.push(stream);
            assert!(
                queue.len() < 16,
                "the queue of a listener without room never fills up"
            );
        }
        Self {
            port,
            _listener: listener,
            _queue: queue,
        }
    }

    /// Returns `http://127.0.0.1:<port>`; `https` works as well.
    pub fn address(&self) -> String {
        format!("http://{}", self.port.address())
    }
}

/// A port that accepts connections and never answers.
#[derive(Debug)]
pub struct SilentListener(Listener);

impl SilentListener {
    /// Opens it.
    pub fn open() -> Self {
        Self(Listener::start(|stream, state| {
            while state.pause(Duration::from_secs(3600)) {}
            drop(stream);
        }))
    }

    /// Returns `http://127.0.0.1:<port>`; `https` works as well.
    pub fn address(&self) -> String {
        format!("http://{}", self.0.address())
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.0.connections()
    }
}
