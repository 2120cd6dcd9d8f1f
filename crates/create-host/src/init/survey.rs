//! The settings that the fleet's files tell, and the questions that they leave open.

use std::path::Path;

use zts_cli::Failure;
use zts_secure_fs::LockKind;

use crate::{
    fleet::{Choice, Fleet, Question},
    inference::{complete, describe_ambiguity, take_address},
    plan::{EntryProblem, Preview, preview_new_host},
};

use super::answers::Answers;

/// A fleet with its settings, and what is still to ask.
pub(super) struct Survey {
    pub(super) fleet: Fleet,
    pub(super) preview: Preview,
    pub(super) questions: Vec<Question>,
}

/// Infers the settings, and tries a new host with them.
pub(super) fn survey_fleet(folder: Option<&Path>, answers: &Answers) -> Result<Survey, Failure> {
    let fleet = Fleet::open_new(folder, &answers.to_toml())?;
    let _lock = fleet.lock(LockKind::Shared)?;
    let mut fleet = complete(fleet)?;
    take_address(&mut fleet);
    let mut preview = preview_new_host(&fleet)?;
    let mut questions = std::mem::take(&mut fleet.inference.questions);
    let is_ambiguous = questions
        .iter()
        .any(|one| describe_ambiguity(one).is_some());
    questions.extend(ask_about_entry(&mut preview, answers)?);
    if !is_ambiguous {
        questions.extend(ask_about_map(&mut preview, answers)?);
    }
    questions.retain(|question| !answers.has(question.key));
    Ok(Survey {
        fleet,
        preview,
        questions,
    })
}

/// Asks for the text of an entry that cannot be learnt. A given text that does not help is an
/// error.
fn ask_about_entry(preview: &mut Preview, answers: &Answers) -> Result<Option<Question>, Failure> {
    const KEY: &str = "text.flake_entry";
    let (failure, choices) = match preview.problem.take() {
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
fn ask_about_map(preview: &mut Preview, answers: &Answers) -> Result<Option<Question>, Failure> {
    const KEY: &str = "paths.vms";
    let Some(failure) = preview.map_problem.take() else {
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
