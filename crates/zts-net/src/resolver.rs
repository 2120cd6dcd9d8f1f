//! Addresses of names, also from DNS servers that answer for one family of addresses only.
//!
//! A usual lookup asks for IPv4 and IPv6 addresses, and needs both answers. Some DNS servers and
//! firewalls answer the question for IPv6 with an error, or never. musl then finds no address, and
//! glibc needs 15 s if there is no answer. A lookup that fails or is slow is therefore joined by
//! one for each family.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use dns_lookup::{AddrFamily, AddrInfoHints, SockType, getaddrinfo};
use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// The time after which a usual lookup is slow.
const SLOW: Duration = Duration::from_millis(250);

/// The time that the second family has after the first one's answer (RFC 8305).
const SECOND_FAMILY: Duration = Duration::from_millis(50);

/// The limit of a lookup that has no other.
const LONGEST: Duration = Duration::from_secs(10);

/// Resolves names for HTTP agents.
#[derive(Debug, Default)]
pub(crate) struct NameResolver(DefaultResolver);

impl Resolver for NameResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(ureq::Error::HostNotFound);
        };
        let port = DefaultResolver::host_and_port(scheme, authority)
            .and_then(|address| address.rsplit_once(':')?.1.parse().ok());
        let port = port.ok_or(ureq::Error::HostNotFound)?;
        let found = resolve(authority.host(), port, (*timeout.after).min(LONGEST));
        let found = found.map_err(|cause| match cause.kind() {
            io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
            _ => ureq::Error::Io(cause),
        })?;
        let mut addresses = self.0.empty();
        for address in found {
            let _ = addresses.try_push(address); // 16 of them are enough
        }
        Ok(addresses)
    }
}

/// The result of one lookup.
struct Answer {
    kind: Kind,
    addresses: io::Result<Vec<SocketAddr>>,
}

/// The addresses that a lookup asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Family(AddrFamily),
}

/// Returns the addresses of `host` within `timeout`, at least one.
///
/// # Errors
/// A name without an address (`AddrNotAvailable`), and no answer in time (`TimedOut`).
pub(crate) fn resolve(host: &str, port: u16, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let deadline = Instant::now() + timeout;
    let (sender, answers) = mpsc::channel();
    let start = |kind| start_lookup(host, port, kind, sender.clone());
    start(Kind::All)?;
    let failure = match answers.recv_timeout(SLOW.min(timeout)) {
        Ok(Answer {
            addresses: Ok(found),
            ..
        }) if !found.is_empty() => return Ok(found),
        Ok(Answer { addresses, .. }) => Some(no_address(addresses.err())),
        Err(_) => None,
    };
    for family in [AddrFamily::Inet6, AddrFamily::Inet] {
        start(Kind::Family(family))?;
    }
    collect(&answers, failure, deadline)
}

/// Waits until `deadline` for the addresses of both families, or for those of one if the other one
/// takes longer. `failure` is that of the usual lookup, if it has ended.
fn collect(
    answers: &mpsc::Receiver<Answer>,
    mut failure: Option<io::Error>,
    mut deadline: Instant,
) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    let mut families_left = 2;
    while families_left > 0 || (found.is_empty() && failure.is_none()) {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(Answer { kind, addresses }) = answers.recv_timeout(left) else {
            break;
        };
        match (kind, addresses) {
            (Kind::All, Ok(all)) if !all.is_empty() => return Ok(all),
            (Kind::All, addresses) => failure = Some(no_address(addresses.err())),
            (Kind::Family(_), addresses) => {
                families_left -= 1;
                found.extend(addresses.unwrap_or_default());
            }
        }
        if !found.is_empty() {
            deadline = deadline.min(Instant::now() + SECOND_FAMILY);
        }
    }
    if found.is_empty() {
        return Err(failure.unwrap_or_else(|| io::ErrorKind::TimedOut.into()));
    }
    Ok(found)
}

/// Starts a thread for a lookup, which cannot be interrupted.
fn start_lookup(
    host: &str,
    port: u16,
    kind: Kind,
    answers: mpsc::Sender<Answer>,
) -> io::Result<()> {
    let host = host.to_owned();
    thread::Builder::new().spawn(move || {
        let addresses = match kind {
            Kind::All => (host, port).to_socket_addrs().map(Iterator::collect),
            Kind::Family(family) => look_up_family(&host, port, family),
        };
        let _ = answers.send(Answer { kind, addresses }); // the receiver may have enough
    })?;
    Ok(())
}

fn look_up_family(host: &str, port: u16, family: AddrFamily) -> io::Result<Vec<SocketAddr>> {
    let hints = AddrInfoHints {
        address: family.into(),
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = getaddrinfo(Some(host), None, Some(hints))?;
    let with_port = |mut address: SocketAddr| {
        address.set_port(port);
        address
    };
    found.map(|info| Ok(with_port(info?.sockaddr))).collect()
}

/// Returns the error of a name without an address: no request was sent.
fn no_address(cause: Option<io::Error>) -> io::Error {
    let kind = io::ErrorKind::AddrNotAvailable;
    cause.map_or_else(|| kind.into(), |cause| io::Error::new(kind, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_address_needs_no_lookup() {
        for (host, address) in [("127.0.0.1", "127.0.0.1:1"), ("[::1]", "[::1]:1")] {
            let found = resolve(host, 1, Duration::ZERO).unwrap();
            assert_eq!(found, [address.parse().unwrap()]);
        }
    }

    fn answer(kind: Kind, addresses: &[&str]) -> Answer {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        Answer {
            kind,
            addresses: Ok(addresses.collect()),
        }
    }

    fn collect_all(given: Vec<Answer>) -> io::Result<Vec<SocketAddr>> {
        let (sender, answers) = mpsc::channel();
        for one in given {
            sender.send(one).unwrap();
        }
        collect(&answers, None, Instant::now() + Duration::from_millis(80))
    }

    #[test]
    fn one_family_is_enough() {
        let inet = answer(Kind::Family(AddrFamily::Inet), &["10.0.0.1:1"]);
        let failed = Answer {
            kind: Kind::Family(AddrFamily::Inet6),
            addresses: Err(io::Error::other("no such name")),
        };
        let found = collect_all(vec![failed, inet]).unwrap();
        assert_eq!(found, ["10.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn the_usual_lookup_counts_also_when_it_is_slow() {
        let all = ["[2001:db8::1]:1", "10.0.0.1:1"];
        let none = || answer(Kind::Family(AddrFamily::Inet), &[]);
        let found = collect_all(vec![none(), none(), answer(Kind::All, &all)]).unwrap();
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn no_answer_at_all_is_a_timeout() {
        let error = collect_all(Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
