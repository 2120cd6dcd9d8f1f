//! How OpenBao is asked, and what its answer means.

use std::time::Duration;

use openbao::{Error, Trouble};
use serde::Deserialize;

/// How to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Login {
    /// Inside the request; a server that does not know that gets a login first.
    #[default]
    Auto,
    /// Inside the request only (OpenBao 2.4 and later).
    Inline,
    /// With a login first: two requests.
    #[serde(rename = "login")]
    First,
}

/// Why there is no secret.
#[derive(Debug)]
pub enum Refusal {
    /// No server could be used.
    Unavailable(Error),
    /// The secret is no longer there.
    Gone(Error),
    /// Anything else: it may be there.
    Other(Error),
}

/// How long to go on asking.
#[derive(Clone, Copy)]
pub struct Patience {
    /// In all, pauses included.
    pub deadline: Duration,
    /// With a copy to fall back to, only a server that is there but busy is asked again.
    pub has_copy: bool,
}

pub(crate) fn judge(error: Error) -> Refusal {
    match &error {
        Error::Unavailable { .. } => Refusal::Unavailable(error),
        Error::Deleted { .. } | Error::Destroyed { .. } => Refusal::Gone(error),
        // with words, it is the mount that is missing, and maybe by mistake
        Error::NotFound { refusal, .. } if refusal.messages.is_empty() => Refusal::Gone(error),
        _ => Refusal::Other(error),
    }
}

pub(crate) fn worth_another_try(error: &Error, has_copy: bool) -> bool {
    let busy = |trouble: &Trouble| {
        matches!(
            trouble,
            Trouble::RateLimited | Trouble::Standby { .. } | Trouble::Server { .. }
        )
    };
    match error {
        Error::Unavailable { attempts } if has_copy => {
            attempts.iter().any(|attempt| busy(&attempt.trouble))
        }
        error => error.is_transient(),
    }
}
