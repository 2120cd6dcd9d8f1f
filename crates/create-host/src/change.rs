//! Changes of the fleet's files, and their diff.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::{AnsiColor, Style};
use similar::{Change, ChangeTag, TextDiff};

use crate::redaction;

const HEADER: Style = Style::new().bold();
const HUNK: Style = AnsiColor::Cyan.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();

/// The change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileChange {
    /// The path from the fleet's root.
    pub(crate) path: String,
    /// The content before the change; `None` if the file does not exist.
    pub(crate) before: Option<Vec<u8>>,
    /// The content after the change; `None` if the file is removed.
    pub(crate) after: Option<Vec<u8>>,
}

impl FileChange {
    /// Returns the change in one word.
    pub(crate) fn verb(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "created",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "edited",
        }
    }
}

/// Changes by path; a later change of the same file replaces an earlier one.
#[derive(Debug, Default)]
pub(crate) struct ChangeSet(BTreeMap<String, FileChange>);

impl ChangeSet {
    /// Adds a change, unless the content stays the same.
    pub(crate) fn add(&mut self, path: &str, before: Option<Vec<u8>>, after: Option<Vec<u8>>) {
        if before != after {
            let path = path.to_owned();
            let change = FileChange {
                path: path.clone(),
                before,
                after,
            };
            self.0.insert(path, change);
        }
    }

    /// Returns whether a file is there after the changes because of one of them.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0
            .get(path)
            .is_some_and(|change| change.after.is_some())
    }

    /// Returns whether a file is removed.
    pub(crate) fn removes(&self, path: &str) -> bool {
        self.0
            .get(path)
            .is_some_and(|change| change.after.is_none())
    }

    /// Adds the edit of a text file.
    pub(crate) fn add_edit(&mut self, path: &str, before: &str, after: String) {
        let before = before.to_owned().into_bytes();
        self.add(path, Some(before), Some(after.into_bytes()));
    }

    /// Returns the texts after the changes, by path.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let after = self.0.values().filter_map(|change| {
            let text = str::from_utf8(change.after.as_deref()?).ok()?;
            Some((change.path.clone(), text.to_owned()))
        });
        after.collect()
    }

    /// Returns the changes, sorted by path.
    pub(crate) fn into_changes(self) -> Vec<FileChange> {
        self.0.into_values().collect()
    }
}

/// Renders the changes as a unified diff with ANSI colours, which the terminal's writer removes
/// where they are not wanted. Wrapping tokens are hidden.
pub(crate) fn render_diff(changes: &[FileChange]) -> String {
    changes.iter().map(render_change).collect()
}

fn render_change(change: &FileChange) -> String {
    let redacted = |content: &Option<Vec<u8>>| {
        content
            .as_ref()
            .map(|bytes| redaction::hide_tokens(&String::from_utf8_lossy(bytes)))
    };
    let (before, after) = (redacted(&change.before), redacted(&change.after));
    let name = |prefix: &str, exists: bool| {
        if exists {
            format!("{prefix}/{}", change.path)
        } else {
            "/dev/null".to_owned()
        }
    };
    let mut text = String::new();
    let headers = [
        ("---", name("a", before.is_some())),
        ("+++", name("b", after.is_some())),
    ];
    for (mark, name) in headers {
        let _ = writeln!(text, "{HEADER}{mark} {name}{HEADER:#}");
    }
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().iter_hunks() {
        let _ = writeln!(text, "{HUNK}{}{HUNK:#}", hunk.header());
        for line in hunk.iter_changes() {
            render_line(&mut text, &line);
        }
    }
    text
}

fn render_line(text: &mut String, line: &Change<&str>) {
    let (mark, style) = match line.tag() {
        ChangeTag::Equal => (' ', Style::new()),
        ChangeTag::Insert => ('+', ADDED),
        ChangeTag::Delete => ('-', REMOVED),
    };
    let value = line.value().trim_end_matches(['\r', '\n']);
    let _ = writeln!(text, "{style}{mark}{value}{style:#}");
    if line.missing_newline() {
        let _ = writeln!(text, "\\ No newline at end of file");
    }
}
