//! An address whose connections hang: no answer, no refusal.

use std::{net::TcpStream, os::fd::OwnedFd, time::Duration};

use crate::port::{Port, stream_socket};

/// How long loopback takes at most to complete a connection.
const CERTAINLY_HANGS: Duration = Duration::from_millis(300);

/// An address as behind a firewall that drops packets: connecting to it hangs.
///
/// Linux drops the first packet of a connection when a listener's queue is full. This one has
/// room for one, is filled up, and never accepts; so no address outside this machine is needed.
#[derive(Debug)]
pub struct SilentAddress {
    port: Port,
    _listener: OwnedFd,
    _queue: Vec<TcpStream>,
}

impl SilentAddress {
    /// Opens it, and makes sure that it really hangs.
    pub fn open() -> Self {
        let port = Port::free();
        let listener = stream_socket().expect("a socket is made");
        rustix::net::sockopt::set_socket_reuseaddr(&listener, true)
            .expect("the port can be shared with its holder");
        rustix::net::bind(&listener, &port.address()).expect("our own port is bound");
        rustix::net::listen(&listener, 0).expect("a bound socket listens");
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&port.address().into(), CERTAINLY_HANGS) {
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

    /// `http://127.0.0.1:<port>`; `https` is as good.
    pub fn address(&self) -> String {
        format!("http://{}", self.port.address())
    }
}
