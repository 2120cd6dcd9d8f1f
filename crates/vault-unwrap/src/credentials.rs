//! The folder that holds `role-id` and `secret-id`.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use openbao::AppRoleCredentials;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Error;

/// The folder. While a pair is on its way to its two files it stands whole in `unwrapped.json`: the
/// token that gave it is used up, so a power cut between the two files must not lose one of them.
pub(crate) struct Folder {
    path: PathBuf,
}

/// The two halves as OpenBao hands them out.
#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) role_id: SecretString,
    pub(crate) secret_id: SecretString,
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
    /// Makes the folder with mode 0700, and sees that it can be written to: that must not turn out
    /// when the token is used up.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Error> {
        let make = |cause| Error::io("make", path, cause);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(make)?;
        match DirBuilder::new().mode(0o700).create(path) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(make(cause)),
            _ => {}
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(make)?;
        let mut probe = tempfile::NamedTempFile::new_in(path)
            .map_err(|cause| Error::io("write to", path, cause))?;
        probe
            .write_all(&[0; 4096])
            .map_err(|cause| Error::io("write to", path, cause))?;
        Ok(Self {
            path: path.to_owned(),
        })
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
            Ok(text) => Ok(serde_json::from_slice::<Pair>(&text).ok().map(Into::into)),
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
        let path = self.path.join(name);
        let written = tempfile::NamedTempFile::new_in(&self.path).and_then(|mut file| {
            file.write_all(content)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        });
        written.map_err(|cause| Error::io("write", &path, cause))
    }

    /// Waits until the names of all files are on the disk.
    fn flush(&self) -> Result<(), Error> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(|cause| Error::io("write to", &self.path, cause))
    }
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
