//! The end of a run that did not do its job.

use std::{borrow::Cow, fmt};

use openbao::{
    Error, Trouble,
    destination::{Astray, Why},
    tls::TlsTrouble,
};

/// How a run ended; the number is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The job failed.
    Failed = 1,
    /// The usage or the configuration is wrong: trying again does not help.
    Usage = 2,
}

/// What is told to the person who ran the program: what failed, on what, why, and what to do.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    status: Status,
}

impl Failure {
    /// The job failed. `message` is lower case, without a full stop, values in backticks.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            hint: None,
            status: Status::Failed,
        }
    }

    /// The usage or the configuration is wrong.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            hint: None,
            status: Status::Usage,
        }
    }

    /// With a word on what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With `before` and a colon in front of the message.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        self.message = format!("{before}: {}", self.message);
        self
    }

    /// With `after` behind a semicolon at the end of the message.
    #[must_use]
    pub fn suffix(mut self, after: impl fmt::Display) -> Self {
        self.message = format!("{}; {after}", self.message);
        self
    }

    /// The message, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, where there is something to say.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// How the run ends.
    pub fn status(&self) -> Status {
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let failure = match error {
            Error::Path { .. } | Error::Address(_) | Error::Trust(_) | Error::Request { .. } => {
                Self::usage(error)
            }
            _ => Self::failed(error),
        };
        match hint(error) {
            Some(text) => failure.hint(text),
            None => failure,
        }
    }
}

fn hint(error: &Error) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match error {
        Error::Unavailable { attempts } => {
            return attempts
                .first()
                .and_then(|attempt| trouble_hint(&attempt.trouble));
        }
        Error::KvVersion1 { mount } => {
            return Some(
                format!("make it version 2 with `bao kv enable-versioning {mount}`").into(),
            );
        }
        Error::Denied { .. } => "the policy does not allow this path, or the token has expired",
        Error::Trust(_) => {
            "give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`"
        }
        Error::Address(_) => {
            "an address reads `https://10.0.0.5:8200`; give it with `--address` or `BAO_ADDR`"
        }
        _ => return None,
    }))
}

fn trouble_hint(trouble: &Trouble) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match trouble {
        Trouble::Connect(_) | Trouble::Timeout(_) => {
            "check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between"
        }
        Trouble::Closed(_) => {
            "the log of the server at that address says why, or that of what is in between"
        }
        Trouble::Standby { leader: Some(_) } => {
            "name each node of the cluster, with commas between: `--address` or `BAO_ADDR`"
        }
        Trouble::Standby { leader: None } => {
            "the cluster has lost its quorum, or elects a leader just now: `vault-node status` on a node tells"
        }
        Trouble::Tls(TlsTrouble::Expired) => {
            "renew OpenBao's certificate, or the CA's above it; or is this machine's clock fast (`date`)?"
        }
        Trouble::Tls(TlsTrouble::NotYetValid) => {
            "set this machine's clock (`date`); if it is right, OpenBao's certificate begins later"
        }
        Trouble::Tls(TlsTrouble::NotSpoken) => "is it `http://` that is spoken there?",
        Trouble::Tls(TlsTrouble::Needed) => "give its address with `https://`",
        Trouble::Tls(TlsTrouble::AnotherName) => {
            "give an address that OpenBao's certificate names (`openssl s_client -connect HOST:PORT`), or make \
             one with this name, as `subjectAltName`"
        }
        Trouble::Tls(TlsTrouble::IsCa) => {
            "if that is OpenBao's own certificate, name the file with it: `--ca-certificate FILE`, `BAO_CACERT`"
        }
        Trouble::Tls(_) => {
            "give OpenBao's CA certificate with `--ca-certificate FILE` or `BAO_CACERT`, \
             and an address that its certificate names"
        }
        Trouble::Sealed => "unseal it with `bao operator unseal`",
        Trouble::NotInitialized => "initialise it with `bao operator init`",
        Trouble::LockedOut => {
            "`bao auth tune -user-lockout-disable=true approle/` opens it at once, and keeps anybody from \
             locking it again; `approle/` is the mount"
        }
        // what OpenBao says where a role limits the uses of its tokens, and the login stands inside the request
        Trouble::Server {
            status: 500,
            messages,
        } if messages
            .iter()
            .any(|text| text.ends_with("* internal error")) =>
        {
            "OpenBao's log says more; a role with `token_num_uses` cannot log in inside a request: set it to 0, \
             or log in first (`--authentication login`)"
        }
        Trouble::Astray(astray) => return Some(astray_hint(astray)),
        Trouble::BadReply(_) => {
            "is this OpenBao's address, and nothing in between that answers in its place?"
        }
        _ => return None,
    }))
}

/// What to do about a server that points elsewhere.
fn astray_hint(Astray { to, why }: &Astray) -> Cow<'static, str> {
    match why {
        Why::WasNotEncrypted => format!("if that is OpenBao, give that address: `--address {to}`").into(),
        Why::UnknownServer => {
            "if that is a server of the same cluster, name it, too: `--address URL,URL`, `BAO_ADDR`; \
             or name the CA certificate of the cluster alone with `--ca-certificate FILE`"
                .into()
        }
        Why::NotEncrypted => {
            "set `api_addr` of that server to its `https://` address; nothing is sent unencrypted".into()
        }
        Why::NotActive => "ask the active server".into(),
        Why::OtherPath | Why::NoAddress | Why::Circle => {
            "is this OpenBao's address, and nothing in between that answers in its place?".into()
        }
    }
}
