//! The job from end to end: ask, write, keep a copy.

use std::time::{Duration, SystemTime};

use cli::{Failure, warn};
use delivery::{
    Cache, Contents, Copy, Error, Found, Ownership, Patience, Question, Refusal, Workplace,
    credentials, directory,
};
use openbao::{SecretMap, Settings, kv};

use crate::Arguments;

/// Runs the program.
///
/// # Errors
/// What a person is told when the secret was not written; see [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = arguments.connection.settings(None)?;
    let identity = identity(&arguments, &settings);
    let cache = arguments
        .cache_dir
        .clone()
        .map(|folder| Cache::new(folder, identity.clone()));
    let job = Job {
        arguments,
        identity,
        cache,
    };
    job.run(settings).map_err(|error| {
        Failure::from(error).context(format!("`{}` was not written", job.arguments.secret))
    })
}

/// Which secret this is, in full: two of the same path must not be confused.
fn identity(arguments: &Arguments, settings: &Settings) -> String {
    let namespace = settings
        .namespace
        .as_deref()
        .unwrap_or_default()
        .trim_matches('/');
    format!("{namespace}/{}/{}", arguments.kv_mount, arguments.secret)
}

struct Job {
    arguments: Arguments,
    identity: String,
    cache: Option<Cache>,
}

impl Job {
    fn run(&self, settings: Settings) -> Result<(), Error> {
        let Arguments {
            owner, group, mode, ..
        } = &self.arguments;
        let ownership = Ownership::look_up(owner.as_deref(), group.as_deref(), *mode)?;
        let credentials = credentials::read(&self.arguments.approle_dir)?;
        let copy = self.copy();
        let question = Question {
            settings,
            credentials,
            login: self.arguments.authentication.into(),
            kv_mount: self.arguments.kv_mount.as_str(),
            approle_mount: self.arguments.approle_mount.as_str(),
            secret: self.arguments.secret.as_str(),
        };
        let since = SystemTime::now();
        match question.ask(self.patience(copy.is_some())) {
            Ok(secret) => self.write(&secret, ownership, since),
            Err(Refusal::Unavailable(cause)) => self.fall_back(cause, copy, ownership, since),
            Err(Refusal::Gone(cause)) => {
                self.remove();
                Err(cause.into())
            }
            Err(Refusal::Other(cause)) => Err(cause.into()),
        }
    }

    /// The copy that may stand in for OpenBao.
    fn copy(&self) -> Option<(Copy, Duration)> {
        match self.cache.as_ref()?.read() {
            Found::Copy(copy, age) => Some((copy, age)),
            Found::Nothing => None,
            Found::Unusable(reason) | Found::OfAnother(reason) => {
                warn(format_args!("the cached copy cannot be used: {reason}"));
                None
            }
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

    fn write(
        &self,
        secret: &kv::Secret,
        ownership: Ownership,
        since: SystemTime,
    ) -> Result<(), Error> {
        let version = secret.metadata.version;
        let Some(_locked) = self.put(version, &secret.values, ownership, since)? else {
            return Ok(());
        };
        let name = &self.arguments.secret;
        if let Some(Err(error)) = self.cache.as_ref().map(|cache| cache.keep(secret)) {
            warn(format_args!(
                "`{name}` was written, but no copy could be kept for the day OpenBao is down: {error}"
            ));
        }
        Ok(())
    }

    fn fall_back(
        &self,
        cause: openbao::Error,
        copy: Option<(Copy, Duration)>,
        ownership: Ownership,
        since: SystemTime,
    ) -> Result<(), Error> {
        let Some((copy, age)) = copy else {
            return Err(Error::NoCache { cause });
        };
        let Copy {
            version, values, ..
        } = copy;
        if self.put(version, &values, ownership, since)?.is_none() {
            return Ok(());
        }
        let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
        let name = &self.arguments.secret;
        warn(format_args!(
            "{cause}; `{name}` comes from the cache: version {version}, confirmed {age} ago"
        ));
        Ok(())
    }

    /// Puts a version's files in place and gives the lock under which that was done; `None` where
    /// another run has put a newer version there since this one began.
    fn put(
        &self,
        version: u64,
        values: &SecretMap,
        ownership: Ownership,
        since: SystemTime,
    ) -> Result<Option<Workplace>, Error> {
        let files = Contents::default().files(self.arguments.secret.as_str(), values)?;
        let workplace = Workplace::open(&self.arguments.output)?;
        if workplace.was_overtaken(&self.identity, version, since) {
            return Ok(None);
        }
        directory::publish(&workplace, &files, ownership)?;
        workplace.note(&self.identity, version)?;
        Ok(Some(workplace))
    }

    /// A secret that is gone from the server leaves this host too. What another secret left in its
    /// place stays: a mistake in a path must not take that away.
    fn remove(&self) {
        let copy = self.cache.as_ref().map_or(Ok(()), Cache::forget);
        let output = self.clear();
        for error in [copy, output].into_iter().filter_map(Result::err) {
            warn(format_args!(
                "what is left of the secret could not be removed: {error}"
            ));
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let output = &self.arguments.output;
        if !Workplace::is_there(output) {
            return Ok(());
        }
        let workplace = Workplace::open(output)?;
        if workplace.is_of_another(&self.identity) {
            return Ok(());
        }
        workplace.clear()
    }
}
