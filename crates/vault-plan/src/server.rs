//! The OpenBao that is asked, and who asks.

use std::time::Duration;

use cli::{ConnectionArgs, Failure};
use openbao::{Attempt, Authentication, Client, Error, Refusal, Settings, Trouble};
use secrecy::SecretString;

/// Rate limits are for hosts that ask all at once, so a pause helps.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// How to reach OpenBao, with the operator's token.
#[derive(Debug)]
pub(crate) struct Server {
    settings: Settings,
    token: SecretString,
}

impl Server {
    /// Does not connect.
    pub(crate) fn new(arguments: &ConnectionArgs) -> Result<Self, Failure> {
        let settings = arguments.settings(None)?;
        Ok(Self {
            token: cli::operator_token(arguments, &settings)?,
            settings,
        })
    }

    /// A client for this namespace, or for the operator's own. It speaks to the active node: hosts are
    /// compared right after they were made.
    pub(crate) fn client(&self, namespace: Option<&str>) -> Result<Client, Error> {
        let mut settings = self.settings.clone();
        if let Some(namespace) = namespace {
            settings.namespace = Some(namespace.to_owned());
        }
        let mut client = Client::new(settings)?;
        client.authenticate(Authentication::Token(self.token.clone()));
        Ok(client.active())
    }
}

/// Asks again while the server limits the rate of requests.
pub(crate) fn patiently<T>(ask: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    openbao::retry_until(openbao::deadline_in(PATIENCE), PAUSES, is_rate_limit, ask)
}

/// Whether nothing is mounted where a path begins.
pub(crate) fn says_unmounted(refusal: &Refusal) -> bool {
    let mut messages = refusal.messages.iter();
    messages.any(|text| text.starts_with("no handler for route"))
}

fn is_rate_limit(error: &Error) -> bool {
    let Error::Unavailable { attempts } = error else {
        return false;
    };
    let limited = |attempt: &Attempt| matches!(attempt.trouble, Trouble::RateLimited);
    attempts.iter().any(limited)
}
