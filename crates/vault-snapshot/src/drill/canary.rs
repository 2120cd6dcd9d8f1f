//! Reading, from what was restored, the secret that was written before.

use std::path::Path;

use cli::Failure;
use openbao::{AppRoleCredentials, Authentication, Client, approle, kv};

use crate::{digest, metadata::Canary};

/// Who may read it. The login is restored with everything else, and so it is tried, too.
pub(crate) struct Reader {
    mount: String,
    credentials: AppRoleCredentials,
}

impl Reader {
    /// Reads the credentials.
    ///
    /// # Errors
    /// Files that are missing or hold none.
    pub(crate) fn new(folder: &Path, mount: &str) -> Result<Self, Failure> {
        let credentials = delivery::credentials::read(folder).map_err(|cause| {
            Failure::usage(cause)
                .hint("an AppRole that may read the canary: `--approle-dir`; or `--without-canary`")
        })?;
        Ok(Self {
            mount: mount.trim_matches('/').to_owned(),
            credentials,
        })
    }

    /// Logs in, reads it, and compares it; gives when it was written.
    ///
    /// # Errors
    /// A login that is refused, a secret that is not there, or another one than was written.
    pub(crate) fn read(&self, client: &mut Client, canary: &Canary) -> Result<String, Failure> {
        let failed = |error: openbao::Error, hint: &str| {
            Failure::from(error)
                .context("restored and unsealed, but its canary was not read")
                .hint(hint)
        };
        let token = approle::login(client, &self.mount, &self.credentials).map_err(|error| {
            failed(error, "does the role exist since before the snapshot was taken, and may it log in from 127.0.0.1?")
        })?;
        client.authenticate(Authentication::Token(token));
        let secret = kv::read(client, &canary.mount, &canary.path).map_err(|error| {
            let hint = format!(
                "the role's policy must allow `read` on `{}/data/{}`",
                canary.mount, canary.path
            );
            failed(error, &hint)
        })?;
        // a canary without keys is another one than was written
        let values = secret.values.unwrap_or_default();
        let value = |key: &str| values.get(key).map(openbao::SecretValue::to_bytes);
        let found = value("value").map(|value| digest::sha256(&value));
        if found.as_ref() != Some(&canary.sha256) {
            return Err(Failure::failed(
                "the canary that was restored is another one than was written before the snapshot",
            ));
        }
        let written = value("written_at");
        let written = written.map(|time| String::from_utf8_lossy(&time).into_owned());
        Ok(written.unwrap_or_default())
    }
}
