//! The answers to questions: flags, or lines that a person types.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, Table, Value};
use zts_cli::{Failure, ask, note, shell_word};

use crate::fleet::{Choice, Question, check_setting};

/// The settings that somebody has given, checked as those of the file are.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<String, Value>);

impl Answers {
    /// Checks the values of `--set`.
    pub(super) fn parse(pairs: &[(String, String)]) -> Result<Self, Failure> {
        let mut answers = Self::default();
        for (key, text) in pairs {
            answers
                .add(key, text)
                .map_err(|failure| failure.context("`--set`"))?;
        }
        Ok(answers)
    }

    fn add(&mut self, key: &str, text: &str) -> Result<(), Failure> {
        self.0.insert(key.to_owned(), check_setting(key, text)?);
        Ok(())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Returns the answers in the form of the file.
    pub(super) fn to_toml(&self) -> String {
        let mut document = DocumentMut::new();
        for (key, value) in &self.0 {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let table = document
                .entry(section)
                .or_insert_with(|| Item::Table(Table::new()));
            table[name] = Item::Value(value.clone());
        }
        document.to_string()
    }

    /// Asks a person. An invalid answer is asked for again.
    pub(super) fn prompt(&mut self, question: &Question) -> Result<(), Failure> {
        note(describe(question));
        loop {
            let default = match question.choices.as_slice() {
                [] => String::new(),
                _ => " [1]".to_owned(),
            };
            let line = ask(format_args!("{}{default}: ", question.key))?;
            let Some(line) = line else {
                return Err(Failure::usage(format_args!(
                    "`{}` was not answered: nothing was written",
                    question.key
                ))
                .hint("run `create-host init` again"));
            };
            let chosen = match line.as_str() {
                "" => question.choices.first(),
                number => find_choice(question, number),
            };
            let result = match chosen {
                Some(choice) => self.choose(choice),
                None if line.is_empty() => continue, // there is no default
                None => self.add(question.key, &line),
            };
            match result {
                Ok(()) => return Ok(()),
                Err(failure) => note(match failure.hint_text() {
                    Some(hint) => format!("{}: {hint}", failure.message()),
                    None => failure.message().to_owned(),
                }),
            }
        }
    }

    fn choose(&mut self, choice: &Choice) -> Result<(), Failure> {
        let mut settings = choice.settings.iter();
        settings.try_for_each(|(key, value)| self.add(key, value))
    }
}

fn find_choice<'a>(question: &'a Question, number: &str) -> Option<&'a Choice> {
    let index = number.parse::<usize>().ok()?.checked_sub(1)?;
    question.choices.get(index)
}

/// Returns a question with its choices, for a person.
fn describe(question: &Question) -> String {
    let mut text = format!("\n{}", question.problem);
    for (index, choice) in question.choices.iter().enumerate() {
        let line = format!("\n  {}) {}", index + 1, choice.description);
        text.push_str(&line);
        if question.key.starts_with("text.") {
            for (_, value) in &choice.settings {
                let lines = value.lines().map(|line| format!("\n     {line}"));
                text.extend(lines);
            }
        }
    }
    let advice = match question.choices.len() {
        0 => format!("\nType it, such as {}", question.example),
        1 => format!(
            "\nPress Enter for 1, or type a value, such as {}",
            question.example
        ),
        _ => "\nType a number, or a value of your own".to_owned(),
    };
    text + &advice
}

/// Returns the failure of a run that can ask nobody: all questions, with the flags that answer
/// them.
pub(super) fn ask_for_all(questions: &[Question]) -> Failure {
    let problems: Vec<&str> = questions
        .iter()
        .map(|question| question.problem.as_str())
        .collect();
    let message = match problems.as_slice() {
        [problem] => (*problem).to_owned(),
        all => format!(
            "the fleet's files leave {} questions open: {}",
            all.len(),
            all.join("; ")
        ),
    };
    let ways: Vec<String> = questions.iter().map(list_flags).collect();
    Failure::usage(message)
        .suffix("nothing was written")
        .hint(format!(
            "answer with these flags, or on a terminal:{}",
            ways.concat()
        ))
}

/// Returns the flags that answer a question, one line each.
fn list_flags(question: &Question) -> String {
    if question.choices.is_empty() {
        let example = shell_word(question.example);
        return format!("\n- `--set {}={example}` with your own value", question.key);
    }
    let lines = question
        .choices
        .iter()
        .map(|choice| format!("\n- `{}`: {}", render_flags(choice), choice.description));
    lines.collect()
}

/// Returns the flags of one answer.
pub(super) fn render_flags(choice: &Choice) -> String {
    let flags = choice.settings.iter().map(|(key, value)| {
        let value = match value.as_str() {
            "" => String::new(),
            value => shell_word(value),
        };
        format!("--set {key}={value}")
    });
    flags.collect::<Vec<_>>().join(" ")
}

/// Returns the flags with the values that each new machine is given.
pub(super) fn render_values(values: &[String]) -> Option<String> {
    let flags: Vec<String> = values
        .iter()
        .map(|name| format!("--set {name}=VALUE"))
        .collect();
    (!flags.is_empty()).then(|| flags.join(" "))
}
