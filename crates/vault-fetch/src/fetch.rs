//! Asking OpenBao for a secret, within a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

use backon::{BlockingRetryable, ExponentialBuilder};
use openbao::{
    AppRoleCredentials, Authentication, Client, Error, Settings, Trouble, approle, kv, sys,
};

use crate::cli::How;

/// What is asked for, and how.
pub(crate) struct Question<'a> {
    pub(crate) settings: Settings,
    pub(crate) credentials: AppRoleCredentials,
    pub(crate) how: How,
    pub(crate) kv_mount: &'a str,
    pub(crate) approle_mount: &'a str,
    pub(crate) secret: &'a str,
}

/// Why there is no secret.
pub(crate) enum Refusal {
    /// No server could be used.
    Unavailable(Error),
    /// The secret is no longer there.
    Gone(Error),
    /// Anything else: it may be there.
    Other(Error),
}

/// How long to go on asking.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) deadline: Duration,
    /// With a copy to fall back to, only a server that is there but busy is asked again.
    pub(crate) has_copy: bool,
}

impl Question<'_> {
    /// The secret's newest version; asked again with growing pauses while no server can be used.
    pub(crate) fn ask(self, patience: Patience) -> Result<kv::Secret, Refusal> {
        let deadline = Instant::now() + patience.deadline;
        let mut client = Client::new(self.settings.clone()).map_err(Refusal::Other)?;
        client.set_deadline(Some(deadline));
        self.ask_until(deadline, patience.has_copy, &mut client)
            .map_err(|error| judge(error, &client))
    }

    fn ask_until(
        &self,
        deadline: Instant,
        has_copy: bool,
        client: &mut Client,
    ) -> Result<kv::Secret, Error> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times();
        (|| self.ask_once(client))
            .retry(pauses)
            .when(|error| Instant::now() < deadline && worth_another_try(error, has_copy))
            .sleep(move |pause: Duration| {
                thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
            })
            .call()
    }

    fn ask_once(&self, client: &mut Client) -> Result<kv::Secret, Error> {
        if self.how == How::Login {
            return self.log_in_and_read(client);
        }
        client.authenticate(Authentication::Inline {
            mount: self.approle_mount.to_owned(),
            credentials: self.credentials.clone(),
        });
        match kv::read(client, self.kv_mount, self.secret) {
            Err(Error::Denied { refusal, .. })
                if self.how == How::Auto && login_was_ignored(&refusal) =>
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

/// A server before 2.4 does not know the headers of inline authentication and answers as to a
/// request without a token: with these words alone. A policy's refusal has others around them.
fn login_was_ignored(refusal: &openbao::Refusal) -> bool {
    refusal.messages == ["permission denied"]
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
