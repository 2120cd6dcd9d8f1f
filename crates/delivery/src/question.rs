//! Asking OpenBao for a secret, within a deadline.

use std::time::Duration;

use openbao::{
    AppRoleCredentials, Authentication, Client, Error, Settings, Trouble, approle, deadline_in, kv,
    retry_until, sys,
};

use crate::error::says_denied;

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

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
        let deadline = deadline_in(patience.deadline);
        let mut client = Client::new(self.settings.clone()).map_err(Refusal::Other)?;
        client.set_deadline(Some(deadline));
        let worth = |error: &Error| worth_another_try(error, patience.has_copy);
        retry_until(deadline, PAUSES, worth, || self.ask_once(&mut client))
            .map_err(|error| judge(error, &client))
    }

    fn ask_once(&self, client: &mut Client) -> Result<kv::Secret, Error> {
        if self.login == Login::First {
            return self.log_in_and_read(client);
        }
        client.authenticate(Authentication::Inline {
            mount: self.approle_mount.to_owned(),
            credentials: self.credentials.clone(),
        });
        match kv::read(client, self.kv_mount, self.secret) {
            Err(Error::Denied { refusal, .. })
                // a server before 2.4 does not know the headers of inline authentication
                if self.login == Login::Auto && says_denied(&refusal) =>
            {
                self.log_in_and_read(client)
            }
            result => result,
        }
    }

    fn log_in_and_read(&self, client: &mut Client) -> Result<kv::Secret, Error> {
        let token = approle::login(client, self.approle_mount, &self.credentials)?;
        client.authenticate(Authentication::Token(token));
        kv::read(client, self.kv_mount, self.secret)
    }
}

fn judge(error: Error, client: &Client) -> Refusal {
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

fn worth_another_try(error: &Error, has_copy: bool) -> bool {
    let busy = |trouble: &Trouble| matches!(trouble, Trouble::RateLimited | Trouble::Server { .. });
    match error {
        Error::Unavailable { attempts } if has_copy => {
            attempts.iter().any(|attempt| busy(&attempt.trouble))
        }
        error => error.is_transient(),
    }
}
