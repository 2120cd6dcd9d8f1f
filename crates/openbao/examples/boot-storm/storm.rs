//! Hosts that come up.

use std::{
    error::Error as AnyError,
    time::{Duration, Instant},
};

use openbao::{Authentication, Client, Error, SecretValue, approle, kv, retry_until};
use serde::Serialize;

use crate::{
    crew, fleet,
    job::{Storm, Way},
};

/// As `vault-fetch` waits between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// What came of it.
#[derive(Serialize)]
pub(crate) struct Outcome {
    /// From the first host's start to the last one's end.
    seconds: f64,
    /// How long each host took that got all its secrets.
    hosts: Vec<f64>,
    /// How many hosts did not, though they had all the patience that was given.
    given_up: usize,
    /// How many attempts no server could answer.
    failed_attempts: usize,
}

/// How one host fared.
struct Host {
    seconds: Result<f64, Error>,
    failed_attempts: usize,
}

/// Lets all hosts come up.
pub(crate) fn run(job: &Storm) -> Result<Outcome, Box<dyn AnyError>> {
    let start = Instant::now();
    let fared = crew::each(job.hosts.numbers(), job.at_once, |number| {
        come_up(job, number)
    })?;
    let mut outcome = Outcome {
        seconds: start.elapsed().as_secs_f64(),
        hosts: Vec::with_capacity(fared.len()),
        given_up: 0,
        failed_attempts: 0,
    };
    for host in fared {
        outcome.failed_attempts += host.failed_attempts;
        match host.seconds {
            Ok(seconds) => outcome.hosts.push(seconds),
            Err(Error::Unavailable { .. }) if job.patience_seconds > 0.0 => outcome.given_up += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(outcome)
}

fn come_up(job: &Storm, number: usize) -> Host {
    let start = Instant::now();
    let mut failed_attempts = 0;
    let fetched = fetch_all(job, number, &mut failed_attempts);
    Host {
        seconds: fetched.map(|()| start.elapsed().as_secs_f64()),
        failed_attempts,
    }
}

/// All secrets of a host, one after the other.
fn fetch_all(job: &Storm, number: usize, failed: &mut usize) -> Result<(), Error> {
    let shared = match job.way {
        Way::LoginPerSecret | Way::InlinePerSecret => None,
        Way::LoginPerHost | Way::InlinePerHost => {
            let mut client = job.client(number)?;
            job.patiently(failed, || job.log_in(&client, number))
                .map(|proof| client.authenticate(proof))?;
            Some(client)
        }
    };
    for secret in 0..job.hosts.secrets {
        job.patiently(failed, || {
            if let Some(client) = &shared {
                return read(client, number, secret);
            }
            let mut client = job.client(number)?;
            client.authenticate(job.log_in(&client, number)?);
            read(&client, number, secret)
        })?;
    }
    Ok(())
}

impl Storm {
    fn client(&self, number: usize) -> Result<Client, Error> {
        self.site.client(if self.spread { number } else { 0 })
    }

    /// What proves to the server who asks.
    fn log_in(&self, client: &Client, number: usize) -> Result<Authentication, Error> {
        let credentials = fleet::credentials(&self.hosts, number, self.role);
        match self.way {
            Way::LoginPerSecret | Way::LoginPerHost => {
                approle::login(client, fleet::LOGIN, &credentials).map(Authentication::Token)
            }
            Way::InlinePerSecret | Way::InlinePerHost => Ok(Authentication::Inline {
                mount: fleet::LOGIN.to_owned(),
                credentials,
            }),
        }
    }

    /// Asks until there is an answer, and counts when there was none.
    fn patiently<T>(
        &self,
        failed: &mut usize,
        ask: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + Duration::from_secs_f64(self.patience_seconds);
        let worth = |error: &Error| {
            let unanswered = matches!(error, Error::Unavailable { .. });
            *failed += usize::from(unanswered);
            unanswered && self.patience_seconds > 0.0
        };
        retry_until(deadline, PAUSES, worth, ask)
    }
}

/// Reads a secret, which must be the one that was meant.
fn read(client: &Client, number: usize, secret: usize) -> Result<(), Error> {
    let read = kv::read(client, fleet::MOUNT, &fleet::path(number, secret))?;
    let username = read
        .values
        .as_ref()
        .ok()
        .and_then(|values| values.get("username"))
        .map(SecretValue::to_bytes);
    let meant = fleet::username(number, secret);
    assert!(
        username.is_some_and(|found| *found == meant.as_bytes()),
        "the server gave another secret than `{meant}`"
    );
    Ok(())
}
