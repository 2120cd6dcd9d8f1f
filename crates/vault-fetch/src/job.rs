//! The job from end to end: ask, then write, fall back to the copy, or remove.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use cli::{Failure, warn};
use delivery::{
    Access, Age, Cache, Contents, Conversation, Copy, Deployed, Error, Failures, Found, LastAnswer,
    Logins, Ownership, Patience, Refusal, Source, Standing, Workplace, credentials, identity,
};
use openbao::{AppRoleCredentials, Settings, kv};

use crate::{Arguments, contents};

/// How often OpenBao is asked where each time another run writes another version meanwhile.
const ATTEMPTS: usize = 5;

/// Runs the program.
///
/// # Errors
/// What a person is told when the secret was not written; see [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = arguments.connection.settings(None)?;
    let secret = arguments.secret.clone();
    let has_cache = arguments.cache_dir.is_some();
    let done = contents::of(&arguments).and_then(|contents| {
        let output = arguments.output.clone();
        let job = Job::new(arguments, contents, &settings);
        let done = job.and_then(|job| job.run(&settings));
        Failures::note(&output, done.as_ref().err());
        done.map_err(|error| explain(error, has_cache, &output))
    });
    done.map_err(|failure| failure.context(format!("`{secret}` was not written")))
}

/// Without `--cache-dir`, no copy is looked for. A person who writes to `/run`, which a reboot empties, by
/// hand may not know of it.
fn explain(error: Error, has_cache: bool, output: &Path) -> Failure {
    let is_without = matches!(error, Error::NoCache { .. }) && !has_cache;
    let failure = Failure::from(error);
    let name = output.file_name().filter(|_| output.starts_with("/run"));
    let (true, Some(name)) = (is_without, name) else {
        return failure;
    };
    let folder = Path::new("/var/lib/vault/cache").join(name);
    let cache = format!(
        "`--cache-dir {}` uses the copy that is kept there, and keeps one",
        folder.display()
    );
    let hint = failure.hint_text().map(|hint| format!("{hint}; {cache}"));
    failure.hint(hint.unwrap_or(cache))
}

pub(crate) struct Job {
    pub(crate) arguments: Arguments,
    pub(crate) contents: Contents,
    pub(crate) identity: String,
    pub(crate) cache: Option<Cache>,
    pub(crate) ownership: Ownership,
    /// What the output directory held before OpenBao was asked.
    pub(crate) seen: Deployed,
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an answer that another run overtook is not written"]
pub(crate) enum Attempt {
    /// The secret is in place.
    Done,
    /// Another run has changed the output directory meanwhile. Which of the two answers is newer only
    /// OpenBao can tell, so it is asked again.
    Overtaken,
}

impl Job {
    fn new(arguments: Arguments, contents: Contents, settings: &Settings) -> Result<Self, Error> {
        let identity = identity(
            settings.namespace.as_deref(),
            arguments.kv_mount.as_str(),
            arguments.secret.as_str(),
        );
        let cache = arguments.cache_dir.clone().map(|folder| {
            let mut cache = Cache::new(folder, identity.clone());
            cache.seal = arguments.seal_cache.into();
            cache.max_age = arguments.max_cache_age;
            cache
        });
        let Arguments {
            owner, group, mode, ..
        } = &arguments;
        let ownership = Ownership::look_up(owner.as_deref(), group.as_deref(), *mode)?;
        Ok(Self {
            arguments,
            contents,
            identity,
            cache,
            ownership,
            seen: Deployed::default(),
        })
    }

