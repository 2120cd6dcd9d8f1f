//! Parses a page into steps.
//!
//! In its `console` blocks, `$ ` begins a command of the operator's and `[bao3]$ ` one on that
//! node; `> ` continues a command. `[server]$ ` is a terminal whose program keeps running until
//! `^C` there ends it. The lines below a command are part of its output:
//!
//! - `…` matches any text, and space matches any space;
//! - `$NAME` at the end of a prompt (`…(will be hidden): $SHARE_1`, `…to continue: $NAME`) is the
//!   input;
//! - any other `$NAME` is a value that later commands use.
//!
//! In `nix` blocks, `services.openbao.settings.listener.default.<name> = <value>;` is a setting
//! that all nodes have after a restart.

/// One step of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A command to run.
    Run(Command),
    /// A parameter of the listener and its value as JSON.
    Configure(String, String),
}

/// A command and its expected output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The number of its line.
    pub line: usize,
    /// The node; empty for the operator's own machine.
    pub place: String,
    /// The text that is typed; several lines where the page has `> `.
    pub text: String,
    /// Lines that its output must contain.
    pub expected: Vec<String>,
}

/// Returns the steps of a page, in order.
pub fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut block = None;
    for (index, line) in text.lines().enumerate() {
        let text = line.trim_start();
        match (text.strip_prefix("```"), block) {
            // In a list, a block is indented like its text.
            (Some(kind), None) => block = Some((&line[..line.len() - text.len()], kind)),
            (Some(_), Some(_)) => block = None,
            (None, Some((space, "console"))) => {
                add_console_line(
                    &mut steps,
                    index + 1,
                    line.strip_prefix(space).unwrap_or(line),
                );
            }
            (None, Some((_, "nix"))) => steps.extend(parse_setting(line)),
            (None, _) => {}
        }
    }
    steps
}

/// Returns the content of the first block of a kind; empty without one.
pub fn block(text: &str, kind: &str) -> String {
    blocks(text, kind).into_iter().next().unwrap_or_default()
}

/// Returns the content of each block of a kind, in order.
pub fn blocks(text: &str, kind: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut inside) {
            (Some(this), None) => inside = Some((this == kind, String::new())),
            (Some(_), Some((wanted, block))) => {
                if *wanted {
                    blocks.push(std::mem::take(block));
                }
                inside = None;
            }
            (None, Some((_, block))) => block.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks
}

/// Adds a line of a `console` block to the steps.
fn add_console_line(steps: &mut Vec<Step>, line: usize, text: &str) {
    if let Some((place, command)) = split_prompt(text) {
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

/// Splits a line with a prompt into place and command.
fn split_prompt(line: &str) -> Option<(&str, &str)> {
    if let Some(command) = line.strip_prefix("$ ") {
        return Some(("", command));
    }
    line.strip_prefix('[')?.split_once("]$ ")
}

/// Parses a setting of the listener in a `nix` block.
fn parse_setting(line: &str) -> Option<Step> {
    let rest = line
        .trim()
        .strip_prefix("services.openbao.settings.listener.default.")?;
    let (name, value) = rest.strip_suffix(';')?.split_once(" = ")?;
    Some(Step::Configure(name.to_owned(), value.to_owned()))
}

#[test]
fn a_page_is_parsed_into_steps() {
    let text = "text\n```console\n$ one \\\n> two\nsaid\n[bao2]$ three\n```\n```text\n$ none\n```\n\
                ```nix\n  services.openbao.settings.listener.default.a = true;\n```\n\
                1. then\n\n   ```console\n   $ four\n   said\n   ```\n";
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
        command(17, "", "four", &["said"]),
    ];
    assert_eq!(steps(text), expected);
}
