//! A page of `docs/how-to` as steps.
//!
//! In its `console` blocks, `$ ` begins a command of the operator's and `[bao3]$ ` one on that node;
//! `> ` goes on with a command. The lines below it are what it says, among others:
//!
//! - `…` stands for anything, and space for any space;
//! - `$NAME` at the end of a prompt (`…(will be hidden): $SHARE_1`) is what somebody types there;
//! - any other `$NAME` is a value that is remembered, and that later commands use.
//!
//! In `nix` blocks, `services.openbao.settings.listener.default.<name> = <value>;` is a setting that all
//! nodes have once they are started again.

use std::{fs, path::PathBuf};

/// One thing that the page has somebody do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Run(Command),
    /// A parameter of the listener, and its value as JSON.
    Configure(String, String),
}

/// A command, and what is expected of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// The line it stands in.
    pub(crate) line: usize,
    /// The node; empty for the operator's own machine.
    pub(crate) place: String,
    pub(crate) text: String,
    pub(crate) expected: Vec<String>,
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to")
}

pub(crate) fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The steps of a page, in order.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut block = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (None, Some("console")) => console(&mut steps, index + 1, line),
            (None, Some("nix")) => steps.extend(setting(line)),
            (None, _) => {}
        }
    }
    steps
}

/// What stands in the first block of a kind, line for line.
pub(crate) fn block(text: &str, kind: &str) -> String {
    let lines = text
        .lines()
        .skip_while(|line| *line != format!("```{kind}"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn console(steps: &mut Vec<Step>, line: usize, text: &str) {
    if let Some((place, command)) = prompt(text) {
        steps.push(Step::Run(Command {
            line,
            place: place.to_owned(),
            text: command.to_owned(),
            expected: Vec::new(),
        }));
        return;
    }
    let Some(Step::Run(command)) = steps.last_mut() else {
        panic!("line {line}: output without a command");
    };
    match text.strip_prefix("> ") {
        Some(more) => command.text = format!("{}\n{more}", command.text),
        None => command.expected.push(text.to_owned()),
    }
}

/// The place and the command of a line that has a prompt.
fn prompt(line: &str) -> Option<(&str, &str)> {
    if let Some(command) = line.strip_prefix("$ ") {
        return Some(("", command));
    }
    line.strip_prefix('[')?.split_once("]$ ")
}

fn setting(line: &str) -> Option<Step> {
    let rest = line
        .trim()
        .strip_prefix("services.openbao.settings.listener.default.")?;
    let (name, value) = rest.strip_suffix(';')?.split_once(" = ")?;
    Some(Step::Configure(name.to_owned(), value.to_owned()))
}

#[test]
fn a_page_is_read_as_steps() {
    let text = "text\n```console\n$ one \\\n> two\nsaid\n[bao2]$ three\n```\n```text\n$ none\n```\n\
                ```nix\n  services.openbao.settings.listener.default.a = true;\n```\n";
    let command = |line, place: &str, text: &str, expected: &[&str]| {
        Step::Run(Command {
            line,
            place: place.to_owned(),
            text: text.to_owned(),
            expected: expected.iter().map(|&line| line.to_owned()).collect(),
        })
    };
    let expected = [
        command(3, "", "one \\\ntwo", &["said"]),
        command(6, "bao2", "three", &[]),
        Step::Configure("a".to_owned(), "true".to_owned()),
    ];
    assert_eq!(steps(text), expected);
}
