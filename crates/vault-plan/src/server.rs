//! Clients of OpenBao with the operator's token.

use std::time::Duration;

use secrecy::SecretString;
use zts_cli::{ConnectionArgs, Failure};
use zts_net::{deadline_in, retry_until};
use zts_openbao::{ApiError, Authentication, Client, Error, NodeError, Settings};

/// The time in which a request that exceeds a rate limit is repeated.
const RETRY_TIME: Duration = Duration::from_secs(30);
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// The connection settings, with the operator's token.
#[derive(Debug)]
pub(crate) struct Server {
    settings: Settings,
    token: SecretString,
}

impl Server {
    /// Reads the settings and the token, without a connection.
    pub(crate) fn new(arguments: &ConnectionArgs) -> Result<Self, Failure> {
        let settings = arguments.settings(None)?;
        Ok(Self {
            token: zts_cli::operator_token(arguments, &settings)?,
            settings,
        })
    }

    /// Creates a client for this namespace, or for the operator's own. It uses the active node,
    /// because hosts are compared right after they were created.
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

/// Repeats a request while it exceeds the server's rate limit.
pub(crate) fn retry_rate_limited<T>(request: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    retry_until(deadline_in(RETRY_TIME), PAUSES, is_rate_limit, request)
}

/// Returns whether the error says that nothing is mounted at the path.
pub(crate) fn is_unmounted(error: &ApiError) -> bool {
    let mut messages = error.messages.iter();
    messages.any(|text| text.starts_with("no handler for route"))
}

fn is_rate_limit(error: &Error) -> bool {
    let mut attempts = error.attempts().iter();
    attempts.any(|attempt| matches!(attempt.error.root(), NodeError::RateLimited))
}
