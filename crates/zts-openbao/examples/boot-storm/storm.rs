//! Booting hosts.

use std::{
    error::Error as AnyError,
    time::{Duration, Instant},
};

use serde::Serialize;
use zts_net::retry_until;
use zts_openbao::{Authentication, Client, Error, SecretValue, approle, kv};

use crate::{
    fleet,
    job::{Storm, Way},
    thread_pool::run_for_each,
};

/// The pauses of `vault-fetch` between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// The results.
#[derive(Serialize)]
pub(crate) struct Outcome {
    /// The time from the first host's start to the last one's end.
    seconds: f64,
    /// The time of each host that read all its secrets, in seconds.
    hosts: Vec<f64>,
    /// The number of hosts that gave up.
    given_up: usize,
    /// The number of attempts without an answer.
    failed_attempts: usize,
}

/// The result of one host.
struct HostResult {
    seconds: Result<f64, Error>,
    failed_attempts: usize,
}

/// Boots all hosts.
pub(crate) fn run(job: &Storm) -> Result<Outcome, Box<dyn AnyError>> {
    let start = Instant::now();
    let results = run_for_each(job.hosts.numbers(), job.at_once, |number| {
        boot_host(job, number)
    })?;
    let mut outcome = Outcome {
        seconds: start.elapsed().as_secs_f64(),
        hosts: Vec::with_capacity(results.len()),
        given_up: 0,
        failed_attempts: 0,
    };
    for host in results {
        outcome.failed_attempts += host.failed_attempts;
        match host.seconds {
            Ok(seconds) => outcome.hosts.push(seconds),
            Err(Error::Unavailable { .. }) if job.patience_seconds > 0.0 => outcome.given_up += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(outcome)
}

fn boot_host(job: &Storm, number: usize) -> HostResult {
    let start = Instant::now();
    let mut failed_attempts = 0;
    let fetched = fetch_secrets(job, number, &mut failed_attempts);
    HostResult {
        seconds: fetched.map(|()| start.elapsed().as_secs_f64()),
        failed_attempts,
    }
}

/// Reads all secrets of a host, one after the other.
fn fetch_secrets(job: &Storm, number: usize, failed: &mut usize) -> Result<(), Error> {
    let shared = match job.way {
        Way::LoginPerSecret | Way::InlinePerSecret => None,
        Way::LoginPerHost | Way::InlinePerHost | Way::ListPerHost => {
            let mut client = job.client(number)?;
            job.retry(failed, || job.authenticate(&client, number))
                .map(|authentication| client.authenticate(authentication))?;
            Some(client)
        }
    };
    for secret in 0..job.hosts.secrets {
        job.retry(failed, || {
            if let Some(client) = &shared {
                return match job.way {
                    Way::ListPerHost => list_versions(client, number),
                    _ => read_secret(client, number, secret),
                };
            }
            let mut client = job.client(number)?;
            client.authenticate(job.authenticate(&client, number)?);
            read_secret(&client, number, secret)
        })?;
    }
    Ok(())
}

impl Storm {
    fn client(&self, number: usize) -> Result<Client, Error> {
        self.site.client(if self.spread { number } else { 0 })
    }

    /// Returns the authentication for reads, after a login where the job needs one.
    fn authenticate(&self, client: &Client, number: usize) -> Result<Authentication, Error> {
        let credentials = fleet::credentials(&self.hosts, number, self.role);
        match self.way {
            Way::LoginPerSecret | Way::LoginPerHost => {
                approle::login(client, fleet::AUTH_MOUNT, &credentials).map(Authentication::Token)
            }
            Way::InlinePerSecret | Way::InlinePerHost | Way::ListPerHost => {
                Ok(Authentication::Inline {
                    mount: fleet::AUTH_MOUNT.to_owned(),
                    credentials,
                })
            }
        }
    }

    /// Repeats `attempt` until there is an answer, and counts the attempts without one.
    fn retry<T>(
        &self,
        failed: &mut usize,
        attempt: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + Duration::from_secs_f64(self.patience_seconds);
        let is_transient = |error: &Error| {
            *failed += usize::from(error.is_unavailable());
            error.is_unavailable() && self.patience_seconds > 0.0
        };
        retry_until(deadline, PAUSES, is_transient, attempt)
    }
}

/// Lists the versions of a host's secrets, as `vault-secrets watch` does.
fn list_versions(client: &Client, number: usize) -> Result<(), Error> {
    let folder = format!("hosts/{}", fleet::host_name(number));
    let versions = kv::list_detailed(client, fleet::MOUNT, &folder)?;
    assert!(
        !versions.is_empty(),
        "the server lists no secret of `{folder}`"
    );
    Ok(())
}

/// Reads a secret, and checks that it is the expected one.
fn read_secret(client: &Client, number: usize, secret: usize) -> Result<(), Error> {
    let secret_data = kv::read(client, fleet::MOUNT, &fleet::secret_path(number, secret))?;
    let username = secret_data
        .values
        .as_ref()
        .ok()
        .and_then(|values| values.get("username"))
        .map(SecretValue::to_bytes);
    let expected = fleet::username(number, secret);
    assert!(
        username.is_some_and(|actual| *actual == expected.as_bytes()),
        "the server returned another secret than `{expected}`"
    );
    Ok(())
}
