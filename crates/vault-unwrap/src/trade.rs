//! The trade with OpenBao: a wrapping token against what it wraps.

use std::time::{Duration, Instant, SystemTime};

use openbao::{
    AppRoleCredentials, Client, Error as From, Refusal, retry_until,
    wrapping::{self, WrappingInfo},
};
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
    let look_up = || look_up(client, token);
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

/// A refusal counts only when it is the active node's: it raises an alarm, and a standby may lag behind. The
/// active node also verifies the signature of a JWT, which tells another cluster's token.
fn look_up(client: &Client, token: &SecretString) -> Result<WrappingInfo, From> {
    match wrapping::lookup(client, token) {
        Err(From::Refused { status: 400, .. }) => {
            wrapping::lookup_as_given(&client.active(), token)
        }
        result => result,
    }
}

/// Uses the token up. Asked once: a second time could only be refused. Only a node that did not know the token
/// is no end of it: a standby forwards what it knows.
pub(crate) fn redeem(client: &Client, token: &SecretString) -> Result<AppRoleCredentials, Error> {
    let unwrapped = match wrapping::unwrap(client, token) {
        Err(From::Refused { status: 400, .. }) => wrapping::unwrap(&client.active(), token),
        result => result,
    };
    let payload: serde_json::Value = unwrapped.map_err(|error| match error {
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
    let says =
        |refusal: &Refusal, text: &str| refusal.messages.iter().any(|said| said.contains(text));
    match &error {
        From::Denied { refusal, .. } if says(refusal, "wrapping token") => {
            return Error::NotThisClusters;
        }
        From::Refused {
            status: 400,
            refusal,
            ..
        } if says(refusal, "wrapping token") => {}
        _ => return error.into(),
    }
    let now = SystemTime::now();
    match wrapping::expiry(token) {
        Some(at) if at <= now => Error::Expired { at, now },
        Some(until) => Error::Intercepted { until },
        None => Error::UsedOrExpired,
    }
}
