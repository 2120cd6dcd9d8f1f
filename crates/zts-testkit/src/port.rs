//! Ports that no parallel test takes.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// A range below the one from which the kernel takes ports for outgoing connections.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port of 127.0.0.1 that is reserved while this lives, whether or not a server listens on it.
///
/// A socket that is bound and never listens reserves it. Connections are refused until a server
/// with `SO_REUSEADDR` (the default in Go and Rust) listens there. No other [`Port`] can get the
/// same number, in this process or another.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _socket: OwnedFd,
}

impl Port {
    /// Reserves a free port.
    pub(crate) fn free() -> Self {
        Self::find(|number| Self::reserve(number).ok())
    }

    /// Reserves a free port and the next one, which a node of OpenBao uses for its cluster.
    pub(crate) fn free_pair() -> [Self; 2] {
        Self::find(|number| Some([Self::reserve(number).ok()?, Self::reserve(number + 1).ok()?]))
    }

    fn find<T>(reserve: impl Fn(u16) -> Option<T>) -> T {
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let count = PORTS.end - PORTS.start;
        let start = u16::try_from(seed % u64::from(count)).expect("a number below a u16");
        let mut candidates = (0..count).map(|step| PORTS.start + (start + step) % count);
        candidates
            .find_map(reserve)
            .expect("one port of thousands is free")
    }

    /// Binds the port exclusively, which fails where it is reserved, and then lets a server share
    /// it.
    fn reserve(number: u16) -> rustix::io::Result<Self> {
        let socket = stream_socket()?;
        rustix::net::bind(&socket, &loopback(number))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        Ok(Self {
            number,
            _socket: socket,
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

fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
