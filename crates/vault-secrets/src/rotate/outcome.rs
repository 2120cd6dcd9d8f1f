//! How a rotation went for each secret.

use std::collections::BTreeMap;

use cli::{Failure, note, warn};
use serde::{Deserialize, Serialize};

use crate::words;

/// How it went for one secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What was done, if anything.
    pub(crate) done: Option<String>,
    /// What went wrong.
    pub(crate) failure: Option<Told>,
}

/// What a person is told of a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Told {
    message: String,
    hint: Option<String>,
    is_usage: bool,
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message().to_owned(),
            hint: failure.hint_text().map(ToOwned::to_owned),
            is_usage: failure.status() == cli::Status::Usage,
        }
    }
}

impl From<Told> for Failure {
    fn from(told: Told) -> Self {
        let failure = if told.is_usage {
            Self::usage(told.message)
        } else {
            Self::failed(told.message)
        };
        match told.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// How it went for the secrets of a group, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcomes(pub(crate) BTreeMap<String, Outcome>);

impl Outcomes {
    pub(crate) fn of(&mut self, name: &str) -> &mut Outcome {
        self.0.entry(name.to_owned()).or_default()
    }

    pub(crate) fn done(&mut self, name: &str, what: String) {
        self.of(name).done = Some(what);
    }

    /// The first failure is the one to tell.
    pub(crate) fn fail(&mut self, name: &str, failure: Failure) {
        let outcome = self.of(name);
        if outcome.failure.is_none() {
            outcome.failure = Some(failure.into());
        }
    }

    /// The same went wrong for all of these.
    pub(crate) fn fail_all<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        failure: Failure,
    ) {
        let told = Told::from(failure);
        for name in names {
            self.of(name).failure.get_or_insert_with(|| told.clone());
        }
    }

    /// Says what was done, and what went wrong with others than `name`.
    pub(crate) fn tell_of_others(&self, name: &str) {
        let own = self.0.get(name).and_then(|own| own.failure.as_ref());
        let mut failures = BTreeMap::<_, Vec<_>>::new();
        for (other, outcome) in &self.0 {
            if let Some(done) = &outcome.done {
                note(format_args!("`{other}`: {done}"));
            }
            // what is told of `name` anyway need not be told of each
            if let Some(told) = outcome.failure.as_ref().filter(|told| Some(*told) != own) {
                failures.entry(told).or_default().push(other);
            }
        }
        for (Told { message, hint, .. }, others) in failures {
            let hint = hint.as_ref().map(|hint| format!(" ({hint})"));
            let hint = hint.unwrap_or_default();
            warn(format_args!("{}: {message}{hint}", words::list(others)));
        }
    }

    /// The end of a run for `name`.
    pub(crate) fn end(&self, name: &str) -> Result<(), Failure> {
        let failure = self.0.get(name).and_then(|outcome| outcome.failure.clone());
        failure.map_or(Ok(()), |told| {
            Err(Failure::from(told).context(format!("`{name}`")))
        })
    }
}
