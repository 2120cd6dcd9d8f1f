//! `create-host init`: writes `fleet.toml` for a fleet that exists.
//!
//! The settings are those that a run infers without the file ([`crate::inference`]). A preview of a
//! new host in memory shows which of them are not sufficient.

mod answers;
mod render;
mod report;
mod survey;

use std::collections::BTreeSet;

use zts_cli::{Failure, can_ask};
use zts_secure_fs::LockKind;

use crate::{
    change::{FileChange, render_diff},
    cli::InitArguments,
    fleet::{SETTINGS_FILE, check_settings_absent},
    write::{remove_drafts, write_changes},
};
use answers::Answers;
use report::InitReport;
use survey::survey_fleet;

/// Writes the settings, and reports them.
///
/// # Errors
/// The reason why they were not written.
pub(crate) fn run(arguments: &InitArguments) -> Result<(), Failure> {
    let mut report = InitReport::new(arguments);
    let result = write_settings(arguments, &mut report);
    report.finish(result)
}

fn write_settings(arguments: &InitArguments, report: &mut InitReport) -> Result<(), Failure> {
    let mut answers = Answers::parse(&arguments.set)?;
    let survey = loop {
        let survey = survey_fleet(arguments.repo.as_deref(), &answers)?;
        report.set_settings(&survey, &answers);
        let Some(question) = survey.questions.first() else {
            break survey;
        };
        if arguments.json || !can_ask() {
            return Err(answers::ask_for_all(&survey.questions));
        }
        answers.prompt(question)?;
    };
    let text = render::render_file(&survey, &answers)?;
    let change = FileChange {
        path: SETTINGS_FILE.to_owned(),
        before: None,
        after: Some(text.into_bytes()),
    };
    if arguments.dry_run {
        report.write_diff(&render_diff(&[change]))?;
    } else {
        let _lock = survey.fleet.lock(LockKind::Exclusive)?;
        check_settings_absent(&survey.fleet.tree)?; // another run may have written it meanwhile
        remove_drafts(&survey.fleet, &BTreeSet::new())?;
        write_changes(&survey.fleet.tree, &[change], &[])?;
    }
    report.describe(&survey);
    Ok(())
}
