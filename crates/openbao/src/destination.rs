//! Where a request may go that a server points elsewhere: the one rule of all programs.
//!
//! A standby points to the active server (HTTP 307, or `leader_address` in `sys/leader`), a proxy to
//! another scheme or port. What is sent may hold credentials, so:
//!
//! 1. Nothing that was to be encrypted goes unencrypted.
//! 2. An address that was configured is fine.
//! 3. So is the same host, at another port.
//! 4. So is another host, where both are encrypted and a CA certificate was named for this cluster: a
//!    server that this CA vouches for is one of its own. The system's root certificates vouch for
//!    everybody, so with them, or without verification, each server must be configured.
//! 5. The path stays what it is: only the server changes.
//!
//! From `http://` to `https://` nothing is followed either: what was sent there could be read on the way,
//! and would be with each request. The message names the address to configure.

use crate::{Address, Settings, redaction};

/// Where a server points that the request must not go to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it points to `{to}`{}", .why)]
pub struct Astray {
    /// The place.
    pub to: String,
    /// Why not.
    pub why: Why,
}

/// Why a request must not go where a server points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// From `https://` to `http://`.
    #[error(", which is not encrypted")]
    NotEncrypted,
    /// From `http://` to `https://`.
    #[error(", and what is sent to `http://` can be read on the way")]
    WasNotEncrypted,
    /// To a host that nobody named, and that no CA certificate of this cluster vouches for.
    #[error(", which is none of the addresses that were given")]
    UnknownServer,
    /// To another path.
    #[error(", which is another path")]
    OtherPath,
    /// To nowhere that is understood.
    #[error(", which is not the address of a server")]
    NoAddress,
    /// Again and again.
    #[error(", and that to another one")]
    Circle,
    /// In the middle of what cannot go on elsewhere.
    #[error(": it is not the active server")]
    NotActive,
}

/// Whether what `from` was asked may be asked of `to`, to which `from` points.
///
/// # Errors
/// Why not.
pub fn check(settings: &Settings, from: &Address, to: &Address) -> Result<(), Astray> {
    let refuse = |why| {
        let to = to.to_string();
        Err(Astray { to, why })
    };
    let encryption = (from.is_encrypted(), to.is_encrypted());
    if encryption == (true, false) {
        return refuse(Why::NotEncrypted);
    }
    if from == to || settings.addresses.contains(to) {
        return Ok(());
    }
    if encryption == (false, true) {
        return refuse(Why::WasNotEncrypted);
    }
    let is_vouched_for = to.is_encrypted() && settings.trust.is_for_this_cluster();
    if from.host().eq_ignore_ascii_case(to.host()) || is_vouched_for {
        return Ok(());
    }
    refuse(Why::UnknownServer)
}

/// The server that a redirect (`Location`) of the request for `asked` leads to, where that may go there.
///
/// # Errors
/// Why not.
pub(crate) fn of_redirect(
    settings: &Settings,
    from: &Address,
    asked: &str,
    location: Option<&str>,
) -> Result<Address, Astray> {
    let location = location.unwrap_or_default();
    let refuse = |why| {
        let to = shown(location);
        Astray { to, why }
    };
    let (server, path) = match location.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => (from.to_string(), location),
        _ => {
            let scheme = location.find("://").map_or(0, |at| at + 3);
            let end = location[scheme..].find('/').map(|at| scheme + at);
            let (server, path) = location.split_at(end.unwrap_or(location.len()));
            (server.to_owned(), path)
        }
    };
    let to: Address = server.parse().map_err(|_| refuse(Why::NoAddress))?;
    check(settings, from, &to)?;
    if path != asked {
        return Err(refuse(Why::OtherPath));
    }
    Ok(to)
}

/// A `Location` without its query, which may repeat what was sent.
pub(crate) fn shown(location: &str) -> String {
    let before_query = location.split(['?', '#']).next().unwrap_or_default();
    redaction::clean(&crate::address::without_user(before_query))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trust;

    fn settings(addresses: &str, trust: Trust) -> Settings {
        let mut settings = Settings::new(Address::parse_list(addresses).unwrap());
        settings.trust = trust;
        settings
    }

    fn follow(settings: &Settings, location: &str) -> Result<String, String> {
        let from = &settings.addresses[0];
        let asked = "/v1/secret/data/a?x=1";
        of_redirect(settings, from, asked, Some(location))
            .map(|to| to.to_string())
            .map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn a_redirect_leads_to_known_servers_only() {
        let private = Trust::Bundle("/etc/ssl/cluster-ca.pem".into());
        let path = "/v1/secret/data/a?x=1";
        let good = [
            ("https://a:1,https://b:2", Trust::System, "https://b:2"),
            ("https://a:1", Trust::System, "https://A:2"),
            ("https://a:1", Trust::SkipVerify, "https://a:1"),
            ("https://a:1", private.clone(), "https://b:2"),
            ("http://a:1", Trust::System, "http://a:2"),
            ("http://a:1,https://a:2", Trust::System, "https://a:2"),
        ];
        for (addresses, trust, to) in good {
            let to_server = follow(&settings(addresses, trust), &format!("{to}{path}"));
            assert_eq!(to_server, Ok(to.to_owned()), "{addresses}");
        }
        let bad = [
            ("https://a:1", private, "http://a:1"),
            ("https://a:1", Trust::System, "http://a:1"),
            ("https://a:1", Trust::System, "https://b:2"),
            ("https://a:1", Trust::SkipVerify, "https://b:2"),
            ("http://a:1", Trust::System, "http://b:1"),
            ("http://a:1", Trust::System, "https://a:1"),
            ("https://a:1", Trust::System, "https://a@b:1"),
            ("https://a:1", Trust::System, "//b:1"),
            ("https://a:1", Trust::System, "ftp://a:1"),
        ];
        for (addresses, trust, to) in bad {
            follow(&settings(addresses, trust), &format!("{to}{path}")).unwrap_err();
        }
    }

    #[test]
    fn a_redirect_keeps_the_path() {
        let system = settings("https://a:1", Trust::System);
        let same = "/v1/secret/data/a?x=1";
        assert_eq!(follow(&system, same), Ok("https://a:1".to_owned()));
        for other in ["/login", "/v1/secret/data/a", "https://a:1/ui?x=1", "", "x"] {
            follow(&system, other).unwrap_err();
        }
        let told = follow(&system, "https://a:1/login?token=s.abc").unwrap_err();
        assert!(told.contains("`https://a:1/login`"), "{told}");
    }

    #[test]
    fn the_systems_roots_named_as_a_bundle_are_the_systems() {
        let named = Trust::Bundle("/etc/ssl/certs/ca-certificates.crt".into());
        assert!(!named.is_for_this_cluster());
    }
}
