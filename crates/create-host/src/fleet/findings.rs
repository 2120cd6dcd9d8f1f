//! Settings inferred from a fleet's own files, and the questions that these leave open.

use toml_edit::{DocumentMut, ser};

use super::settings::Settings;

/// A setting that was found in files of the fleet.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The key, such as `paths.hosts`.
    pub(crate) key: &'static str,
    /// The place where it was found, such as "`terraform/main.tf`, line 4".
    pub(crate) origin: String,
    /// The setting in words, for the line of a run; empty if another finding describes it.
    summary: String,
}

/// A setting that no file has, or for which several files have different values.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The key, such as `openbao.address`.
    pub(crate) key: &'static str,
    pub(crate) problem: String,
    /// The likely answers, the best one first.
    pub(crate) choices: Vec<Choice>,
    /// A value of the right form.
    pub(crate) example: &'static str,
}

/// An answer to a question.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) description: String,
    /// The settings of the answer, as pairs of key and value.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Choice {
    /// Returns the answer of one setting.
    pub(crate) fn of_value(key: &'static str, value: &str, description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            settings: vec![(key, value.to_owned())],
        }
    }
}

/// The settings that were found in a fleet's files, and the open questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inference {
    pub(crate) findings: Vec<Finding>,
    pub(crate) questions: Vec<Question>,
}

impl Inference {
    /// Adds a finding.
    pub(crate) fn add(
        &mut self,
        key: &'static str,
        origin: impl Into<String>,
        summary: impl Into<String>,
    ) {
        self.findings.push(Finding {
            key,
            origin: origin.into(),
            summary: summary.into(),
        });
    }

    /// Returns the settings that are not the defaults, in words. OpenBao's address is left out if
    /// the run does not use it.
    pub(crate) fn summaries(&self, settings: &Settings, uses_address: bool) -> Vec<&str> {
        let (actual, defaults) = (document(settings), document(&Settings::default()));
        let is_reported = |finding: &&Finding| {
            let is_used = uses_address || finding.key != "openbao.address";
            let is_other = value_of(&actual, finding.key) != value_of(&defaults, finding.key);
            is_used && is_other && !finding.summary.is_empty()
        };
        let reported = self.findings.iter().filter(is_reported);
        reported.map(|finding| finding.summary.as_str()).collect()
    }
}

/// Joins what was taken from the fleet to one line; `None` if it is nothing.
pub(crate) fn describe_origins(summaries: &[&str], learnt: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = summaries.iter().copied().chain(learnt).collect();
    (!parts.is_empty()).then(|| format!("took from the fleet: {}", parts.join("; ")))
}

/// Returns the settings as a document of TOML.
pub(crate) fn document(settings: &Settings) -> DocumentMut {
    ser::to_document(settings).unwrap_or_default() // texts, lists and truth values always fit
}

/// Returns the value of a key such as `paths.hosts`, as TOML.
pub(crate) fn value_of(document: &DocumentMut, key: &str) -> Option<String> {
    let (section, name) = key.split_once('.')?;
    let value = document.get(section)?.get(name)?.as_value()?;
    Some(value.to_string().trim().to_owned())
}
