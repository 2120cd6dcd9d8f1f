//! A version that this host's services did not come up with is not put in place again.

use std::{fmt, time::SystemTime};

use cli::warn;
use delivery::{Copy, Error, Rejection, Workplace};
use openbao::kv::{Secret, VersionMetadata};

use crate::job::{Attempt, Job, in_words};

impl Job {
    /// The note that this version was rejected here.
    pub(crate) fn rejection_of(&self, version: &VersionMetadata) -> Option<Rejection> {
        let rejection = Rejection::read(&self.home()?)?;
        rejection.is_of(version).then_some(rejection)
    }

    /// A version newer than the rejected one is kept now.
    pub(crate) fn forget_rejection_before(&self, version: u64) {
        let Some(home) = self.home() else { return };
        if Rejection::read(&home).is_some_and(|rejection| rejection.version < version) {
            let _ = Rejection::forget(&home); // it is of no version that comes again
        }
    }

    /// Another version than `rejected`, which was rejected: the copy's, or the one that stands in
    /// place. Where there is neither, a service may still do better with it than with nothing.
    pub(crate) fn write_another(
        &self,
        rejected: &Secret,
        rejection: &Rejection,
        copy: Option<Copy>,
    ) -> Result<Attempt, Error> {
        let standing = self
            .standing()?
            .filter(|version| *version != rejection.version);
        let copy =
            copy.filter(|copy| !copy.is_of(&rejected.metadata) && Some(copy.version) >= standing);
        if let Some((version, attempt)) = copy.and_then(|copy| self.put_copy(copy)).transpose()? {
            if attempt == Attempt::Overtaken {
                return Ok(attempt);
            }
            self.tell(
                rejection,
                format_args!("version {version} comes from the cache"),
            );
        } else if let Some(version) = standing {
            self.tell(rejection, format_args!("version {version} stays in place"));
        } else {
            let files = self.files_of_given(rejected)?;
            if self.put(&self.given(rejected), &files)?.is_none() {
                return Ok(Attempt::Overtaken);
            }
            self.tell(
                rejection,
                format_args!("it is written all the same, for there is no other"),
            );
        }
        Ok(Attempt::Done)
    }

    /// Puts the copy in place and gives its version; nothing, with a warning, where it is no good.
    fn put_copy(&self, copy: Copy) -> Option<Result<(u64, Attempt), Error>> {
        let version = self.copied(&copy);
        let files = self.files_of(copy)?;
        let put = self.put(&version, &files).map(|locked| match locked {
            Some(_) => Attempt::Done,
            None => Attempt::Overtaken,
        });
        Some(put.map(|attempt| (version.version, attempt)))
    }

    /// Which version of the secret stands in the output directory.
    fn standing(&self) -> Result<Option<u64>, Error> {
        let output = &self.arguments.output;
        if !Workplace::is_there(output) {
            return Ok(None);
        }
        Ok(Workplace::open(output)?.version_of(&self.identity))
    }

    fn tell(&self, rejection: &Rejection, what_is_done: fmt::Arguments<'_>) {
        let Rejection {
            version, reason, ..
        } = rejection;
        let age = SystemTime::now().duration_since(rejection.at);
        let words: Vec<_> = reason.split_whitespace().collect();
        warn(format_args!(
            "version {version} of `{}` was rejected {} ago: {}; {what_is_done}; \
             `vault-secrets rotate {} --again` tries version {version} again",
            self.arguments.secret,
            in_words(age.unwrap_or_default()),
            words.join(" "),
            self.name()
        ));
    }

    /// What the host calls the secret: its directory has that name.
    fn name(&self) -> impl fmt::Display {
        let name = self.arguments.output.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}
