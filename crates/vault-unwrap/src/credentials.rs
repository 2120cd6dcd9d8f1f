//! The folder that holds `role-id` and `secret-id`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use cli::warn;
use openbao::AppRoleCredentials;
use ring::digest::{SHA256, digest};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use secrecy::{ExposeSecret, SecretString};
use secure_fs::{Guard, insist, overwrite_or_move, read_bounded, reserve};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Error;

/// The folder. While a pair is on its way to its two files it stands whole in `unwrapped.json`: the
/// token that gave it is used up, so a power cut between the two files must not lose one of them.
///
/// It is open: nobody can lead this program to another one between two of its steps.
pub(crate) struct Folder {
    opened: secure_fs::Folder,
}

/// Keeps other runs from the folder until it is dropped.
pub(crate) struct Lock {
    _folder: File,
}

/// How long to wait before another look at whether the lock is free.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The room that is reserved for each file: more than any pair takes.
const ROOM: usize = 4096;
/// Longer than any file in the folder.
const LONGEST: u64 = 64 << 10;

/// The pair while it is on its way to its two files.
const JOURNAL: &str = "unwrapped.json";
const ROLE_ID: &str = "role-id";
const SECRET_ID: &str = "secret-id";
/// The fingerprint of the token that this host used last, or tried to.
const TRIED: &str = "tried-token";

/// The two halves as OpenBao hands them out.
#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) role_id: SecretString,
    pub(crate) secret_id: SecretString,
}

impl Pair {
    /// Whether each half is one word, as every id of OpenBao's is.
    pub(crate) fn is_plausible(&self) -> bool {
        [&self.role_id, &self.secret_id].into_iter().all(|id| {
            let id = id.expose_secret();
            !id.is_empty() && id.chars().all(|letter| letter.is_ascii_graphic())
        })
    }
}

impl From<Pair> for AppRoleCredentials {
    fn from(pair: Pair) -> Self {
        Self {
            role_id: pair.role_id,
            secret_id: pair.secret_id,
        }
    }
}

impl Folder {
    /// Opens the folder at `path`; `None` where there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        match secure_fs::Folder::open(path, Guard::Strict) {
            Ok(opened) => Ok(Some(Self { opened })),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the folder with mode 0700; one that is there is closed to others.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Error> {
        let opened = secure_fs::Folder::make(path, Guard::Strict, 0o755, 0o700)?;
        opened.set_mode(0o700)?;
        Ok(Self { opened })
    }

    /// Reserves the room that the credentials will take, before the token is used up: nothing else can
    /// have it then.
    pub(crate) fn reserve(&self) -> Result<(), Error> {
        self.opened.set_mode(0o700)?; // whoever made it
        let reserved = [JOURNAL, ROLE_ID, SECRET_ID]
            .into_iter()
            .try_for_each(|name| reserve(&self.draft(name), ROOM));
        reserved.map_err(|cause| {
            self.release(); // the first error is the one to report
            Error::io("write to", self.path(), cause)
        })
    }

    /// Gives back what was reserved.
    pub(crate) fn release(&self) {
        for name in [JOURNAL, ROLE_ID, SECRET_ID, TRIED] {
            let _ = fs::remove_file(self.draft(name));
        }
    }

