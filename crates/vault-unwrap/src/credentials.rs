//! The folder with `role-id` and `secret-id`.

use std::{fs, io, path::Path, process, time::Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;
use zts_cli::warn;
use zts_openbao::AppRoleCredentials;
use zts_secure_fs::{
    Folder, Guard, Lock, LockKind, read_bounded, remove_file_if_exists, retry_until_success,
};

use crate::failure::Error;

/// The open folder. Both ids are first written to one file, `unwrapped.json`, so that a power cut
/// between the two files loses none of them: the token cannot be used again.
pub(crate) struct CredentialsFolder {
    folder: Folder,
}

/// The space that is reserved for each file, in bytes.
const RESERVED_SIZE: usize = 4096;
/// The limit for the size of a file in the folder, in bytes.
const MAX_FILE_SIZE: u64 = 64 << 10;

/// The file with both ids, until each has its own file.
const JOURNAL: &str = "unwrapped.json";
const ROLE_ID: &str = "role-id";
const SECRET_ID: &str = "secret-id";
/// The file with the fingerprint of the token that this host used last, or tried to use.
const TRIED: &str = "tried-token";

/// The content of the wrapping token.
#[derive(Deserialize)]
pub(crate) struct WrappedCredentials {
    pub(crate) role_id: SecretString,
    pub(crate) secret_id: SecretString,
}

impl WrappedCredentials {
    /// Returns whether each id is one word, as OpenBao's are.
    pub(crate) fn is_plausible(&self) -> bool {
        [&self.role_id, &self.secret_id].into_iter().all(|id| {
            let id = id.expose_secret();
            !id.is_empty() && id.chars().all(|letter| letter.is_ascii_graphic())
        })
    }
}

impl From<WrappedCredentials> for AppRoleCredentials {
    fn from(wrapped: WrappedCredentials) -> Self {
        Self {
            role_id: wrapped.role_id,
            secret_id: wrapped.secret_id,
        }
    }
}

impl CredentialsFolder {
    /// Opens the folder; `None` if it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        match Folder::open(path, Guard::Strict) {
            Ok(folder) => Ok(Some(Self { folder })),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the folder with the mode 0700. Creates it where it is missing.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let folder = Folder::create(path, Guard::Strict, 0o755, 0o700)?;
        folder.set_mode(0o700)?;
        Ok(Self { folder })
    }

    /// Reserves space for the credentials, before the token is used.
    pub(crate) fn reserve_space(&self) -> Result<(), Error> {
        self.folder.set_mode(0o700)?; // another program may have created it
        let reserved = [JOURNAL, ROLE_ID, SECRET_ID]
            .into_iter()
            .try_for_each(|name| self.folder.reserve_draft(draft_name(name), RESERVED_SIZE));
        reserved.map_err(|cause| {
            self.release_space(); // the first error is the one to report
            Error::io("write to", self.path(), cause)
        })
    }

    /// Releases the reserved space.
    pub(crate) fn release_space(&self) {
        for name in [JOURNAL, ROLE_ID, SECRET_ID, TRIED] {
            let _ = remove_file_if_exists(&self.folder.within(draft_name(name)));
        }
    }

    /// Waits for the exclusive lock on the folder.
    pub(crate) fn lock(&self, deadline: Instant) -> Result<Lock, Error> {
        let folder = self.folder.reopen()?;
        let held = || io::Error::new(io::ErrorKind::WouldBlock, "another process holds the lock");
        Lock::wait_until(folder, LockKind::Exclusive, deadline)
            .and_then(|lock| lock.ok_or_else(held))
            .map_err(|cause| Error::io("lock", self.path(), cause))
    }

    /// Reads the credentials, after it has finished the writes of an interrupted run.
    pub(crate) fn read_credentials(&self) -> Result<Option<AppRoleCredentials>, Error> {
        if let Some(credentials) = self.read_journal()? {
            self.write_ids(&credentials)
                .map_err(|cause| Error::io("write to", self.path(), cause))?;
        }
        let both = [self.read(ROLE_ID)?, self.read(SECRET_ID)?];
        Ok(match both {
            [Some(role_id), Some(secret_id)] => Some(AppRoleCredentials { role_id, secret_id }),
            _ => None,
        })
    }

    /// Returns whether this host used `token` before, or tried to use it.
    pub(crate) fn was_tried(&self, token: &SecretString) -> Result<bool, Error> {
        let tried = self.read(TRIED)?;
        Ok(tried.is_some_and(|tried| tried.expose_secret() == fingerprint(token)))
    }

    /// Notes that `token` is about to be used: a later refusal is then no sign of an interception.
    pub(crate) fn record_try(&self, token: &SecretString) -> Result<(), Error> {
        self.write(TRIED, fingerprint(token).as_bytes())
            .map_err(|cause| Error::io("write to", self.path(), cause))
    }

    /// Removes the note, because the token had been used before.
    pub(crate) fn remove_try(&self) -> Result<(), Error> {
        fs::remove_file(self.folder.within(TRIED))
            .map_err(|cause| Error::io("remove", &self.path().join(TRIED), cause))
    }

    /// Stores both ids, each file whole. The token cannot be used again, so a failed write is
    /// retried without a limit, and the ids stay in memory until then.
    pub(crate) fn store(&self, credentials: &AppRoleCredentials) {
        #[derive(Serialize)]
        struct Text<'a> {
            role_id: &'a str,
            secret_id: &'a str,
        }
        let text = Text {
            role_id: credentials.role_id.expose_secret(),
            secret_id: credentials.secret_id.expose_secret(),
        };
        let text = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
        let attempt = || {
            self.write(JOURNAL, &text)?;
            self.flush()?;
            self.write_ids(credentials)
        };
        retry_until_success(attempt, |cause| self.report_unwritten(cause));
    }

    fn report_unwritten(&self, cause: &io::Error) {
        let path = self.path().display();
        warn(format_args!(
            "the wrapping token is used up, and the credentials cannot be written to `{path}`: {cause}; process {} \
             keeps them in memory and retries\n\nhint: free space there (`df -h {path}`); do not end this \
             process or stop the machine before that",
            process::id()
        ));
    }

    fn write_ids(&self, credentials: &AppRoleCredentials) -> io::Result<()> {
        self.write(ROLE_ID, credentials.role_id.expose_secret().as_bytes())?;
        self.write(SECRET_ID, credentials.secret_id.expose_secret().as_bytes())?;
        self.flush()?;
        fs::remove_file(self.folder.within(JOURNAL))
    }

    fn read_journal(&self) -> Result<Option<AppRoleCredentials>, Error> {
        match read_bounded(&self.folder.within(JOURNAL), MAX_FILE_SIZE).map(Zeroizing::new) {
            Ok(text) => Ok(serde_json::from_slice::<WrappedCredentials>(&text)
                .ok()
                .filter(WrappedCredentials::is_plausible)
                .map(Into::into)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &self.path().join(JOURNAL), cause)),
        }
    }

    fn read(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let text = zts_secure_fs::read_text_bounded(&self.folder.within(name), MAX_FILE_SIZE);
        match text.map(Zeroizing::new) {
            Ok(text) => Ok(Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(Into::into)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &self.path().join(name), cause)),
        }
    }

    /// Replaces a file, through the draft with the reserved space. The content is on the disk when
    /// this returns; the name is after [`Folder::flush`].
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = draft_name(name);
        self.folder.overwrite_or_replace_draft(&draft, content)?;
        self.folder.rename(&draft, name)
    }

    /// Waits until the names of all files are on the disk.
    fn flush(&self) -> io::Result<()> {
        Ok(self.folder.flush()?)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Returns the name of a file until it is complete. It is the same in each run, so the next run
/// overwrites the draft of one that was killed.
fn draft_name(name: &str) -> String {
    format!(".{name}.new")
}

/// Returns the SHA-256 digest of a token.
fn fingerprint(token: &SecretString) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, token.expose_secret().as_bytes()))
}
