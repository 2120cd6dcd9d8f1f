//! One HTTP request to one server, and its answer.

use std::{
    io::{self, Read},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use ureq::{
    Agent, AsSendBody, Body, Timeout,
    http::{HeaderMap, HeaderValue, Request, Response, header::LOCATION},
};
use zeroize::Zeroizing;

use crate::{Trouble, reply};

/// The largest answer that is read. OpenBao takes requests of at most 32 MiB by default (listener
/// option `max_request_size`), so a secret is not larger than that.
const LARGEST_ANSWER: u64 = 64 << 20;

/// A request as HTTP needs it.
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: String,
    pub(crate) headers: &'a [(&'static str, SecretString)],
    pub(crate) body: &'a [u8],
}

/// How long it may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Until the connection is there, the TLS handshake included.
    pub(crate) connect: Duration,
    /// From the end of the request to the beginning of the answer's body.
    pub(crate) answer: Duration,
    /// All in all.
    pub(crate) total: Duration,
}

/// An answer that a server gave and stands by: 2xx, 3xx and 4xx but 429.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) inline_login_failed: bool,
    pub(crate) location: Option<String>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why there is no answer, and whether the server may have carried the request out all the same.
pub(crate) struct NoAnswer {
    pub(crate) trouble: Trouble,
    pub(crate) may_have_acted: bool,
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
        .map_err(|error| Ok(no_response(error, limits)))?;
    read(response, limits).map_err(Ok)
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
        .map_err(|error| Ok(no_response(error, limits)))?;
    match response.status().as_u16() {
        200 => Ok(Opened::Stream(response.into_body())),
        _ => read(response, limits).map(Opened::Answer).map_err(Ok),
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

fn read(response: Response<Body>, limits: Limits) -> Result<Answer, NoAnswer> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let body = read_body(body, limits).map_err(|trouble| NoAnswer {
        trouble,
        may_have_acted: true,
    })?;
    match trouble_of(status, &body) {
        Some(trouble) => {
            // sealed and limited servers refuse before they act
            let may_have_acted = !matches!(
                trouble,
                Trouble::Sealed | Trouble::NotInitialized | Trouble::RateLimited
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

fn read_body(body: Body, limits: Limits) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let announced = body.content_length();
    if announced.is_some_and(|length| length > LARGEST_ANSWER) {
        return Err(too_large());
    }
    // room for all of it at once: a growing buffer leaves copies of a secret behind
    let room = usize::try_from(announced.unwrap_or(16 << 10)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    let mut reader = body.into_with_config().limit(LARGEST_ANSWER + 1).reader();
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| cut_short(error, limits))?;
    if bytes.len() as u64 > LARGEST_ANSWER {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> Trouble {
    Trouble::BadReply(format!("it is larger than {} MiB", LARGEST_ANSWER >> 20))
}

fn cut_short(error: io::Error, limits: Limits) -> Trouble {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => Trouble::Timeout(limits.total),
        ureq::Error::BodyExceedsLimit(_) => too_large(),
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
        _ => Trouble::Server { status, messages },
    })
}

/// What is wrong with a refusal that is not in OpenBao's words; nothing for one that is, and for a
/// standby's pointer to the active server.
fn not_openbaos(status: u16, body: &[u8]) -> Option<Trouble> {
    if status < 300 || matches!(status, 307 | 308) || reply::is_openbaos(body) {
        return None;
    }
    // Go's HTTP server says so, which OpenBao is built on
    if body.starts_with(b"Client sent an HTTP request to an HTTPS server") {
        let text = "it takes encrypted connections only (`https://`)";
        return Some(Trouble::Tls(text.to_owned()));
    }
    let text = format!("HTTP status {status} without its words");
    Some(Trouble::BadReply(text))
}

fn no_response(error: ureq::Error, limits: Limits) -> NoAnswer {
    let before_sending = |trouble| NoAnswer {
        trouble,
        may_have_acted: false,
    };
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            before_sending(Trouble::Timeout(limits.connect.min(limits.total)))
        }
        ureq::Error::Timeout(reason) => NoAnswer {
            trouble: Trouble::Timeout(match reason {
                Timeout::RecvResponse => limits.answer.min(limits.total),
                _ => limits.total,
            }),
            may_have_acted: true,
        },
        ureq::Error::Rustls(error) => before_sending(Trouble::Tls(explain_tls(&error))),
        ureq::Error::Tls(text) => before_sending(Trouble::Tls(text.to_owned())),
        ureq::Error::HostNotFound => {
            before_sending(Trouble::Connect("its name has no address".to_owned()))
        }
        ureq::Error::ConnectionFailed => {
            before_sending(Trouble::Connect("connection failed".to_owned()))
        }
        ureq::Error::Io(error) => no_transport(&error),
        error => NoAnswer {
            trouble: Trouble::BadReply(plain(&error)),
            may_have_acted: true,
        },
    }
}

fn no_transport(error: &io::Error) -> NoAnswer {
    if let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return NoAnswer {
            trouble: Trouble::Tls(explain_tls(tls)),
            may_have_acted: false,
        };
    }
    let never_sent = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
    );
    NoAnswer {
        trouble: Trouble::Connect(plain(error)),
        may_have_acted: !never_sent,
    }
}

/// An error's text without the number of the system call, which helps nobody.
pub(crate) fn plain(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.strip_prefix("io: ").unwrap_or(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text.to_owned(),
    }
}

/// Why a certificate is refused, as an operator would say it.
pub(crate) fn explain_tls(error: &rustls::Error) -> String {
    use rustls::CertificateError as Refused;
    let refused = match error {
        rustls::Error::InvalidCertificate(refused) => refused,
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            return "it does not speak TLS (`http://`?)".to_owned();
        }
        error => return plain(error),
    };
    match refused {
        // a bad signature: the authority was made anew, under the old name
        Refused::UnknownIssuer | Refused::BadSignature => {
            "no CA certificate known here vouches for its certificate".to_owned()
        }
        Refused::Expired | Refused::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        Refused::NotValidYet | Refused::NotValidYetContext { .. } => {
            "its certificate is not valid yet (or this clock is slow)".to_owned()
        }
        Refused::NotValidForName | Refused::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        other => format!("its certificate is refused: {other:?}"),
    }
}
