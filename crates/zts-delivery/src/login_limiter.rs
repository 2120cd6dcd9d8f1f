//! Limits refused logins, so that a host does not lock its own role.
//!
//! A server locks a role after five refused logins, each less than 15 minutes after the one before.
//! Each fetch is a process of its own, and a host with refused credentials starts many of them. So
//! refusals are counted in a note, by the digest of the credentials. After two refusals the same
//! credentials are not sent again for 16 minutes. Until a login has been accepted, processes take
//! turns, so that fifty that start at once are not refused fifty times.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    time::{Duration, Instant, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{Context, SHA256};
use rustix::process::geteuid;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use zts_openbao::{Address, ApiError, AppRoleCredentials, Client, Error};
use zts_secure_fs::{Lock, LockKind};

use crate::{error::is_bare_denial, private_file::OptionalNote};

/// The most refused logins in a row. OpenBao locks a role after five, and vault-unwrap or a person
/// may log in, too.
const MOST_REFUSALS: u32 = 2;
/// The pause after these. OpenBao starts to count again 15 minutes after the last refused login.
const PAUSE: Duration = Duration::from_secs(16 * 60);
/// The time after an accepted login in which processes do not take turns.
const TRUSTED_FOR: Duration = Duration::from_secs(60);
/// The longest time to wait for the lock after a login.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// The largest note, in bytes.
const LARGEST: u64 = 4 << 10;
/// The longest refusal that is noted, in characters.
const LONGEST_REASON: usize = 300;

/// The limiter of a host's logins.
#[derive(Clone, Debug)]
pub struct LoginLimiter {
    note: OptionalNote,
}

/// The note's content.
#[derive(Debug, Default, Serialize, Deserialize)]
struct LoginRecord {
    /// The digest of the credentials.
    credentials: String,
    /// The time of the last accepted login.
    #[serde(default)]
    accepted: Option<SystemTime>,
    /// The number of logins that were refused since.
    #[serde(default)]
    refused: u32,
    /// The time of the last refusal.
    #[serde(default)]
    at: Option<SystemTime>,
    /// The server's words at that time.
    #[serde(default)]
    reason: String,
}

impl LoginRecord {
    fn is_trusted(&self) -> bool {
        age_below(self.accepted, TRUSTED_FOR).is_some()
    }

    /// Returns whether the credentials were refused lately, and are not blocked yet.
    fn has_one_refusal(&self) -> bool {
        age_below(self.at, PAUSE).is_some() && self.refused < MOST_REFUSALS
    }

    /// Returns the age of the last refusal, if the credentials must not be sent again yet.
    fn blocked_since(&self) -> Option<Duration> {
        age_below(self.at, PAUSE).filter(|_| self.refused >= MOST_REFUSALS)
    }
}

/// Returns the time since `time`, if it is less than `most`. `None` where the clock was set back.
fn age_below(time: Option<SystemTime>, most: Duration) -> Option<Duration> {
    let age = time?.elapsed().ok()?;
    (age < most).then_some(age)
}

/// The permission for one login. While it is not known whether the credentials are good, other
/// processes wait until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct LoginPermit {
    limiter: Option<LoginLimiter>,
    credentials: String,
    lock: Option<Lock>,
}

impl LoginLimiter {
    pub(crate) fn new(note: OptionalNote) -> Self {
        Self { note }
    }

    /// Waits for the permission to log in, for `timeout` at most.
    ///
    /// # Errors
    /// [`Error::LoginRefused`] where these credentials were refused too often.
    pub(crate) fn acquire(
        &self,
        credentials: &AppRoleCredentials,
        path: &str,
        address: &Address,
        timeout: Duration,
    ) -> Result<LoginPermit, Error> {
        let mut permit = LoginPermit {
            limiter: Some(self.clone()),
            credentials: digest(credentials),
            lock: None,
        };
        let Some(file) = self.open() else {
            return Ok(permit); // without a note, logins are not limited
        };
        if permit.read_record(&file).is_trusted() {
            return Ok(permit);
        }
        let lock = self.wait_for_turn(&permit, timeout);
        let record = permit.read_record(&file);
        if let Some(age) = record.blocked_since() {
            return Err(repeat_refusal(&record, age, path, address));
        }
        // if another process has logged in meanwhile, the next one need not wait
        permit.lock = lock.filter(|_| !record.is_trusted());
        Ok(permit)
    }

    /// Waits for this process's turn, for `timeout` at most. Where the credentials were refused
    /// while it waited, it waits again: the process whose turn it is will be refused, too.
    fn wait_for_turn(&self, permit: &LoginPermit, timeout: Duration) -> Option<Lock> {
        for _ in 0..=MOST_REFUSALS {
            let turn = lock(self.open()?, timeout);
            if turn.is_some() || !permit.read_record(&self.open()?).has_one_refusal() {
                return turn;
            }
        }
        None
    }

