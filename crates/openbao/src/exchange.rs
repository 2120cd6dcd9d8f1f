//! One HTTP request to one server, and its answer.

use std::{
    io::{self, Read},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use ureq::{
    Agent, AsSendBody, Body,
    http::{HeaderMap, HeaderValue, Request, Response, header::LOCATION},
};
use zeroize::Zeroizing;

use crate::{
    Trouble, reply,
    tls::TlsTrouble,
    transport::{Limits, NoAnswer, no_answer, plain},
};

/// The largest answer that is read. OpenBao takes requests of at most 32 MiB by default (listener
/// option `max_request_size`), so a secret is not larger than that.
pub(crate) const LARGEST: u64 = 64 << 20;

/// The largest answer that is not a secret, a listing or a policy.
pub(crate) const LARGEST_SMALL: u64 = 1 << 20;

/// The header with an index of the storage, in requests and in answers.
pub(crate) const INDEX_HEADER: &str = "X-Vault-Index";

/// A request as HTTP needs it.
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: String,
    pub(crate) headers: &'a [(&'static str, SecretString)],
    pub(crate) body: &'a [u8],
    /// The largest answer that is read; of a refusal, no more than [`LARGEST_SMALL`] is.
    pub(crate) largest: u64,
}

/// An answer that a server gave and stands by: 2xx, 3xx and 4xx but 429.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) inline_login_failed: bool,
    pub(crate) location: Option<String>,
    /// The index of the storage that the answer is from (OpenBao 2.7 and later).
    pub(crate) index: Option<String>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Sends `message` and reads the whole answer. `None` as an error: it cannot be written as HTTP.
pub(crate) fn exchange(
    agent: &Agent,
    message: &Message<'_>,
    limits: Limits,
) -> Result<Answer, Result<NoAnswer, String>> {
    let request = request(message, message.body.to_vec()).map_err(Err)?;
    let request = agent
        .configure_request(request)
        .timeout_connect(Some(limits.connect.min(limits.total)))
        .timeout_resolve(Some(limits.connect.min(limits.total)))
        .timeout_recv_response(Some(limits.answer.min(limits.total)))
        .timeout_global(Some(limits.total))
        .build();
    let response = agent
        .run(request)
        .map_err(|error| Ok(no_answer(error, limits)))?;
    read(response, limits, message.largest).map_err(Ok)
}

/// What comes back where the body is not read at once.
pub(crate) enum Opened {
    /// The body of a good answer.
    Stream(Body),
    /// A refusal, or a good answer without a body.
    Answer(Answer),
}

/// Sends `message` with `body` in place of its own, and gives the answer's head. Its body
/// may be as long as it likes, and take as long: `limits` count until it begins.
pub(crate) fn open(
    agent: &Agent,
    message: &Message<'_>,
    body: impl AsSendBody,
    limits: Limits,
) -> Result<Opened, Result<NoAnswer, String>> {
    let request = request(message, body).map_err(Err)?;
    let limited = |time: Duration| Some(time).filter(|time| *time < Duration::MAX);
    let request = agent
        .configure_request(request)
        .timeout_connect(Some(limits.connect))
        .timeout_resolve(Some(limits.connect))
        .timeout_recv_response(Some(limits.answer))
        .timeout_global(limited(limits.total))
        .build();
    let response = agent
        .run(request)
        .map_err(|error| Ok(no_answer(error, limits)))?;
    match response.status().as_u16() {
        200 => Ok(Opened::Stream(response.into_body())),
        _ => read(response, limits, message.largest)
            .map(Opened::Answer)
            .map_err(Ok),
    }
}

fn request<B>(message: &Message<'_>, body: B) -> Result<Request<B>, String> {
    let mut request = Request::builder().method(message.method).uri(&message.url);
    for (name, value) in message.headers {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
            format!("the value for the header `{name}` has a character that HTTP does not allow")
        })?;
        value.set_sensitive(true);
        request = request.header(*name, value);
    }
    request.body(body).map_err(|error| error.to_string())
}

fn read(response: Response<Body>, limits: Limits, largest: u64) -> Result<Answer, NoAnswer> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let largest = match status {
        200..300 => largest,
        _ => largest.min(LARGEST_SMALL),
    };
    let body = read_body(body, limits, largest).map_err(|trouble| NoAnswer {
        trouble,
        may_have_acted: true,
    })?;
    match trouble_of(status, &body) {
        Some(trouble) => {
            // sealed and limited servers refuse before they act, and so does a standby without a leader
            let may_have_acted = !matches!(
                trouble,
                Trouble::Sealed
                    | Trouble::NotInitialized
                    | Trouble::RateLimited
                    | Trouble::Standby { .. }
            );
            Err(NoAnswer {
                trouble,
                may_have_acted,
            })
        }
        None => Ok(Answer {
            status,
            inline_login_failed: header(&head.headers, "X-Vault-Inline-Auth-Failed").is_some(),
            location: header(&head.headers, LOCATION.as_str()),
            index: header(&head.headers, INDEX_HEADER),
            body,
        }),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned)
}

fn read_body(body: Body, limits: Limits, largest: u64) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let announced = body.content_length();
    if announced.is_some_and(|length| length > largest) {
        return Err(too_large(largest));
    }
    // room for all of it at once: a growing buffer leaves copies of a secret behind
    let room = usize::try_from(announced.unwrap_or(16 << 10)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    let mut reader = body.into_with_config().limit(largest + 1).reader();
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| cut_short(error, limits, largest))?;
    if bytes.len() as u64 > largest {
        return Err(too_large(largest));
    }
    Ok(bytes)
}

fn too_large(largest: u64) -> Trouble {
    Trouble::BadReply(format!("it is larger than {} MiB", largest >> 20))
}

fn cut_short(error: io::Error, limits: Limits, largest: u64) -> Trouble {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => Trouble::Timeout(limits.total),
        ureq::Error::BodyExceedsLimit(_) => too_large(largest),
        error => Trouble::BadReply(format!("it ends too early ({})", plain(&error))),
    }
}

/// What makes a server unusable rather than unwilling (API page "HTTP status codes").
fn trouble_of(status: u16, body: &[u8]) -> Option<Trouble> {
    if status == 429 {
        return Some(Trouble::RateLimited);
    }
    if status < 500 {
        return not_openbaos(status, body);
    }
    let messages = reply::messages(body);
    let said = |word| messages.iter().any(|text| text.contains(word));
    Some(match status {
        503 if said("sealed") => Trouble::Sealed,
        503 | 501 if said("not initialized") => Trouble::NotInitialized,
        500 if said("active cluster node not found") => Trouble::Standby { leader: None },
        _ => Trouble::Server { status, messages },
    })
}

/// Whether the answer points elsewhere, for the same request.
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 307 | 308)
}

/// What is wrong with a refusal that is not in OpenBao's words; nothing for one that is, and for a
/// redirect.
fn not_openbaos(status: u16, body: &[u8]) -> Option<Trouble> {
    if status < 300 || is_redirect(status) || reply::is_openbaos(body) {
        return None;
    }
    // Go's HTTP server says so, which OpenBao is built on
    if body.starts_with(b"Client sent an HTTP request to an HTTPS server") {
        return Some(Trouble::Tls(TlsTrouble::Needed));
    }
    let text = format!("HTTP status {status} without its words");
    Some(Trouble::BadReply(text))
}
