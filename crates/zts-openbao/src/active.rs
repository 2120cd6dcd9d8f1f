//! Requests that reach the active node of a cluster, whichever node answers.
//!
//! Standbys answer reads themselves since OpenBao 2.5. Their data lags behind. They forward writes,
//! and fail at `sys/wrapping/wrap`. So a program that writes, or reads what was just written, uses
//! a client of [`Client::active`], which uses one of three routes:
//!
//! - OpenBao 2.7 and later gives the index of its storage with each answer. A standby forwards a
//!   request that names a later index than its own (header `X-Vault-Inconsistent:
//!   forward-active-node`). An index that is never reached therefore leads to the active node
//!   through every address, also through a load balancer.
//! - OpenBao 2.5 and 2.6 do not have this, nor do later versions where the storage has no numeric
//!   index or a proxy drops the header. Before each request, each address is queried whether it is
//!   the active node's (`sys/leader`). Where none is, they are queried again over new connections,
//!   because a load balancer may pick another node for each.
//! - Standbys of OpenBao before 2.5, and of Vault, forward everything.
//!
//! A client of [`Client::active`] follows no redirect of a standby (HTTP 307 and 308), but tries
//! the other configured addresses. Other redirects follow the rules of `destination.rs`.

use std::time::{Duration, Instant};

use zts_net::{TransportError, deadline_in, retry_until};

use crate::{
    Authentication, Client, Error, Method, NodeError, NodeFailure, Request,
    events::report_route,
    exchange::Answer,
    node_status::{Leader, SealStatus},
    reply::parse_bare,
    route::{ActiveNode, Route, forwarding_headers, last_index_of, standby_error},
};

/// The longest time that a request waits for a node to become active.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

impl Client {
    /// Returns a client with the same identity whose requests reach the active node. It waits up to
    /// 10 seconds while the cluster elects one.
    ///
    /// A request fails with [`NodeError::Standby`] where no address leads to the active node.
    #[must_use]
    pub fn active(&self) -> Self {
        let mut client = self.duplicate();
        client.active = Some(ActiveNode::default());
        client
    }

    /// Finds the address of the active node, and tries it first from now on.
    ///
    /// # Errors
    /// [`NodeError::Standby`] where no address is the active node's, and those of [`Client::send`].
    pub fn find_active(&self) -> Result<(), Error> {
        let request = unauthenticated("sys/leader");
        let result = self.send_to_any(&request, |answer| {
            let leader: Leader = parse_bare(&answer.body)?;
            leader
                .is_active()
                .then_some(())
                .ok_or_else(|| standby_error(&leader.leader_address))
        });
        match &result {
            Ok(_) => tracing::info!(node = %self.address(), "found the active node"),
            Err(_) => self.renew_connections(),
        }
        result.map(|_| ())
    }

    /// Calls `send` with the route to the active node prepared, and again while there is no active
    /// node.
    pub(crate) fn send_to_active<R>(
        &self,
        active: &ActiveNode,
        request: &Request<'_>,
        send: impl Fn() -> Result<R, Error>,
    ) -> Result<R, Error> {
        let timeout = deadline_in(ELECTION_TIMEOUT);
        let deadline: Instant = self.deadline.map_or(timeout, |end| end.min(timeout));
        let is_transient = |error: &Error| is_during_election(error, request.repeatable);
        retry_until(deadline, PAUSES, is_transient, || {
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
        let route = self.negotiate_route()?;
        report_route(&route);
        Ok(active.route.get_or_init(|| route))
    }

    /// Determines the route that the cluster offers. None of these requests carries credentials.
    fn negotiate_route(&self) -> Result<Route, Error> {
        if let Some(index) = self.fetch_last_index()? {
            return self.test_index(index);
        }
        let request = unauthenticated("sys/seal-status");
        let status: Option<SealStatus> =
            self.send_to_any(&request, |answer| parse_bare(&answer.body))?;
        if !status.is_some_and(|status| status.has_standby_reads()) {
            return Ok(Route::Any);
        }
        let request = unauthenticated("sys/leader");
        let leader: Option<Leader> =
            self.send_to_any(&request, |answer| parse_bare(&answer.body))?;
        let is_cluster = leader.is_none_or(|leader| leader.ha_enabled);
        Ok(if is_cluster {
            Route::Search
        } else {
            Route::Any
        })
    }

    /// Returns the index that no node of this cluster ever reaches; `None` where the cluster gives
    /// no index.
    fn fetch_last_index(&self) -> Result<Option<String>, Error> {
        // the one path that gives an index without a token
        let request = unauthenticated("sys/internal/ui/mounts");
        let result = self.send_to_any(&request, |answer: &Answer| Ok(answer.index.clone()));
        match result {
            Ok(index) => Ok(index.flatten().as_deref().and_then(last_index_of)),
            Err(error @ Error::Unavailable { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Tests that a standby forwards by this index: only the active node's `sys/health` has status
    /// 200.
    fn test_index(&self, index: String) -> Result<Route, Error> {
        let mut request = unauthenticated("sys/health");
        request.headers.extend(forwarding_headers(&index));
        match self.send_to_any(&request, |_| Ok(())) {
            Ok(_) => Ok(Route::Index(index)),
            Err(error) if error.attempts().iter().any(is_health_of_standby) => Ok(Route::Search),
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

/// Returns whether the attempt is a standby's `sys/health`, whose status is 429 (API page
/// `sys/health`).
fn is_health_of_standby(attempt: &NodeFailure) -> bool {
    matches!(attempt.error, NodeError::RateLimited)
}

/// Returns whether the cluster has no active node at the moment, and the request can be sent again:
/// it may be repeated, or no server has carried it out.
fn is_during_election(error: &Error, repeatable: bool) -> bool {
    let is_standby = |attempt: &NodeFailure| matches!(attempt.error, NodeError::Standby { .. });
    let is_not_sent = |attempt: &NodeFailure| {
        matches!(
            attempt.error.root(),
            NodeError::Standby { .. }
                | NodeError::Sealed
                | NodeError::NotInitialized
                | NodeError::RateLimited
                | NodeError::Transport(TransportError::Connect(_) | TransportError::Tls(_))
        )
    };
    let attempts = error.attempts();
    attempts.iter().any(is_standby) && (repeatable || attempts.iter().all(is_not_sent))
}
