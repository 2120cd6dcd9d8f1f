//! One HTTP request to one server, and its answer.

use std::{io, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use ureq::{
    Agent, AsSendBody, Body,
    http::{
        HeaderMap, HeaderValue, Request, Response,
        header::{DATE, LOCATION},
    },
};
use zeroize::Zeroizing;
use zts_net::{Limits, TlsError, TransportError, bounded::read_body, classify_error, plain_text};

use crate::{Address, Error, NodeError, reply};

/// The largest answer that is read. OpenBao accepts requests of at most 32 MiB by default (listener
/// option `max_request_size`), so a secret is not larger than that.
pub(crate) const LARGEST: u64 = 64 << 20;

/// The largest answer that is not a secret, a listing or a policy.
pub(crate) const LARGEST_SMALL: u64 = 1 << 20;

/// The header with an index of the storage, in requests and in answers (OpenBao 2.7 and later).
pub(crate) const INDEX_HEADER: &str = "X-Vault-Index";

/// A request as HTTP needs it.
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: String,
    /// The API path, for errors.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'static str, SecretString)],
    pub(crate) body: &'a [u8],
    /// The largest answer that is read; of an error, at most [`LARGEST_SMALL`].
    pub(crate) largest: u64,
}

/// A server's answer with status 2xx, 3xx, or 4xx but 429.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) inline_login_failed: bool,
    pub(crate) location: Option<String>,
    /// The index of the storage at the time of the answer.
    pub(crate) index: Option<String>,
    /// The server's time.
    pub(crate) date: Option<String>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A server that gave no answer of its own.
pub(crate) type NoAnswer = zts_net::NoAnswer<NodeError>;

/// A failed request to one server.
pub(crate) enum SendError {
    /// Another server may answer.
    NoAnswer(NoAnswer),
    /// No server can give another answer.
    Final(Error),
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl SendError {
    /// Returns the error of a server that surely did not carry the request out.
    pub(crate) fn not_carried_out(error: impl Into<NodeError>) -> Self {
        Self::NoAnswer(NoAnswer {
            error: error.into(),
            may_have_acted: false,
        })
    }

    /// Adds the server that failed, unless it is the one that was asked.
    pub(crate) fn after_redirect(self, asked: &Address, failed: &Address) -> Self {
        match self {
            Self::NoAnswer(mut no_answer) if asked != failed => {
                no_answer.error = NodeError::Redirected {
                    to: failed.clone(),
                    cause: Box::new(no_answer.error),
                };
                Self::NoAnswer(no_answer)
            }
            error => error,
        }
    }
}

/// Sends `message` and reads the whole answer.
pub(crate) fn exchange(
    agent: &Agent,
    message: &Message<'_>,
    limits: Limits,
) -> Result<Answer, SendError> {
    let response = run_request(agent, message, message.body.to_vec(), limits)?;
    read_answer(response, limits, message.largest)
}

/// An answer whose body is not read at once.
pub(crate) enum OpenedAnswer {
    /// The body of an answer with status 200.
    Stream(Body),
    /// Any other answer.
    Whole(Answer),
}

/// Sends `message` with `body` in place of its own, and returns the answer's head. Its body may be
/// of any length and take any time: `limits` count until it begins.
pub(crate) fn open_stream(
    agent: &Agent,
    message: &Message<'_>,
    body: impl AsSendBody,
    limits: Limits,
) -> Result<OpenedAnswer, SendError> {
    let response = run_request(agent, message, body, limits)?;
    match response.status().as_u16() {
        200 => Ok(OpenedAnswer::Stream(response.into_body())),
        _ => read_answer(response, limits, message.largest).map(OpenedAnswer::Whole),
    }
}

fn run_request(
    agent: &Agent,
    message: &Message<'_>,
    body: impl AsSendBody,
    limits: Limits,
) -> Result<Response<Body>, SendError> {
    let request = build_request(message, body)?;
    let connect = limits.connect.min(limits.total);
    let request = agent
        .configure_request(request)
        .timeout_connect(Some(connect))
        .timeout_resolve(Some(connect))
        .timeout_recv_response(Some(limits.answer.min(limits.total)))
        .timeout_global(Some(limits.total).filter(|total| *total < Duration::MAX))
        .build();
    let response = agent.run(request);
    response.map_err(|error| SendError::NoAnswer(classify_error(error, limits).convert()))
}

fn build_request<B>(message: &Message<'_>, body: B) -> Result<Request<B>, Error> {
    let invalid = |reason| Error::Request {
        path: message.path.to_owned(),
        reason,
    };
    let mut request = Request::builder().method(message.method).uri(&message.url);
    for (name, value) in message.headers {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
            invalid(format!(
                "the value for the header `{name}` has a character that HTTP does not allow"
            ))
        })?;
        value.set_sensitive(true);
        request = request.header(*name, value);
    }
    request
        .body(body)
        .map_err(|error| invalid(error.to_string()))
}

