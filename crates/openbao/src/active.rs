//! Reaches the active node of a cluster, whichever node answers.
//!
//! Standbys answer reads themselves since OpenBao 2.5. Their data lags behind: what was written a moment ago
//! is not there yet. They forward what they know to be a write, and fail at `sys/wrapping/wrap`. So whatever
//! writes, or reads what was just written, takes a client of [`Client::active`], which knows three routes:
//!
//! - OpenBao 2.7 and later gives the index of its storage with each answer. A standby forwards a request that
//!   names a later index than it has (header `X-Vault-Inconsistent: forward-active-node`). An index that is never
//!   reached therefore leads to the active node through every address, also through a balancer.
//! - OpenBao 2.5 and 2.6 has nothing of the kind. Before each request, the addresses are asked which of them is
//!   the active node (`sys/leader`). Where none says so, they are asked again over new connections, for a
//!   balancer may pick another node for each.
//! - Standbys of OpenBao before 2.5, and of Vault, forward everything.
//!
//! Credentials go to the configured addresses only, never to one that a server names.

use std::{
    str::FromStr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    Address, Attempt, Authentication, Client, Error, Method, Request, Trouble, deadline_in,
    exchange::{Answer, INDEX_HEADER},
    reply::parse_bare,
    retry_until,
    sys::{Leader, SealStatus},
};

/// The longest time that a request waits for a node to become active.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// The longest address of an active node that is repeated in a message.
const LONGEST_ADDRESS: usize = 256;

/// The route to the active node, found out before the first request.
#[derive(Debug, Default)]
pub(crate) struct ActiveNode {
    route: OnceLock<Route>,
}

#[derive(Debug)]
enum Route {
    /// Every node forwards a request with this index.
    Index(String),
    /// Standbys answer reads themselves: each request needs the active node's own address.
    Search,
    /// Standbys forward everything.
    Any,
}

impl ActiveNode {
    /// The headers that make a standby forward a request.
    pub(crate) fn headers(&self) -> Vec<(&'static str, SecretString)> {
        match self.route.get() {
            Some(Route::Index(index)) => forwarding(index).into(),
            _ => Vec::new(),
        }
    }
}