    /// Calls `login`, unless these credentials were refused too often.
    ///
    /// # Errors
    /// The errors of `login`, or [`Error::LoginRefused`] in its place.
    pub fn limit<T>(
        &self,
        credentials: &AppRoleCredentials,
        mount: &str,
        client: &Client,
        timeout: Duration,
        login: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let path = format!("auth/{mount}/login");
        let permit = self.acquire(credentials, &path, client.address(), timeout)?;
        let result = login();
        permit.record(&result);
        result
    }

    /// Opens the note, if it is a regular file that only this user may change.
    fn open(&self) -> Option<File> {
        let folder = self.note.folder().ok()?;
        let file = folder.open_writable_lock_file(self.note.name()).ok()?;
        let metadata = file.metadata().ok()?;
        let is_ours = metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0;
        is_ours.then_some(file)
    }
}

impl LoginPermit {
    fn read_record(&self, file: &File) -> LoginRecord {
        let record = read(file).filter(|record| record.credentials == self.credentials);
        record.unwrap_or_default()
    }

    /// Notes the login's result, and lets the next process log in.
    pub(crate) fn record<T>(mut self, result: &Result<T, Error>) {
        let refused = match result {
            Err(Error::LoginRefused { api_error, .. }) if counts_for_lockout(api_error) => {
                Some(api_error)
            }
            Err(Error::LoginRefused { .. } | Error::Unavailable { .. }) => return,
            // no login took place
            Err(Error::Denied { api_error, .. }) if is_bare_denial(api_error) => return,
            _ => None,
        };
        let lock = match (self.lock.take(), refused) {
            (Some(lock), _) => Some(lock),
            (None, None) => None, // an accepted login is noted already
            (None, Some(_)) => {
                let file = self.limiter.as_ref().and_then(LoginLimiter::open);
                file.and_then(|file| lock(file, LONGEST_WAIT))
            }
        };
        let Some(lock) = lock else { return };
        let before = self.read_record(lock.file());
        let record = match refused {
            None => LoginRecord {
                accepted: Some(SystemTime::now()),
                ..LoginRecord::default()
            },
            Some(api_error) => LoginRecord {
                refused: age_below(before.at, PAUSE).map_or(0, |_| before.refused) + 1,
                at: Some(SystemTime::now()),
                reason: shorten(&api_error.messages.join("; ")),
                ..LoginRecord::default()
            },
        };
        let record = LoginRecord {
            credentials: self.credentials,
            ..record
        };
        let _ = write(lock.file(), &record); // the login is worth more than its note
    }
}

/// Returns whether the server counts this refusal. It does not count those of a missing mount, nor
/// those of an address for which the credentials are not valid.
fn counts_for_lockout(api_error: &ApiError) -> bool {
    let is_about_address = |text: &String| text.contains("CIDR");
    !is_bare_denial(api_error) && !api_error.messages.iter().any(is_about_address)
}

/// Returns the noted refusal as an error.
fn repeat_refusal(record: &LoginRecord, age: Duration, path: &str, address: &Address) -> Error {
    let minutes = |time: Duration| time.as_secs().div_ceil(60);
    let again = minutes(PAUSE.saturating_sub(age));
    let message = format!(
        "{} ({} times, the last {} min ago; the same credentials are not tried again for {again} min, \
         because five refused logins lock the role)",
        record.reason,
        record.refused,
        age.as_secs() / 60
    );
    Error::LoginRefused {
        path: path.to_owned(),
        api_error: ApiError {
            address: address.clone(),
            messages: vec![message],
        },
    }
}

fn digest(credentials: &AppRoleCredentials) -> String {
    let mut context = Context::new(&SHA256);
    for half in [&credentials.role_id, &credentials.secret_id] {
        context.update(half.expose_secret().as_bytes());
        context.update(b"\n");
    }
    BASE64_STANDARD.encode(context.finish())
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}

fn lock(file: File, timeout: Duration) -> Option<Lock> {
    Lock::wait_until(file, LockKind::Exclusive, Instant::now() + timeout).ok()?
}

fn read(mut file: &File) -> Option<LoginRecord> {
    file.rewind().ok()?;
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Writes in place, because this very file is locked. A note that was cut off is ignored.
fn write(mut file: &File, record: &LoginRecord) -> io::Result<()> {
    let text = serde_json::to_vec(record)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)
}

#[cfg(test)]
#[path = "login_limiter_tests.rs"]
mod tests;
