//! Changes as a unified diff.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use crate::{plan::Change, secret_text};

const HEADER: Style = Style::new().bold();
const PLACE: Style = AnsiColor::Cyan.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();

/// The changes as text with ANSI colours, which the terminal's writer takes out where they are not wanted.
/// Wrapping tokens are hidden.
pub(crate) fn render(changes: &[Change]) -> String {
    changes.iter().map(one).collect()
}

fn one(change: &Change) -> String {
    let side = |content: &Option<Vec<u8>>| {
        content
            .as_ref()
            .map(|bytes| secret_text::hide(&String::from_utf8_lossy(bytes)))
    };
    let (before, after) = (side(&change.before), side(&change.after));
    let name = |prefix: &str, there: bool| {
        if there {
            format!("{prefix}/{}", change.path)
        } else {
            "/dev/null".to_owned()
        }
    };
    let mut text = String::new();
    let heads = [
        ("---", name("a", before.is_some())),
        ("+++", name("b", after.is_some())),
    ];
    for (mark, name) in heads {
        let _ = writeln!(text, "{HEADER}{mark} {name}{HEADER:#}");
    }
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().iter_hunks() {
        let _ = writeln!(text, "{PLACE}{}{PLACE:#}", hunk.header());
        for line in hunk.iter_changes() {
            let (mark, style) = match line.tag() {
                ChangeTag::Equal => (' ', Style::new()),
                ChangeTag::Insert => ('+', ADDED),
                ChangeTag::Delete => ('-', REMOVED),
            };
            let value = line.value();
            let _ = writeln!(
                text,
                "{style}{mark}{}{style:#}",
                value.trim_end_matches(['\r', '\n'])
            );
            if line.missing_newline() {
                let _ = writeln!(text, "\\ No newline at end of file");
            }
        }
    }
    text
}
