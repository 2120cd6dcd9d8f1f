//! Requests to OpenBao: look up the wrapping token, and unwrap it.

use std::time::{Duration, Instant, SystemTime};

use secrecy::SecretString;
use zts_net::retry_until;
use zts_openbao::{
    ApiError, AppRoleCredentials, Client, Error as OpenBaoError, sys,
    wrapping::{self, WrappingInfo},
};

use crate::{credentials::WrappedCredentials, failure::Error};

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Checks that create-host issued the token, without using it. Retries with growing pauses until
/// `deadline` while no server can be used.
pub(crate) fn check_token(
    client: &Client,
    token: &SecretString,
    expected: &str,
    deadline: Instant,
) -> Result<(), Error> {
    let look_up = || look_up(client, token);
    let info = retry_until(deadline, PAUSES, OpenBaoError::is_transient, look_up)
        .map_err(|error| classify_error(error, client, token))?;
    if info.creation_path.trim_matches('/') == expected.trim_matches('/') {
        return Ok(());
    }
    Err(Error::WrongCreationPath {
        found: info.creation_path,
        expected: expected.to_owned(),
    })
}

/// Looks up the token. Only the active node's refusal counts, because it raises an alarm and a
/// standby may lag behind. The active node also verifies the signature of a JWT, and so detects the
/// token of another cluster.
fn look_up(client: &Client, token: &SecretString) -> Result<WrappingInfo, OpenBaoError> {
    match wrapping::lookup(client, token) {
        Err(OpenBaoError::Refused { status: 400, .. }) => {
            wrapping::lookup_unchanged(&client.active(), token)
        }
        result => result,
    }
}

/// Unwraps the token. Sends one request, because a second one would be refused. Only if a node does
/// not know the token, the active node gets a request, too: a standby forwards the tokens that it
/// knows.
pub(crate) fn unwrap_token(
    client: &Client,
    token: &SecretString,
) -> Result<AppRoleCredentials, Error> {
    let unwrapped = match wrapping::unwrap(client, token) {
        Err(OpenBaoError::Refused { status: 400, .. }) => wrapping::unwrap(&client.active(), token),
        result => result,
    };
    let payload: serde_json::Value = unwrapped.map_err(|error| match error {
        cause @ OpenBaoError::Unavailable { .. } => Error::Interrupted { cause },
        error => classify_error(error, client, token),
    })?;
    let credentials = serde_json::from_value::<WrappedCredentials>(payload).ok();
    let credentials = credentials.filter(WrappedCredentials::is_plausible);
    Ok(credentials.ok_or(Error::WrongPayload)?.into())
}

/// Classifies a refusal. OpenBao answers the same for a used, an expired and an unknown token. The
/// expiry in the token distinguishes them, by OpenBao's clock, because the host's may be wrong at
/// its first boot.
fn classify_error(error: OpenBaoError, client: &Client, token: &SecretString) -> Error {
    let mentions = |api_error: &ApiError, text: &str| {
        api_error
            .messages
            .iter()
            .any(|message| message.contains(text))
    };
    match &error {
        OpenBaoError::Denied { api_error, .. } if mentions(api_error, "wrapping token") => {
            return Error::OtherCluster;
        }
        OpenBaoError::Refused {
            status: 400,
            api_error,
            ..
        } if mentions(api_error, "wrapping token") => {}
        _ => return error.into(),
    }
    let here = SystemTime::now();
    let there = sys::server_time(client).ok().flatten();
    match wrapping::expiry(token) {
        Some(at) if at <= there.unwrap_or(here) => Error::Expired { at, here, there },
        Some(until) => Error::Intercepted { until },
        None => Error::UsedOrExpired,
    }
}
