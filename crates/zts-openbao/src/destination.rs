//! The rule for redirects, which all programs share.
//!
//! A standby points to the active server (HTTP 307, or `leader_address` in `sys/leader`), a proxy
//! to another scheme or port. A request may hold credentials, so:
//!
//! 1. A request to `https://` is never sent to `http://`.
//! 2. A configured address is allowed.
//! 3. The same host at another port is allowed.
//! 4. Another host is allowed where both addresses are `https://` and a CA certificate was
//!    configured for this cluster: a server with a certificate of this CA belongs to the cluster.
//!    The system's root certificates sign for everybody, so with them, or without verification,
//!    each server must be configured.
//! 5. The path stays the same: only the server changes.
//!
//! A redirect from `http://` to `https://` is not followed either, because each request would first
//! be sent unencrypted. The message names the address to configure.

use zts_net::redaction::clean_text;

use crate::{Address, Settings};

/// A redirect that must not be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it points to `{to}`{reason}")]
pub struct RedirectError {
    /// The target.
    pub to: String,
    /// The reason.
    pub reason: RedirectReason,
}

/// The reason why a redirect must not be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectReason {
    /// From `https://` to `http://`.
    #[error(", which is not encrypted")]
    NotEncrypted,
    /// From `http://` to `https://`.
    #[error(", and requests to `http://` are not encrypted")]
    WasNotEncrypted,
    /// To a host that is not configured, and without a CA certificate of this cluster.
    #[error(", which is not a configured address")]
    UnknownServer,
    /// To another path.
    #[error(", which is another path")]
    OtherPath,
    /// To a text that is not an address.
    #[error(", which is not the address of a server")]
    NoAddress,
    /// To a server that points to yet another one.
    #[error(", and that to another one")]
    TooMany,
    /// From a standby, for a stream that cannot be repeated.
    #[error(": it is not the active server")]
    NotActive,
}

/// Checks that a request to `from` may be sent to `to` as well, to which `from` points.
///
/// # Errors
/// A redirect that must not be followed.
pub fn check_destination(
    settings: &Settings,
    from: &Address,
    to: &Address,
) -> Result<(), RedirectError> {
    let refuse = |reason| {
        let to = to.to_string();
        Err(RedirectError { to, reason })
    };
    let encryption = (from.is_encrypted(), to.is_encrypted());
    if encryption == (true, false) {
        return refuse(RedirectReason::NotEncrypted);
    }
    if from == to || settings.addresses.contains(to) {
        return Ok(());
    }
    if encryption == (false, true) {
        return refuse(RedirectReason::WasNotEncrypted);
    }
    let is_of_cluster = to.is_encrypted() && settings.trust.is_for_this_cluster();
    if from.host().eq_ignore_ascii_case(to.host()) || is_of_cluster {
        return Ok(());
    }
    refuse(RedirectReason::UnknownServer)
}

/// Returns the server that a redirect (`Location`) of the request for `requested` points to.
///
/// # Errors
/// A redirect that must not be followed.
pub(crate) fn resolve_redirect(
    settings: &Settings,
    from: &Address,
    requested: &str,
    location: Option<&str>,
) -> Result<Address, RedirectError> {
    let location = location.unwrap_or_default();
    let refuse = |reason| {
        let to = clean_location(location);
        RedirectError { to, reason }
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
    let to: Address = server
        .parse()
        .map_err(|_| refuse(RedirectReason::NoAddress))?;
    check_destination(settings, from, &to)?;
    if path != requested {
        return Err(refuse(RedirectReason::OtherPath));
    }
    Ok(to)
}

/// Returns a `Location` without its query, which may repeat what was sent.
pub(crate) fn clean_location(location: &str) -> String {
    let before_query = location.split(['?', '#']).next().unwrap_or_default();
    clean_text(&crate::address::without_user(before_query))
}

#[cfg(test)]
mod tests {
    use zts_net::Trust;

    use super::*;

    fn settings(addresses: &str, trust: Trust) -> Settings {
        let mut settings = Settings::new(Address::parse_list(addresses).unwrap());
        settings.trust = trust;
        settings
    }

    fn follow(settings: &Settings, location: &str) -> Result<String, String> {
        let from = &settings.addresses[0];
        let requested = "/v1/secret/data/a?x=1";
        resolve_redirect(settings, from, requested, Some(location))
            .map(|to| to.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_redirect_leads_to_known_servers_only() {
        let (_folder, bundle) = bundle(1);
        let private = Trust::Bundle(bundle);
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
        let message = follow(&system, "https://a:1/login?token=s.abc").unwrap_err();
        assert!(message.contains("`https://a:1/login`"), "{message}");
    }

    #[test]
    fn a_large_bundle_is_not_of_one_cluster() {
        for (count, is_for_this_cluster) in [(1, true), (3, true), (100, false)] {
            let (_folder, bundle) = bundle(count);
            let named = Trust::Bundle(bundle);
            assert_eq!(named.is_for_this_cluster(), is_for_this_cluster, "{count}");
        }
        assert!(!Trust::Bundle("/nowhere".into()).is_for_this_cluster());
    }

    /// Writes a bundle with `count` certificates, whose contents are not read.
    fn bundle(count: usize) -> (zts_testkit::ScratchDir, std::path::PathBuf) {
        let folder = zts_testkit::scratch_dir();
        let path = folder.join("bundle.pem");
        let one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, one.repeat(count)).unwrap();
        (folder, path)
    }
}
