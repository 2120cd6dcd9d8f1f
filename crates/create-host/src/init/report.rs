//! The report of `create-host init`: lines on stderr, or JSON on stdout.

use serde::Serialize;
use zts_cli::{Failure, note};

use crate::{
    cli::InitArguments,
    fleet::{Question, SETTINGS_FILE, describe_origins, document, value_of},
    json::{ErrorReport, write_diff, write_json},
};

use super::{
    answers::{Answers, render_flags, render_values},
    survey::Survey,
};

/// The result, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct InitReport {
    action: &'static str,
    dry_run: bool,
    /// True if the file was written or, in a dry run, would be.
    changed: bool,
    file: &'static str,
    settings: Vec<SettingReport>,
    questions: Vec<QuestionReport>,
    /// The diff of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(skip)]
    as_json: bool,
}

#[derive(Debug, Serialize)]
struct SettingReport {
    key: &'static str,
    /// The value as TOML.
    value: String,
    origin: String,
}

#[derive(Debug, Serialize)]
struct QuestionReport {
    key: &'static str,
    question: String,
    /// The flags of each likely answer.
    answers: Vec<String>,
}

impl InitReport {
    pub(super) fn new(arguments: &InitArguments) -> Self {
        Self {
            action: "init",
            dry_run: arguments.dry_run,
            changed: false,
            file: SETTINGS_FILE,
            settings: Vec::new(),
            questions: Vec::new(),
            diff: None,
            error: None,
            as_json: arguments.json,
        }
    }

    /// Sets the settings that were found, and the questions that are left.
    pub(super) fn set_settings(&mut self, survey: &Survey, answers: &Answers) {
        let actual = document(&survey.fleet.settings);
        let found = survey.fleet.inference.findings.iter();
        self.settings = found
            .filter(|finding| !answers.has(finding.key))
            .map(|finding| SettingReport {
                key: finding.key,
                value: value_of(&actual, finding.key).unwrap_or_default(),
                origin: finding.origin.clone(),
            })
            .collect();
        let report = |question: &Question| QuestionReport {
            key: question.key,
            question: question.problem.clone(),
            answers: question.choices.iter().map(render_flags).collect(),
        };
        self.questions = survey.questions.iter().map(report).collect();
    }

    /// Writes the diff of a dry run to stdout, or adds it to the JSON.
    pub(super) fn write_diff(&mut self, text: &str) -> Result<(), Failure> {
        self.diff = write_diff(text, self.as_json)?;
        Ok(())
    }

    /// Reports the file, the origin of its settings, and the next command.
    pub(super) fn describe(&mut self, survey: &Survey) {
        self.changed = true;
        if self.as_json {
            return;
        }
        note(if self.dry_run {
            format!("would be created: `{SETTINGS_FILE}`")
        } else {
            format!("created `{SETTINGS_FILE}`")
        });
        let preview = &survey.preview;
        let learnt = preview.entry_origin.as_deref();
        let summaries = survey
            .fleet
            .inference
            .summaries(&survey.fleet.settings, true);
        if let Some(line) = describe_origins(&summaries, learnt) {
            note(line);
        }
        let address = preview.needs_address.then_some("--ip ADDRESS/LENGTH");
        let values = render_values(&preview.values);
        let flags = [Some("--dry-run"), address, values.as_deref()];
        let flags: Vec<&str> = flags.into_iter().flatten().collect();
        note(format_args!(
            "next: `create-host --hostname NAME {}` shows what a new host gets",
            flags.join(" ")
        ));
    }

    /// Ends the run: writes the JSON.
    pub(super) fn finish(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        if self.as_json {
            self.error = ErrorReport::of(&result);
            write_json(&self)?;
        }
        result
    }
}
