//! `create-host init`: writes `fleet.toml` for a fleet that exists.
//!
//! The settings are those that a run infers without the file ([`crate::inference`]). A trial of a
//! new host in memory shows which of them are not sufficient.

mod answers;
mod render;
mod report;

use zts_cli::{Failure, can_ask};
use zts_secure_fs::LockKind;

use crate::{
    change::{FileChange, render_diff},
    cli::InitArguments,
    fleet::{Choice, Fleet, Question, SETTINGS_FILE, check_settings_absent},
    inference::{complete, describe_ambiguity, take_address},
    plan::{EntryProblem, Trial, try_new_host},
    write::{remove_drafts, write_changes},
};
use answers::Answers;
use report::InitReport;

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
        let survey = survey_fleet(arguments, &answers)?;
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
        remove_drafts(&survey.fleet)?;
        write_changes(&survey.fleet.tree, &[change], &[])?;
    }
    report.describe(&survey);
    Ok(())
}

/// A fleet with its settings, and what is still to ask.
struct Survey {
    fleet: Fleet,
    trial: Trial,
    questions: Vec<Question>,
}

/// Infers the settings, and tries a new host with them.
fn survey_fleet(arguments: &InitArguments, answers: &Answers) -> Result<Survey, Failure> {
    let fleet = Fleet::open_new(arguments.repo.as_deref(), &answers.to_toml())?;
    let _lock = fleet.lock(LockKind::Shared)?;
    let mut fleet = complete(fleet)?;
    take_address(&mut fleet);
    let mut trial = try_new_host(&fleet)?;
    let mut questions = std::mem::take(&mut fleet.inference.questions);
    let is_ambiguous = questions
        .iter()
        .any(|one| describe_ambiguity(one).is_some());
    questions.extend(ask_about_entry(&mut trial, answers)?);
    if !is_ambiguous {
        questions.extend(ask_about_map(&mut trial, answers)?);
    }
    questions.retain(|question| !answers.has(question.key));
    Ok(Survey {
        fleet,
        trial,
        questions,
    })
}

/// Asks for the text of an entry that cannot be learnt. A given text that does not help is an
/// error.
fn ask_about_entry(trial: &mut Trial, answers: &Answers) -> Result<Option<Question>, Failure> {
    const KEY: &str = "text.flake_entry";
    let (failure, choices) = match trial.problem.take() {
        None => return Ok(None),
        Some(EntryProblem::Individual(failure, candidates)) => {
            let choice = |text: &String| {
                Choice::of_value(KEY, text, "like a present host; edit what is its own")
            };
            (failure, candidates.iter().map(choice).collect())
        }
        Some(EntryProblem::Unsupported(failure)) => {
            let description =
                "leave the flake alone: it finds its hosts by itself, or you add them";
            (failure, vec![Choice::of_value(KEY, "", description)])
        }
    };
    if answers.has(KEY) {
        return Err(failure);
    }
    Ok(Some(Question {
        key: KEY,
        problem: failure.message().to_owned(),
        choices,
        example: "mkHost \"{hostname}\"",
    }))
}

/// Asks what to do about a map of machines that cannot take an entry.
fn ask_about_map(trial: &mut Trial, answers: &Answers) -> Result<Option<Question>, Failure> {
    const KEY: &str = "paths.vms";
    let Some(failure) = trial.map_problem.take() else {
        return Ok(None);
    };
    if answers.has(KEY) {
        return Err(failure);
    }
    let description = "leave OpenTofu's code alone: machines are added there by hand";
    Ok(Some(Question {
        key: KEY,
        problem: failure.message().to_owned(),
        choices: vec![Choice::of_value(KEY, "", description)],
        example: "terraform/vms.tf",
    }))
}
