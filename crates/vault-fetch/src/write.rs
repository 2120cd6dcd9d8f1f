//! Puts a version's files in place, and keeps a copy of what OpenBao gave.

use cli::warn;
use delivery::{Age, Copy, Error, Files, Kept, Standing, Workplace, directory};
use openbao::kv;

use crate::job::{Attempt, Job, when};

impl Job {
    /// Writes what OpenBao gave.
    pub(crate) fn write(&self, secret: &kv::Secret) -> Result<Attempt, Error> {
        let files = self.files_of_given(secret)?;
        let Some(locked) = self.put(&self.given(secret), &files)? else {
            return Ok(Attempt::Overtaken);
        };
        // while a version is on trial, the copy is the one that services are known to come up with
        if !locked.is_on_trial(secret.metadata.version) && self.keep(secret) {
            self.forget_rejection_before(secret.metadata.version);
        }
        Ok(Attempt::Done)
    }

    /// Keeps a copy where one is wanted; whether there is nothing left to do.
    fn keep(&self, secret: &kv::Secret) -> bool {
        let name = &self.arguments.secret;
        match self.cache.as_ref().map(|cache| cache.keep(secret)) {
            None | Some(Ok(Kept::AsAsked)) => true,
            Some(Ok(Kept::Unsealed(cause))) => {
                warn(format_args!(
                    "`{name}` was written, and its copy is kept unsealed: {cause}"
                ));
                true
            }
            Some(Err(error)) => {
                warn(format_args!(
                    "`{name}` was written, but no copy could be kept for the day OpenBao is down: {error}"
                ));
                false
            }
        }
    }

    /// Writes the copy in place of what OpenBao did not give.
    pub(crate) fn fall_back(
        &self,
        cause: &openbao::Error,
        version: &Standing,
        files: &Files,
        age: Age,
    ) -> Result<Attempt, Error> {
        if self.put(version, files)?.is_none() {
            // another run has what OpenBao gave, which is better than a copy; or has found the secret gone
            let is_there = self.arguments.output.is_dir();
            return Ok(if is_there {
                Attempt::Done
            } else {
                Attempt::Overtaken
            });
        }
        let version = version.version;
        let (name, when) = (&self.arguments.secret, when(age));
        warn(format_args!(
            "{cause}; `{name}` comes from the cache: version {version}, confirmed {when}"
        ));
        Ok(Attempt::Done)
    }

    /// The files that the version becomes which OpenBao gave.
    pub(crate) fn files_of_given(&self, secret: &kv::Secret) -> Result<Files, Error> {
        let (mount, path) = (&self.arguments.kv_mount, &self.arguments.secret);
        self.contents
            .files_of(mount.as_str(), path.as_str(), secret)
    }

    /// The files that the copy becomes; nothing, with a warning, where it is no good.
    pub(crate) fn files_of(&self, copy: Copy) -> Option<Files> {
        let refuse =
            |reason: String| warn(format_args!("the cached copy cannot be used: {reason}"));
        let values = match copy.values() {
            Ok(values) => values,
            Err(cause) => {
                refuse(format!(
                    "it is sealed, and {cause}; it opens only on the machine that sealed it, with the \
                     same TPM and `/var/lib/systemd/credential.secret`"
                ));
                return None;
            }
        };
        let files = self.contents.files(self.arguments.secret.as_str(), &values);
        files.map_err(|error| refuse(error.to_string())).ok()
    }

    /// Puts a version's files in place and gives the lock under which that was done; `None` where
    /// another run has changed what is there since this one asked.
    pub(crate) fn put(
        &self,
        version: &Standing,
        files: &Files,
    ) -> Result<Option<Workplace>, Error> {
        let workplace = Workplace::open(&self.arguments.output)?;
        if workplace.was_overtaken(version, &self.seen) {
            return Ok(None);
        }
        directory::publish(&workplace, files, self.ownership)?;
        workplace.note(version)?;
        Ok(Some(workplace))
    }
}
