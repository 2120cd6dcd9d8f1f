//! A note of how logins with this host's credentials went, which keeps the host from being locked out.
//!
//! A server locks a role after five refused logins, each less than 15 minutes after the one before. Each
//! fetch is a process of its own, and a host with refused credentials starts many of them. So refusals are
//! counted beside the output directories (`/run/secrets/.vault-logins`), by the digest of the credentials:
//! after two the server is not asked again with the same ones for 16 minutes. Until one login has been
//! accepted, the processes take turns, so that fifty that start at once are not refused fifty times.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use openbao::{AppRoleCredentials, Client, Error, Refusal};
use ring::digest::{Context, SHA256};
use rustix::{
    fs::{FlockOperation, OFlags, flock},
    process::geteuid,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::{
    error::says_denied,
    workplace::{make_shared, parent_of},
};

/// How many refused logins in a row a host may cause. OpenBao locks a role after five, and vault-unwrap or
/// a person may try, too.
const MOST: u32 = 2;
/// OpenBao begins to count anew 15 minutes after the last refused login.
const PAUSE: Duration = Duration::from_secs(16 * 60);
/// Logins that were accepted a moment ago are not made one after the other.
const TRUSTED: Duration = Duration::from_secs(60);
/// How long a process waits before another look at whether its turn has come.
const LOOK: Duration = Duration::from_millis(3);
/// The longest note that is read, and the longest refusal that is kept.
const LARGEST: u64 = 4 << 10;
const LONGEST_REASON: usize = 300;

/// The place of the note.
#[derive(Clone, Debug)]
pub struct Logins {
    path: PathBuf,
}

/// What is noted.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Noted {
    /// The digest of the credentials that this is about.
    credentials: String,
    /// When a login was accepted last.
    #[serde(default)]
    accepted: Option<SystemTime>,
    /// How many were refused since.
    #[serde(default)]
    refused: u32,
    /// When the last one was.
    #[serde(default)]
    at: Option<SystemTime>,
    /// What the server said then.
    #[serde(default)]
    reason: String,
}

impl Noted {
    fn is_trusted(&self) -> bool {
        within(self.accepted, TRUSTED).is_some()
    }

    /// How long ago the last refusal was, where the server must not be asked again yet.
    fn held_for(&self) -> Option<Duration> {
        within(self.at, PAUSE).filter(|_| self.refused >= MOST)
    }
}

/// The time since `moment`, where it is less than `most`; a clock that was set back makes it unknown.
fn within(moment: Option<SystemTime>, most: Duration) -> Option<Duration> {
    let age = moment?.elapsed().ok()?;
    (age < most).then_some(age)
}

/// A login that may be tried now. Others wait until it is dropped, where nobody knows yet whether these
/// credentials are good.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    logins: Option<Logins>,
    credentials: String,
    file: Option<File>,
}

impl Logins {
    /// The note for all secrets whose directories stand beside `output`; none for `/` and the like.
    pub fn beside(output: &Path) -> Option<Self> {
        output.file_name()?;
        let path = output.with_file_name(".vault-logins");
        Some(Self { path })
    }

    /// Waits for the turn of this process, for `patience` at most.
    ///
    /// # Errors
    /// [`Error::LoginRefused`] where these credentials were refused too often.
    pub(crate) fn begin(
        &self,
        credentials: &AppRoleCredentials,
        path: &str,
        address: &openbao::Address,
        patience: Duration,
    ) -> Result<Turn, Error> {
        let mut turn = Turn {
            logins: Some(self.clone()),
            credentials: digest(credentials),
            file: None,
        };
        let Some(mut file) = self.open() else {
            return Ok(turn); // without a note, logins are not limited
        };
        if turn.noted(&mut file).is_trusted() {
            return Ok(turn);
        }
        turn.file = lock(&file, patience).then_some(file);
        let Some(mut file) = turn.file.take() else {
            return Ok(turn);
        };
        let noted = turn.noted(&mut file);
        if let Some(age) = noted.held_for() {
            return Err(held(&noted, age, path, address));
        }
        // where they are trusted by now, the next one need not wait
        turn.file = (!noted.is_trusted()).then_some(file);
        Ok(turn)
    }

