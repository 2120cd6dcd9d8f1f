//! Events for diagnosis: the node that a request tries, its answer, and the reason why it is left.
//!
//! No event contains a header, a body or a text that a server wrote.

use std::time::Duration;

use tracing::{debug, info};

use crate::{Address, Error, NodeError, Request, exchange::SendError, route::Route};

/// Reports the node that a request is sent to.
pub(crate) fn report_attempt(node: &Address, request: &Request<'_>) {
    let method = request.method.as_str();
    debug!(%node, method, path = request.path, "trying node");
}

/// Reports the result of sending a request to a node, which took `took`.
pub(crate) fn report_result<T>(
    node: &Address,
    request: &Request<'_>,
    took: Duration,
    result: &Result<T, SendError>,
) {
    let (method, path) = (request.method.as_str(), request.path);
    match result {
        Ok(_) => debug!(%node, method, path, ?took, "node answered"),
        Err(SendError::Final(error)) => {
            let answer = describe_refusal(error);
            info!(%node, method, path, answer, ?took, "node refused the request");
        }
        Err(SendError::NoAnswer(no_answer)) => {
            let reason = describe_node_error(&no_answer.error);
            info!(%node, method, path, reason, ?took, "node cannot be used");
        }
    }
}

/// Reports the result of a health probe, which took `took`.
pub(crate) fn report_probe(node: &Address, took: Duration, error: Option<&NodeError>) {
    match error {
        None => debug!(%node, ?took, "probed node is alive"),
        Some(error) => {
            let reason = describe_node_error(error);
            info!(%node, reason, ?took, "probed node cannot be used");
        }
    }
}

/// Reports the route to the active node that the cluster offers.
pub(crate) fn report_route(route: &Route) {
    let route = match route {
        Route::Index(_) => "every node forwards requests with an index",
        Route::Search => "requests need the active node's address",
        Route::Any => "every node forwards all requests",
    };
    debug!(route, "route to the active node");
}

/// Returns a kind of refusal.
fn describe_refusal(error: &Error) -> String {
    let kind = match error {
        Error::Denied { .. } => "HTTP status 403: denied",
        Error::LoginRefused { .. } => "login refused",
        Error::NotFound { .. } => "HTTP status 404: not found",
        Error::Refused { status, .. } => return format!("HTTP status {status}: refused"),
        Error::NoSuchVersion { .. } => "missing version",
        Error::Deleted { .. } => "deleted version",
        Error::Destroyed { .. } => "destroyed version",
        Error::KvVersion1 { .. } => "KV version 1",
        Error::Unconfirmed { .. } => "absence that no active node confirmed",
        _ => "request that cannot be sent",
    };
    kind.to_owned()
}

/// Returns the reason why a node cannot be used, without texts that the server wrote.
fn describe_node_error(error: &NodeError) -> String {
    match error {
        NodeError::Redirected { to, cause } => {
            format!("redirect to {to}: {}", describe_node_error(cause))
        }
        NodeError::Server { status, .. } => format!("HTTP status {status}"),
        NodeError::Redirect(redirect) => format!("redirect: {:?}", redirect.reason),
        NodeError::BadReply(_) => "its answer is not OpenBao's".to_owned(),
        NodeError::Standby { .. } => "it is a standby".to_owned(),
        error => error.to_string(),
    }
}
