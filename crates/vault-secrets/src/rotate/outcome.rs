//! Results of a rotation, by secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zts_cli::{Failure, note, warn};

use crate::text;

/// The result for one secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretOutcome {
    /// The message on the changes.
    pub(crate) done: Option<String>,
    pub(crate) failure: Option<FailureRecord>,
}

/// A failure as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FailureRecord {
    message: String,
    hint: Option<String>,
    is_usage: bool,
}

impl From<Failure> for FailureRecord {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message().to_owned(),
            hint: failure.hint_text().map(ToOwned::to_owned),
            is_usage: failure.status() == zts_cli::Status::Usage,
        }
    }
}

impl From<FailureRecord> for Failure {
    fn from(record: FailureRecord) -> Self {
        let failure = if record.is_usage {
            Self::usage(record.message)
        } else {
            Self::failed(record.message)
        };
        match record.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// The results for several secrets, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcomes(pub(crate) BTreeMap<String, SecretOutcome>);

impl Outcomes {
    /// Returns the result for a secret, and adds it to the run.
    pub(crate) fn of(&mut self, name: &str) -> &mut SecretOutcome {
        self.0.entry(name.to_owned()).or_default()
    }

    /// Records changes.
    pub(crate) fn done(&mut self, name: &str, message: String) {
        self.of(name).done = Some(message);
    }

    /// Records a failure, unless the secret has one already.
    pub(crate) fn fail(&mut self, name: &str, failure: Failure) {
        let outcome = self.of(name);
        if outcome.failure.is_none() {
            outcome.failure = Some(failure.into());
        }
    }

    /// Records the same failure for several secrets, as [`Outcomes::fail`] does.
    pub(crate) fn fail_all<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        failure: Failure,
    ) {
        let record = FailureRecord::from(failure);
        for name in names {
            self.of(name).failure.get_or_insert_with(|| record.clone());
        }
    }

    /// Reports all changes, and the failures of other secrets than `name`.
    pub(crate) fn report_others(&self, name: &str) {
        let own = self.0.get(name).and_then(|own| own.failure.as_ref());
        let mut failures = BTreeMap::<_, Vec<_>>::new();
        for (other, outcome) in &self.0 {
            if let Some(done) = &outcome.done {
                note(format_args!("`{other}`: {done}"));
            }
            // the failure of `name` is reported anyway, and need not be repeated
            if let Some(failure) = outcome.failure.as_ref().filter(|it| Some(*it) != own) {
                failures.entry(failure).or_default().push(other);
            }
        }
        for (FailureRecord { message, hint, .. }, others) in failures {
            let hint = hint.as_ref().map(|hint| format!(" ({hint})"));
            let hint = hint.unwrap_or_default();
            warn(format_args!("{}: {message}{hint}", text::list(others)));
        }
    }

    /// Adds the results of a later pass, which replace earlier ones of the same secret.
    pub(crate) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Reports changes and failures of all secrets, and fails if there was a failure.
    pub(crate) fn report_all(&self) -> Result<(), Failure> {
        self.report_others("");
        let failed = self.0.iter().filter(|(_, one)| one.failure.is_some());
        let failed: Vec<_> = failed.map(|(name, _)| name).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let failed = text::list(failed);
        Err(Failure::failed(format!("some secrets failed: {failed}"))
            .hint("see the warnings above"))
    }

    /// Returns the result of a run that was started for `name`.
    pub(crate) fn result_for(&self, name: &str) -> Result<(), Failure> {
        let failure = self.0.get(name).and_then(|outcome| outcome.failure.clone());
        failure.map_or(Ok(()), |record| {
            Err(Failure::from(record).context(format!("`{name}`")))
        })
    }
}