    /// Carries out one login, unless these credentials were refused too often.
    ///
    /// # Errors
    /// What `login` gives, and [`Error::LoginRefused`] in its place.
    pub fn limit<T>(
        &self,
        credentials: &AppRoleCredentials,
        mount: &str,
        client: &Client,
        patience: Duration,
        login: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let path = format!("auth/{mount}/login");
        let turn = self.begin(credentials, &path, client.address(), patience)?;
        let outcome = login();
        turn.end(&outcome);
        outcome
    }

    fn open(&self) -> Option<File> {
        let folder = make_shared(parent_of(&self.path)).ok()?;
        let no_surprise = OFlags::NOFOLLOW | OFlags::NONBLOCK; // no link, and no pipe to wait for
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_surprise.bits().cast_signed())
            .open(folder.within(self.path.file_name()?))
            .ok()?;
        let about = file.metadata().ok()?;
        let is_ours = about.uid() == geteuid().as_raw() && about.mode() & 0o022 == 0;
        (about.is_file() && is_ours).then_some(file)
    }
}

impl Turn {
    fn noted(&self, file: &mut File) -> Noted {
        let noted = read(file).filter(|noted| noted.credentials == self.credentials);
        noted.unwrap_or_default()
    }

    /// Notes how the login went, and gives the turn to the next.
    pub(crate) fn end<T>(mut self, outcome: &Result<T, Error>) {
        let refused = match outcome {
            Err(Error::LoginRefused { refusal, .. }) if leads_to_a_lock(refusal) => Some(refusal),
            Err(Error::LoginRefused { .. } | Error::Unavailable { .. }) => return,
            // nobody has logged in
            Err(Error::Denied { refusal, .. }) if says_denied(refusal) => return,
            _ => None,
        };
        let file = match (self.file.take(), refused) {
            (Some(file), _) => Some(file),
            (None, None) => None, // accepted a moment ago
            (None, Some(_)) => self.logins.as_ref().and_then(Logins::open),
        };
        let Some(mut file) = file else { return };
        if !lock(&file, Duration::from_millis(100)) {
            return;
        }
        let before = self.noted(&mut file);
        let noted = match refused {
            None => Noted {
                accepted: Some(SystemTime::now()),
                ..Noted::default()
            },
            Some(refusal) => Noted {
                refused: within(before.at, PAUSE).map_or(0, |_| before.refused) + 1,
                at: Some(SystemTime::now()),
                reason: shortened(&refusal.messages.join("; ")),
                ..Noted::default()
            },
        };
        let credentials = self.credentials;
        let _ = write(
            &mut file,
            &Noted {
                credentials,
                ..noted
            },
        ); // the login is worth more than its note
    }
}

/// Whether this refusal is one of those that a server counts: not one of a mount that is not there, nor of
/// an address that the credentials are not for.
fn leads_to_a_lock(refusal: &Refusal) -> bool {
    let for_another_address = |text: &String| text.contains("CIDR");
    !says_denied(refusal) && !refusal.messages.iter().any(for_another_address)
}

