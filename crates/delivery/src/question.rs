//! Asking OpenBao for a secret, within a deadline.

use std::time::Duration;

use openbao::{AppRoleCredentials, Client, Error, Settings, Trouble, kv, sys};

use crate::conversation::Access;

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Inside the request; a server that does not know that gets a login first.
    Auto,
    /// Inside the request only (OpenBao 2.4 and later).
    Inline,
    /// With a login first: two requests.
    First,
}

/// What is asked for, and how.
pub struct Question<'a> {
    /// How OpenBao is reached.
    pub settings: Settings,
    /// Who asks.
    pub credentials: AppRoleCredentials,
    /// How to log in.
    pub login: Login,
    /// The mount of the KV version 2 engine.
    pub kv_mount: &'a str,
    /// The mount of the AppRole auth method.
    pub approle_mount: &'a str,
    /// The secret's path in the KV mount.
    pub secret: &'a str,
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

impl Question<'_> {
    /// The secret's newest version; asked again with growing pauses while no server can be used.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn ask(self, patience: Patience) -> Result<kv::Secret, Refusal> {
        let access = Access {
            settings: self.settings,
            credentials: self.credentials,
            login: self.login,
            kv_mount: self.kv_mount,
            approle_mount: self.approle_mount,
        };
        access.open(patience)?.read(self.secret)
    }
}

pub(crate) fn judge(error: Error, client: &Client) -> Refusal {
    match &error {
        Error::Unavailable { .. } => Refusal::Unavailable(error),
        Error::Deleted { .. } | Error::Destroyed { .. } => Refusal::Gone(error),
        // with words, it is the mount that is missing, and maybe by mistake; and a standby that
        // lags behind does not know a new secret yet
        Error::NotFound { refusal, .. }
            if refusal.messages.is_empty() && sys::is_up_to_date(client).unwrap_or(false) =>
        {
            Refusal::Gone(error)
        }
        _ => Refusal::Other(error),
    }
}

pub(crate) fn worth_another_try(error: &Error, has_copy: bool) -> bool {
    let busy = |trouble: &Trouble| matches!(trouble, Trouble::RateLimited | Trouble::Server { .. });
    match error {
        Error::Unavailable { attempts } if has_copy => {
            attempts.iter().any(|attempt| busy(&attempt.trouble))
        }
        error => error.is_transient(),
    }
}
