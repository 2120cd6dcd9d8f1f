//! What goes wrong below HTTP, in the words that all messages have for it.

use std::{io, time::Duration};

use ureq::Timeout;

use crate::{Trouble, redaction, tls::TlsTrouble, verifier::is_a_cas};

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection is there, the TLS handshake included.
    pub connect: Duration,
    /// From the end of the request to the beginning of the answer's body.
    pub answer: Duration,
    /// All in all.
    pub total: Duration,
}

/// Why there is no answer, and whether the server may have carried the request out all the same.
pub(crate) struct NoAnswer {
    pub(crate) trouble: Trouble,
    pub(crate) may_have_acted: bool,
}

/// What went wrong, for a request that had so long.
pub fn trouble(error: ureq::Error, limits: Limits) -> Trouble {
    no_answer(error, limits).trouble
}

/// Why `error` left a request without an answer.
pub(crate) fn no_answer(error: ureq::Error, limits: Limits) -> NoAnswer {
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
        ureq::Error::Tls(text) => before_sending(Trouble::Tls(TlsTrouble::Other(text.to_owned()))),
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
    let closed = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    );
    NoAnswer {
        trouble: if closed {
            Trouble::Closed(plain(error))
        } else {
            Trouble::Connect(plain(error))
        },
        may_have_acted: !never_sent,
    }
}

/// An error's text as it may be shown, without the number of the system call, which helps nobody.
pub fn plain(error: &dyn std::error::Error) -> String {
    let text = redaction::clean(&error.to_string());
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.strip_prefix("io: ").unwrap_or(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text.to_owned(),
    }
}

/// Why a certificate is refused, as an operator would say it.
pub(crate) fn explain_tls(error: &rustls::Error) -> TlsTrouble {
    use rustls::CertificateError as Refused;
    let refused = match error {
        rustls::Error::InvalidCertificate(refused) => refused,
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            return TlsTrouble::NotSpoken;
        }
        error => return TlsTrouble::Other(plain(error)),
    };
    match refused {
        Refused::UnknownIssuer | Refused::BadSignature => TlsTrouble::UnknownAuthority,
        Refused::Expired | Refused::ExpiredContext { .. } => TlsTrouble::Expired,
        Refused::NotValidYet | Refused::NotValidYetContext { .. } => TlsTrouble::NotYetValid,
        Refused::NotValidForName | Refused::NotValidForNameContext { .. } => {
            TlsTrouble::AnotherName
        }
        _ if is_a_cas(error) => TlsTrouble::IsCa,
        other => {
            let other = redaction::clean(&format!("{other:?}"));
            TlsTrouble::Other(format!("its certificate is refused: {other}"))
        }
    }
}