/// The refusal of before, told again.
fn held(noted: &Noted, age: Duration, path: &str, address: &openbao::Address) -> Error {
    let minutes = |time: Duration| time.as_secs().div_ceil(60);
    let again = minutes(PAUSE.saturating_sub(age));
    let told = format!(
        "{} ({} times, the last {} min ago; the same credentials are not tried again for {again} min, \
         because five refused logins lock the role)",
        noted.reason,
        noted.refused,
        age.as_secs() / 60
    );
    Error::LoginRefused {
        path: path.to_owned(),
        refusal: Refusal {
            address: address.clone(),
            messages: vec![told],
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

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}

fn lock(file: &File, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while flock(file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(LOOK);
    }
    true
}

fn read(file: &mut File) -> Option<Noted> {
    file.rewind().ok()?;
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Writes in place: the lock is on this very file. A note that was cut off counts as none.
fn write(file: &mut File, noted: &Noted) -> std::io::Result<()> {
    let text = serde_json::to_vec(noted)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn credentials(secret_id: &str) -> AppRoleCredentials {
        AppRoleCredentials {
            role_id: "role".into(),
            secret_id: secret_id.into(),
        }
    }

    fn address() -> openbao::Address {
        "http://127.0.0.1:1".parse().unwrap()
    }

    fn refusal(text: &str) -> Error {
        Error::LoginRefused {
            path: "auth/approle/login".to_owned(),
            refusal: Refusal {
                address: address(),
                messages: vec![text.to_owned()],
            },
        }
    }

    /// One login that ends so; whether the server was asked.
    fn log_in(logins: &Logins, secret_id: &str, outcome: &Result<(), Error>) -> bool {
        let turn = logins.begin(&credentials(secret_id), "p", &address(), Duration::ZERO);
        turn.map(|turn| turn.end(outcome)).is_ok()
    }

    #[test]
    fn two_refusals_hold_these_credentials_back_and_no_others() {
        let folder = testkit::scratch_dir();
        let logins = Logins::beside(&folder.join("db")).unwrap();
        let refused = || Err(refusal("invalid role or secret ID"));
        let asked = [(); 4].map(|()| log_in(&logins, "old", &refused()));
        assert_eq!(asked, [true, true, false, false]);
        assert!(log_in(&logins, "new", &refused()));
        assert!(log_in(&logins, "new", &Ok(())));
        let asked = [(); 3].map(|()| log_in(&logins, "new", &refused()));
        assert_eq!(
            asked,
            [true, true, false],
            "a good login begins the count anew"
        );
    }

    #[test]
    fn the_pause_ends_and_a_clock_that_was_set_back_makes_none() {
        let folder = testkit::scratch_dir();
        let logins = Logins::beside(&folder.join("db")).unwrap();
        let now = SystemTime::now();
        for (at, asked) in [
            (now, false),
            (now - PAUSE, true),
            (now + Duration::from_secs(60), true),
        ] {
            let noted = Noted {
                credentials: digest(&credentials("a")),
                refused: MOST,
                at: Some(at),
                ..Noted::default()
            };
            write(&mut logins.open().unwrap(), &noted).unwrap();
            assert_eq!(
                log_in(&logins, "a", &Err(refusal("permission denied"))),
                asked
            );
        }
    }

    #[test]
    fn what_locks_nobody_is_not_counted() {
        let folder = testkit::scratch_dir();
        let logins = Logins::beside(&folder.join("db")).unwrap();
        let unauthorized = "source address \"::1\" unauthorized by CIDR restrictions on the role";
        for text in ["permission denied", unauthorized] {
            let asked = [(); 4].map(|()| log_in(&logins, "a", &Err(refusal(text))));
            assert_eq!(asked, [true; 4]);
        }
    }

    #[test]
    fn damaged_notes_and_those_of_others_count_as_none() {
        let folder = testkit::scratch_dir();
        let logins = Logins::beside(&folder.join("db")).unwrap();
        for damaged in [&b""[..], b"\xff", b"{}", b"{\"refused\":-1}", &[b'1'; 9000]] {
            fs::write(&logins.path, damaged).unwrap();
            assert!(log_in(&logins, "a", &Ok(())));
            fs::remove_file(&logins.path).unwrap();
        }
        assert!(log_in(&logins, "a", &Ok(())));
        let mode = || fs::metadata(&logins.path).unwrap().permissions().mode();
        assert_eq!(mode() & 0o777, 0o600);
        fs::set_permissions(&logins.path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(logins.open().is_none());
    }
}