fn forwarding(index: &str) -> [(&'static str, SecretString); 2] {
    [
        (INDEX_HEADER, index.into()),
        ("X-Vault-Inconsistent", "forward-active-node".into()),
    ]
}

impl Client {
    /// Returns a client with the same identity whose requests reach the active node. It waits up to 10 seconds
    /// while the cluster elects one.
    ///
    /// A request fails with [`Trouble::Standby`] where no address leads to the active node.
    #[must_use]
    pub fn active(&self) -> Self {
        let mut client = self.again();
        client.active = Some(ActiveNode::default());
        client
    }

    /// Asks the addresses which of them is the active node's, and asks that one first from now on.
    ///
    /// # Errors
    /// [`Trouble::Standby`] where none is, and what [`Client::send`] gives.
    pub fn find_active(&self) -> Result<(), Error> {
        let request = unauthenticated("sys/leader");
        let found = self.each_server(&request, |answer| {
            let leader: Leader = parse_bare(&answer.body)?;
            leader
                .is_active()
                .then_some(())
                .ok_or_else(|| standby(&leader.leader_address))
        });
        if found.is_err() {
            self.renew_connections();
        }
        found.map(|_| ())
    }

    /// Sends `request` by `send` once it is going to reach the active node. Repeats that while there is none.
    pub(crate) fn at_active<R>(
        &self,
        active: &ActiveNode,
        request: &Request<'_>,
        send: impl Fn() -> Result<R, Error>,
    ) -> Result<R, Error> {
        let patience = deadline_in(PATIENCE);
        let deadline: Instant = self.deadline.map_or(patience, |end| end.min(patience));
        let worth = |error: &Error| is_between_leaders(error, request.repeatable);
        retry_until(deadline, PAUSES, worth, || {
            if let Route::Search = self.route(active)? {
                self.find_active()?;
            }
            send()
        })
    }

    fn route<'a>(&self, active: &'a ActiveNode) -> Result<&'a Route, Error> {
        if let Some(route) = active.route.get() {
            return Ok(route);
        }
        let route = self.negotiate()?;
        Ok(active.route.get_or_init(|| route))
    }

    /// Finds out which route the cluster offers. None of these questions carries credentials.
    fn negotiate(&self) -> Result<Route, Error> {
        if let Some(index) = self.unreachable_index()? {
            return self.try_index(index);
        }
        let request = unauthenticated("sys/seal-status");
        let status: Option<SealStatus> =
            self.each_server(&request, |answer| parse_bare(&answer.body))?;
        let version = status.map(|status| status.version).unwrap_or_default();
        Ok(if serves_reads_on_standbys(&version) {
            Route::Search
        } else {
            Route::Any
        })
    }

    /// The index that no node of this cluster ever reaches; `None` where it gives no index.
    fn unreachable_index(&self) -> Result<Option<String>, Error> {
        // the one path that gives an index without a token
        let request = unauthenticated("sys/internal/ui/mounts");
        let seen = self.each_server(&request, |answer: &Answer| Ok(answer.index.clone()));
        match seen {
            Ok(index) => Ok(index.flatten().as_deref().and_then(beyond)),
            Err(error @ Error::Unavailable { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Sees that a standby forwards by this index: only the active node's `sys/health` has status 200.
    fn try_index(&self, index: String) -> Result<Route, Error> {
        let mut request = unauthenticated("sys/health");
        request.headers.extend(forwarding(&index));
        match self.each_server(&request, |_| Ok(())) {
            Ok(_) => Ok(Route::Index(index)),
            Err(Error::Unavailable { attempts }) if attempts.iter().any(is_standbys_health) => {
                Ok(Route::Search)
            }
            Err(error) => Err(error),
        }
    }
}

fn unauthenticated(path: &str) -> Request<'_> {
    Request::new(Method::Get, path)
        .authentication(Authentication::None)
        .in_root_namespace()
        .small_answer()
}

/// What a standby is called that names `leader` as the active node; empty where it knows of none.
pub(crate) fn standby(leader: &str) -> Trouble {
    let leader = Some(leader).filter(|text| text.len() <= LONGEST_ADDRESS);
    Trouble::Standby {
        leader: leader.and_then(|text| Address::from_str(text).ok()),
    }
}

/// OpenBao answers 429 for a standby's `sys/health`.
fn is_standbys_health(attempt: &Attempt) -> bool {
    matches!(attempt.trouble, Trouble::RateLimited)
}

/// Whether an error is one of the moments without an active node, and nothing was carried out.
fn is_between_leaders(error: &Error, repeatable: bool) -> bool {
    let Error::Unavailable { attempts } = error else {
        return false;
    };
    let between = |attempt: &Attempt| matches!(attempt.trouble, Trouble::Standby { .. });
    let never_sent = |attempt: &Attempt| {
        matches!(
            attempt.trouble,
            Trouble::Standby { .. }
                | Trouble::Sealed
                | Trouble::NotInitialized
                | Trouble::RateLimited
                | Trouble::Connect(_)
                | Trouble::Tls(_)
        )
    };
    attempts.iter().any(between) && (repeatable || attempts.iter().all(never_sent))
}

/// OpenBao before 2.5 forwards everything, and 2.7 gives an index. Vault has no such versions.
fn serves_reads_on_standbys(version: &str) -> bool {
    version.starts_with("2.5.") || version.starts_with("2.6.")
}

#[derive(Deserialize, Serialize)]
struct Index {
    cluster: String,
    value: String,
}

/// The last index that there can be in the cluster that gave `index`; `None` where it is not one of OpenBao's
/// that count.
fn beyond(index: &str) -> Option<String> {
    let json = BASE64_STANDARD.decode(index).ok()?;
    let seen: Index = serde_json::from_slice(&json).ok()?;
    seen.value.parse::<u64>().ok()?;
    let last = Index {
        value: i64::MAX.to_string(),
        ..seen
    };
    Some(BASE64_STANDARD.encode(serde_json::to_vec(&last).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_counts_is_raised_and_no_other_is_touched() {
        let encode = |json: &str| BASE64_STANDARD.encode(json);
        let raised = beyond(&encode(r#"{"cluster":"c1","value":"74"}"#));
        let expected = encode(r#"{"cluster":"c1","value":"9223372036854775807"}"#);
        assert_eq!(raised, Some(expected));
        let others = [
            r#"{"cluster":"c1","value":"0/16B3748"}"#,
            r#"{"value":"7"}"#,
            "v1:7:8:9",
            "",
        ];
        for other in others {
            assert_eq!(beyond(&encode(other)), None, "{other}");
            assert_eq!(beyond(other), None, "{other}");
        }
    }

    #[test]
    fn standbys_of_two_versions_answer_reads_and_give_no_index() {
        for (version, expected) in [
            ("2.4.4", false),
            ("2.5.0", true),
            ("2.6.2", true),
            ("2.7.0", false),
            ("1.21.1", false),
            ("2.0.0+ent", false),
        ] {
            assert_eq!(serves_reads_on_standbys(version), expected, "{version}");
        }
    }
}
