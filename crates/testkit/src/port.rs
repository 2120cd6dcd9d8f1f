//! Ports that no parallel test takes.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Below the range that the kernel gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port of 127.0.0.1 that is ours as long as this lives, whether a server listens on it or not.
///
/// It is held by a socket that is bound and never listens: connections are refused until a server
/// that sets `SO_REUSEADDR` (Go's do, Rust's do) listens there, and no other [`Port`] can be had
/// of the same number, in this process or any other.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _held: OwnedFd,
}

impl Port {
    pub(crate) fn free() -> Self {
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let count = PORTS.end - PORTS.start;
        let start = u16::try_from(seed % u64::from(count)).expect("a number below a u16");
        let mut candidates = (0..count).map(|step| PORTS.start + (start + step) % count);
        candidates
            .find_map(|number| Self::hold(number).ok())
            .expect("one port of thousands is free")
    }

    /// Binds alone first, which fails on any other holder, and only then allows a server beside.
    fn hold(number: u16) -> rustix::io::Result<Self> {
        let socket = stream_socket()?;
        rustix::net::bind(&socket, &loopback(number))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        Ok(Self {
            number,
            _held: socket,
        })
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        loopback(self.number)
    }
}

pub(crate) fn stream_socket() -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
}

pub(crate) fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// An address that refuses every connection, as long as this lives.
#[derive(Debug)]
pub struct RefusedAddress(Port);

/// A port of 127.0.0.1 on which nobody listens, held so that no parallel test takes it.
pub fn refused_address() -> RefusedAddress {
    RefusedAddress(Port::free())
}

impl RefusedAddress {
    /// `http://127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("http://{}", self.0.address())
    }
}
