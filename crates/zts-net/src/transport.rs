//! Failures below an API: no connection, no TLS, no answer, with the words that all messages use.

use std::{fmt, io, time::Duration};

use ureq::Timeout;

use crate::{redaction, verifier::is_ca_used_as_end_entity};

/// The time that a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection is established, the TLS handshake included.
    pub connect: Duration,
    /// From the end of the request to the beginning of the answer's body.
    pub answer: Duration,
    /// In total.
    pub total: Duration,
}

/// A failure below an API, of one request to one server.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection ended before the answer.
    #[error("it closed the connection without an answer ({0})")]
    Closed(String),
    /// No connection or no answer in time.
    #[error("no answer within {}", Seconds(*.0))]
    Timeout(Duration),
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(#[from] TlsError),
    /// An answer that is not HTTP.
    #[error("its answer makes no sense: {0}")]
    Malformed(String),
}

/// The reason why a server's certificate is not accepted, or why there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No trusted CA signed it. A bad signature counts as well: the CA was created again under the
    /// same name.
    #[error("its certificate is not signed by a trusted CA")]
    UnknownAuthority,
    /// It has expired.
    #[error("its certificate has expired")]
    Expired,
    /// It is not valid yet.
    #[error("its certificate is not valid yet (or this clock is slow)")]
    NotYetValid,
    /// It names another server.
    #[error("its certificate is for another name")]
    AnotherName,
    /// It is a CA's, and not the very one that is trusted.
    #[error("its certificate is a CA certificate, and not one of the trusted ones")]
    IsCa,
    /// The server does not use TLS.
    #[error("it does not use TLS (`http://`?)")]
    NotSpoken,
    /// The server accepts TLS only.
    #[error("it accepts TLS only (`https://`)")]
    Needed,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// A request without an answer.
pub struct NoAnswer<E = TransportError> {
    /// The reason.
    pub error: E,
    /// The server may have carried the request out all the same.
    pub may_have_acted: bool,
}

impl<E> NoAnswer<E> {
    /// Converts the reason.
    pub fn convert<F: From<E>>(self) -> NoAnswer<F> {
        NoAnswer {
            error: self.error.into(),
            may_have_acted: self.may_have_acted,
        }
    }
}

/// Returns the reason for which `error` left a request with these `limits` without an answer.
pub fn classify_error(error: ureq::Error, limits: Limits) -> NoAnswer {
    let before_sending = |error| NoAnswer {
        error,
        may_have_acted: false,
    };
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            before_sending(TransportError::Timeout(limits.connect.min(limits.total)))
        }
        ureq::Error::Timeout(reason) => NoAnswer {
            error: TransportError::Timeout(match reason {
                Timeout::RecvResponse => limits.answer.min(limits.total),
                _ => limits.total,
            }),
            may_have_acted: true,
        },
        ureq::Error::Rustls(error) => before_sending(classify_tls_error(&error).into()),
        ureq::Error::Tls(text) => before_sending(TlsError::Other(text.to_owned()).into()),
        ureq::Error::HostNotFound => before_sending(TransportError::no_address()),
        ureq::Error::ConnectionFailed => {
            before_sending(TransportError::Connect("connection failed".to_owned()))
        }
        ureq::Error::Io(error) => classify_io_error(&error),
        error => NoAnswer {
            error: TransportError::Malformed(plain_text(&error)),
            may_have_acted: true,
        },
    }
}

fn classify_io_error(error: &io::Error) -> NoAnswer {
    if let Some(tls) = tls_error_in(error) {
        return NoAnswer {
            error: tls.into(),
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
    let closed = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    );
    NoAnswer {
        error: if closed {
            TransportError::Closed(plain_text(error))
        } else {
            TransportError::Connect(plain_text(error))
        },
        may_have_acted: !never_sent,
    }
}

impl TransportError {
    pub(crate) fn no_address() -> Self {
        Self::Connect("its name has no address".to_owned())
    }
}

/// Returns the TLS error that an error of a connection carries.
pub(crate) fn tls_error_in(error: &io::Error) -> Option<TlsError> {
    let inner = error.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        .map(classify_tls_error)
}

fn classify_tls_error(error: &rustls::Error) -> TlsError {
    use rustls::CertificateError as Refused;
    let refused = match error {
        rustls::Error::InvalidCertificate(refused) => refused,
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            return TlsError::NotSpoken;
        }
        error => return TlsError::Other(plain_text(error)),
    };
    match refused {
        Refused::UnknownIssuer | Refused::BadSignature => TlsError::UnknownAuthority,
        Refused::Expired | Refused::ExpiredContext { .. } => TlsError::Expired,
        Refused::NotValidYet | Refused::NotValidYetContext { .. } => TlsError::NotYetValid,
        Refused::NotValidForName | Refused::NotValidForNameContext { .. } => TlsError::AnotherName,
        _ if is_ca_used_as_end_entity(error) => TlsError::IsCa,
        other => {
            let other = redaction::clean_text(&format!("{other:?}"));
            TlsError::Other(format!("its certificate is refused: {other}"))
        }
    }
}

/// Returns an error's text as messages show it: redacted, in lower case, without the number of the
/// system's error.
pub fn plain_text(error: &dyn std::error::Error) -> String {
    let text = redaction::clean_text(&error.to_string());
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.strip_prefix("io: ").unwrap_or(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text.to_owned(),
    }
}

/// A duration in seconds, rounded up to a tenth.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.0.as_secs_f64() * 10.0).ceil() / 10.0;
        write!(formatter, "{seconds} s")
    }
}