    /// Waits until no other run is at work on the folder, and lets none begin before the lock is dropped.
    pub(crate) fn lock(&self, deadline: Instant) -> Result<Lock, Error> {
        let folder = self.opened.file()?;
        loop {
            match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _folder: folder }),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(LOCK_PAUSE),
                Err(cause) => return Err(Error::io("lock", self.path(), cause)),
            }
        }
    }

    /// The credentials that are there, after finishing what an interrupted run began.
    pub(crate) fn existing(&self) -> Result<Option<AppRoleCredentials>, Error> {
        if let Some(pair) = self.interrupted()? {
            self.put_down(&pair)
                .map_err(|cause| Error::io("write to", self.path(), cause))?;
        }
        let both = [self.read(ROLE_ID)?, self.read(SECRET_ID)?];
        Ok(match both {
            [Some(role_id), Some(secret_id)] => Some(AppRoleCredentials { role_id, secret_id }),
            _ => None,
        })
    }

    /// Whether this host used `token` before, or tried to.
    pub(crate) fn tried(&self, token: &SecretString) -> Result<bool, Error> {
        let noted = self.read(TRIED)?;
        Ok(noted.is_some_and(|noted| noted.expose_secret() == fingerprint(token)))
    }

    /// Notes that `token` is about to be used up: if nothing comes of it, nobody else is to blame.
    pub(crate) fn note_try(&self, token: &SecretString) -> Result<(), Error> {
        self.write(TRIED, fingerprint(token).as_bytes())
            .map_err(|cause| Error::io("write to", self.path(), cause))
    }

    /// Takes the note back: the token had been used up before.
    pub(crate) fn forget_try(&self) -> Result<(), Error> {
        fs::remove_file(self.opened.within(TRIED))
            .map_err(|cause| Error::io("remove", &self.path().join(TRIED), cause))
    }

    /// Writes both files, each whole or not at all. The token is used up: where the disk refuses them,
    /// they are kept in memory until it takes them.
    pub(crate) fn store(&self, pair: &AppRoleCredentials) {
        #[derive(Serialize)]
        struct Text<'a> {
            role_id: &'a str,
            secret_id: &'a str,
        }
        let text = Text {
            role_id: pair.role_id.expose_secret(),
            secret_id: pair.secret_id.expose_secret(),
        };
        let text = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
        let attempt = || {
            self.write(JOURNAL, &text)?;
            self.flush()?;
            self.put_down(pair)
        };
        insist(attempt, |cause| self.report_unwritten(cause));
    }

    fn report_unwritten(&self, cause: &io::Error) {
        let path = self.path().display();
        warn(format_args!(
            "the wrapping token is used up, and `{path}` does not take the credentials: {cause}; process {} keeps \
             them in memory and tries again until it does\n\nhint: make room there (`df -h {path}`); do not end \
             this process or the machine before that",
            process::id()
        ));
    }

    fn put_down(&self, pair: &AppRoleCredentials) -> io::Result<()> {
        self.write(ROLE_ID, pair.role_id.expose_secret().as_bytes())?;
        self.write(SECRET_ID, pair.secret_id.expose_secret().as_bytes())?;
        self.flush()?;
        fs::remove_file(self.opened.within(JOURNAL))
    }

    fn interrupted(&self) -> Result<Option<AppRoleCredentials>, Error> {
        match read_bounded(&self.opened.within(JOURNAL), LONGEST).map(Zeroizing::new) {
            Ok(text) => Ok(serde_json::from_slice::<Pair>(&text)
                .ok()
                .filter(Pair::is_plausible)
                .map(Into::into)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &self.path().join(JOURNAL), cause)),
        }
    }

    fn read(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let text = secure_fs::read_text_bounded(&self.opened.within(name), LONGEST);
        match text.map(Zeroizing::new) {
            Ok(text) => Ok(Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(Into::into)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &self.path().join(name), cause)),
        }
    }

    /// Writes a file of mode 0600, whole or not at all, into the room that was reserved for it, if any;
    /// where that part of the disk is bad, elsewhere. Its content is on the disk when this returns;
    /// that it has its name is not, until [`Folder::flush`].
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.draft(name);
        overwrite_or_move(&draft, content)?;
        fs::rename(draft, self.opened.within(name))
    }

    /// What a file is called until it is whole: the same in each run, so that what a killed one left
    /// is written over. The lock keeps two from meeting there.
    fn draft(&self, name: &str) -> PathBuf {
        self.opened.within(format!(".{name}.new"))
    }

    /// Waits until the names of all files are on the disk.
    fn flush(&self) -> io::Result<()> {
        Ok(self.opened.flush()?)
    }

    fn path(&self) -> &Path {
        self.opened.path()
    }
}

/// The token's SHA-256: it tells tokens apart and is none.
fn fingerprint(token: &SecretString) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, token.expose_secret().as_bytes()))
}