    fn run(mut self, settings: &Settings) -> Result<(), Error> {
        let credentials = credentials::read(&self.arguments.approle_dir)?;
        for number in 0..ATTEMPTS {
            self.seen = Deployed::of(&self.arguments.output);
            let copy = if number == 0 { self.copy() } else { None };
            match self.attempt(settings, &credentials, copy) {
                Ok(Attempt::Overtaken) => {}
                Ok(Attempt::Done) => return Ok(()),
                // the other run has an answer that came after this one began
                Err(Error::NoCache { .. }) if number > 0 && self.arguments.output.is_dir() => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(()) // each time, another run had a newer answer
    }

    fn attempt(
        &self,
        settings: &Settings,
        credentials: &AppRoleCredentials,
        mut copy: Option<(Copy, Age)>,
    ) -> Result<Attempt, Error> {
        let mut conversation = None;
        let mut ask = |has_copy| {
            let access = self.access(settings, credentials);
            let opened = conversation.insert(access.open(self.patience(has_copy))?);
            opened.read(self.arguments.secret.as_str())
        };
        let mut answer = ask(copy.is_some());
        if let Err(Refusal::Unavailable(cause)) = &answer
            && let Some(found) = copy.take()
        {
            let (version, age) = (self.copied(&found.0), found.1);
            match self.files_of(found.0) {
                Some(files) => return self.fall_back(cause, &version, &files, age),
                None => answer = ask(false), // there is no copy after all
            }
        }
        match answer {
            Ok(secret) => {
                let attempt = self.accept(&secret, copy.map(|(copy, _)| copy))?;
                if attempt == Attempt::Done {
                    self.warn_without_leader(conversation, secret.metadata.version);
                }
                Ok(attempt)
            }
            Err(Refusal::Unavailable(cause)) => {
                self.tell_of_age();
                Err(Error::NoCache { cause })
            }
            Err(Refusal::Gone(cause)) => match self.remove() {
                Attempt::Overtaken => Ok(Attempt::Overtaken),
                Attempt::Done => Err(cause.into()),
            },
            Err(Refusal::Other(cause)) => Err(cause.into()),
        }
    }

    fn access(&self, settings: &Settings, credentials: &AppRoleCredentials) -> Access<'_> {
        Access {
            settings: settings.clone(),
            credentials: credentials.clone(),
            login: self.arguments.authentication.into(),
            kv_mount: self.arguments.kv_mount.as_str(),
            approle_mount: self.arguments.approle_mount.as_str(),
            last_answer: LastAnswer::beside(&self.arguments.output),
            logins: Logins::beside(&self.arguments.output),
        }
    }

    fn patience(&self, has_copy: bool) -> Patience {
        let Arguments {
            deadline,
            cached_deadline,
            ..
        } = &self.arguments;
        let deadline = if has_copy {
            *cached_deadline.min(deadline)
        } else {
            *deadline
        };
        Patience { deadline, has_copy }
    }

    /// What a standby gives that has lost its leader is the newest that it knows of.
    fn warn_without_leader(&self, conversation: Option<Conversation<'_>>, version: u64) {
        let leaderless = conversation.and_then(|mut conversation| conversation.leaderless());
        if let Some(leaderless) = leaderless {
            let name = &self.arguments.secret;
            warn(format_args!(
                "{leaderless}: there may be newer versions of `{name}` than {version}"
            ));
        }
    }

    /// The copy that may stand in for OpenBao.
    fn copy(&self) -> Option<(Copy, Age)> {
        match self.cache.as_ref()?.read() {
            Found::Copy(copy, age) => Some((copy, age)),
            Found::Nothing | Found::TooOld(_) => None,
            Found::Unusable(reason) | Found::OfAnother(reason) => {
                warn(format_args!("the cached copy cannot be used: {reason}"));
                None
            }
        }
    }

    /// That a copy is too old is told only where it would have been needed.
    fn tell_of_age(&self) {
        let found = self.cache.as_ref().map(Cache::read);
        if let (Some(Found::TooOld(age)), Some(most)) = (found, self.arguments.max_cache_age) {
            warn(format_args!(
                "the cached copy is not used: OpenBao confirmed it {}, and `--max-cache-age` is {}",
                when(age),
                humantime::format_duration(most)
            ));
        }
    }

    fn accept(&self, secret: &kv::Secret, copy: Option<Copy>) -> Result<Attempt, Error> {
        match self.rejection_of(&secret.metadata) {
            Some(rejection) => self.write_another(secret, &rejection, copy),
            None => self.write(secret),
        }
    }

    /// The note of the copy's version.
    pub(crate) fn copied(&self, copy: &Copy) -> Standing {
        let (version, created) = (copy.version, &copy.created_time);
        Standing::now(&self.identity, version, created, Source::Cache)
    }

    /// The note of what OpenBao gave.
    pub(crate) fn given(&self, secret: &kv::Secret) -> Standing {
        let kv::VersionMetadata {
            version,
            created_time,
            ..
        } = &secret.metadata;
        Standing::now(&self.identity, *version, created_time, Source::OpenBao)
    }

    /// Where notes on the secret are kept: with the copy, or beside the directory.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let cache = self.arguments.cache_dir.clone();
        cache.or_else(|| Workplace::folder_of(&self.arguments.output))
    }
}

/// When OpenBao confirmed a copy of this age.
pub(crate) fn when(age: Age) -> String {
    age.map_or_else(
        || "at an unknown time (it is dated in the future: the clock was or is wrong)".to_owned(),
        |age| format!("{} ago", in_words(age)),
    )
}

/// A time that passed, in whole seconds.
pub(crate) fn in_words(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}
