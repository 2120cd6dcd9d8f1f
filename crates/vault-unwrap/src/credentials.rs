//! The folder that holds `role-id` and `secret-id`.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use openbao::AppRoleCredentials;
use ring::digest::{SHA256, digest};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Error;

/// The folder. While a pair is on its way to its two files it stands whole in `unwrapped.json`: the
/// token that gave it is used up, so a power cut between the two files must not lose one of them.
pub(crate) struct Folder {
    path: PathBuf,
}

/// Keeps other runs from the folder until it is dropped.
pub(crate) struct Lock {
    _folder: File,
}

/// How long to wait before another look at whether the lock is free.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

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
    /// Makes the folder with mode 0700; one that is there is closed to others.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Error> {
        let make = |cause| Error::io("make", path, cause);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(make)?;
        match DirBuilder::new().mode(0o700).create(path) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(make(cause)),
            _ => {}
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(make)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Sees that the folder can be written to: that must not turn out when the token is used up.
    pub(crate) fn probe(&self) -> Result<(), Error> {
        let draft = self.draft("probe");
        let written = make_anew(&draft).and_then(|mut file| file.write_all(&[0; 4096]));
        let _ = fs::remove_file(&draft);
        written.map_err(|cause| Error::io("write to", &self.path, cause))
    }

    /// Waits until no other run is at work on the folder at `path`, and lets none begin before the
    /// lock is dropped; `None` where there is no folder yet.
    pub(crate) fn lock(path: &Path, deadline: Instant) -> Result<Option<Lock>, Error> {
        let folder = match File::open(path) {
            Ok(folder) => folder,
            Err(cause) if is_absent(&cause) => return Ok(None),
            Err(cause) => return Err(Error::io("open", path, cause)),
        };
        loop {
            match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Lock { _folder: folder })),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(LOCK_PAUSE),
                Err(cause) => return Err(Error::io("lock", path, cause)),
            }
        }
    }

    /// The credentials that are there, after finishing what an interrupted run began.
    pub(crate) fn existing(path: &Path) -> Result<Option<AppRoleCredentials>, Error> {
        let folder = Self {
            path: path.to_owned(),
        };
        if let Some(pair) = folder.interrupted()? {
            folder.put_down(&pair)?;
        }
        let both = [folder.read("role-id")?, folder.read("secret-id")?];
        Ok(match both {
            [Some(role_id), Some(secret_id)] => Some(AppRoleCredentials { role_id, secret_id }),
            _ => None,
        })
    }

    /// Whether this host used `token` before, or tried to.
    pub(crate) fn tried(&self, token: &SecretString) -> Result<bool, Error> {
        let noted = self.read("tried-token")?;
        Ok(noted.is_some_and(|noted| noted.expose_secret() == fingerprint(token)))
    }

    /// Notes that `token` is about to be used up: if nothing comes of it, nobody else is to blame.
    pub(crate) fn note_try(&self, token: &SecretString) -> Result<(), Error> {
        self.write("tried-token", fingerprint(token).as_bytes())
    }

    /// Takes the note back: the token had been used up before.
    pub(crate) fn forget_try(&self) -> Result<(), Error> {
        let path = self.path.join("tried-token");
        fs::remove_file(&path).map_err(|cause| Error::io("remove", &path, cause))
    }

    /// Writes both files, each whole or not at all.
    pub(crate) fn store(&self, pair: &AppRoleCredentials) -> Result<(), Error> {
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
        self.write("unwrapped.json", &text)?;
        self.flush()?;
        self.put_down(pair)
    }

    fn put_down(&self, pair: &AppRoleCredentials) -> Result<(), Error> {
        self.write("role-id", pair.role_id.expose_secret().as_bytes())?;
        self.write("secret-id", pair.secret_id.expose_secret().as_bytes())?;
        self.flush()?;
        let journal = self.path.join("unwrapped.json");
        fs::remove_file(&journal).map_err(|cause| Error::io("remove", &journal, cause))
    }

    fn interrupted(&self) -> Result<Option<AppRoleCredentials>, Error> {
        let path = self.path.join("unwrapped.json");
        match fs::read(&path).map(Zeroizing::new) {
            Ok(text) => Ok(serde_json::from_slice::<Pair>(&text)
                .ok()
                .filter(Pair::is_plausible)
                .map(Into::into)),
            Err(cause) if is_absent(&cause) => Ok(None),
            Err(cause) => Err(Error::io("read", &path, cause)),
        }
    }

    fn read(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let path = self.path.join(name);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => Ok(Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(Into::into)),
            Err(cause) if is_absent(&cause) => Ok(None),
            Err(cause) => Err(Error::io("read", &path, cause)),
        }
    }

    /// Writes a file of mode 0600, whole or not at all. Its content is on the disk when this returns;
    /// that it has its name is not, until [`Folder::flush`].
    fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let (path, draft) = (self.path.join(name), self.draft(name));
        let written = make_anew(&draft).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written.map_err(|cause| Error::io("write", &path, cause))
    }

    /// What a file is called until it is whole: the same in each run, so that what a killed one left
    /// is written over. The lock keeps two from meeting there.
    fn draft(&self, name: &str) -> PathBuf {
        self.path.join(format!(".{name}.new"))
    }

    /// Waits until the names of all files are on the disk.
    fn flush(&self) -> Result<(), Error> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(|cause| Error::io("write to", &self.path, cause))
    }
}

fn make_anew(path: &Path) -> io::Result<File> {
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// The token's SHA-256: it tells tokens apart and is none.
fn fingerprint(token: &SecretString) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, token.expose_secret().as_bytes()))
}

fn is_absent(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