fn read_answer(
    response: Response<Body>,
    limits: Limits,
    largest: u64,
) -> Result<Answer, SendError> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let largest = match status {
        200..300 => largest,
        _ => largest.min(LARGEST_SMALL),
    };
    let no_answer = |error, may_have_acted| {
        SendError::NoAnswer(NoAnswer {
            error,
            may_have_acted,
        })
    };
    let body = read_content(body, limits, largest).map_err(|error| no_answer(error, true))?;
    if let Some(error) = classify_status(status, &body) {
        let may_have_acted = !refuses_before_acting(&error);
        return Err(no_answer(error, may_have_acted));
    }
    Ok(Answer {
        status,
        inline_login_failed: header(&head.headers, "X-Vault-Inline-Auth-Failed").is_some(),
        location: header(&head.headers, LOCATION.as_str()),
        index: header(&head.headers, INDEX_HEADER),
        date: header(&head.headers, DATE.as_str()),
        body,
    })
}

/// Reads a body of at most `largest` bytes.
fn read_content(body: Body, limits: Limits, largest: u64) -> Result<Zeroizing<Vec<u8>>, NodeError> {
    let announced = body.content_length();
    let reader = body.into_with_config().limit(u64::MAX).reader();
    let content = read_body(reader, announced, largest)
        .map_err(|cause| classify_interruption(cause, limits))?;
    content.ok_or_else(|| NodeError::BadReply(format!("it is larger than {} MiB", largest >> 20)))
}

/// Returns whether a server refuses a request before it acts: a sealed one, one that limits
/// requests, and a standby without a leader.
fn refuses_before_acting(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::Sealed
            | NodeError::NotInitialized
            | NodeError::RateLimited
            | NodeError::Standby { .. }
    )
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned)
}

fn classify_interruption(error: io::Error, limits: Limits) -> NodeError {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => TransportError::Timeout(limits.total).into(),
        error => NodeError::BadReply(format!("it ends too early ({})", plain_text(&error))),
    }
}

/// Returns the error of a server that cannot be used, as opposed to one that refuses the request
/// (API page "HTTP status codes").
fn classify_status(status: u16, body: &[u8]) -> Option<NodeError> {
    if status == 429 {
        return Some(NodeError::RateLimited);
    }
    if status < 500 {
        return classify_foreign_answer(status, body);
    }
    let messages = reply::parse_messages(body);
    let contains = |part| messages.iter().any(|text| text.contains(part));
    Some(match status {
        503 if contains("sealed") => NodeError::Sealed,
        503 | 501 if contains("not initialized") => NodeError::NotInitialized,
        500 if contains("active cluster node not found") => NodeError::Standby { leader: None },
        _ => NodeError::Server { status, messages },
    })
}

/// Returns whether the answer is a redirect of the same request.
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 307 | 308)
}

/// Returns the error for an answer with status 4xx that is not OpenBao's.
fn classify_foreign_answer(status: u16, body: &[u8]) -> Option<NodeError> {
    if status < 300 || is_redirect(status) || reply::is_openbao_error(body) {
        return None;
    }
    // the text of Go's HTTP server, which OpenBao uses
    if body.starts_with(b"Client sent an HTTP request to an HTTPS server") {
        return Some(TlsError::Needed.into());
    }
    let text = format!("HTTP status {status} without OpenBao's `errors`");
    Some(NodeError::BadReply(text))
}
