//! The trade with OpenBao: a wrapping token against what it wraps.

use std::time::{Duration, Instant, SystemTime};

use openbao::{AppRoleCredentials, Client, Error as From, retry_until, wrapping};
use secrecy::SecretString;

use crate::{credentials::Pair, failure::Error};

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Sees that the token is one of create-host's, without using it up. Asked again with growing pauses
/// until `deadline` while no server can be used.
pub(crate) fn inspect(
    client: &Client,
    token: &SecretString,
    expected: &str,
    deadline: Instant,
) -> Result<(), Error> {
    let look_up = || wrapping::lookup(client, token);
    let info = retry_until(deadline, PAUSES, From::is_transient, look_up)
        .map_err(|error| explain(error, token))?;
    if info.creation_path.trim_matches('/') == expected.trim_matches('/') {
        return Ok(());
    }
    Err(Error::WrongCreationPath {
        found: info.creation_path,
        expected: expected.to_owned(),
    })
}

/// Uses the token up. Asked once: a second time could only be refused.
pub(crate) fn redeem(client: &Client, token: &SecretString) -> Result<AppRoleCredentials, Error> {
    let payload: serde_json::Value =
        wrapping::unwrap(client, token).map_err(|error| match error {
            cause @ From::Unavailable { .. } => Error::Interrupted { cause },
            error => explain(error, token),
        })?;
    let pair = serde_json::from_value::<Pair>(payload).ok();
    let pair = pair.filter(Pair::is_plausible).ok_or(Error::WrongPayload)?;
    Ok(pair.into())
}

/// OpenBao says the same of a used, an expired and an unknown token; what the token says of itself
/// tells them apart.
fn explain(error: From, token: &SecretString) -> Error {
    let From::Refused {
        status: 400,
        refusal,
        ..
    } = &error
    else {
        return error.into();
    };
    if !refusal
        .messages
        .iter()
        .any(|text| text.contains("wrapping token"))
    {
        return error.into();
    }
    let now = SystemTime::now();
    match wrapping::expiry(token) {
        Some(at) if at <= now => Error::Expired { at, now },
        Some(until) => Error::Intercepted { until },
        None => Error::UsedOrExpired,
    }
}
