//! The files of the corpus: a fleet, a command, and the expected result.
//!
//! A file begins with comments (the shape) and the command; `$ create-host init …` answers the
//! questions of `init`. Parts follow, each after a line `-- path --`: the fleet's files and, at the
//! end, `expected diff` or `expected error`. A path may have the flags `[crlf]` and `[no final
//! newline]`, because the corpus itself has neither.

use std::{fs, path::Path};

/// The beginning of the comment of a fleet that does not work yet.
const MARK: &str = "# expected to fail today: ";

/// A fleet of the corpus.
pub(super) struct Case {
    pub(super) name: String,
    /// The reason why it is expected to fail.
    pub(super) mark: Option<String>,
    /// The arguments of the first run.
    pub(super) command: Vec<String>,
    /// The arguments of `init` that answer its questions; `None` if it has none.
    pub(super) answers: Option<Vec<String>>,
    /// The fleet's files, as pairs of path and text.
    pub(super) files: Vec<(String, String)>,
    pub(super) expected: Expected,
    /// The text before the expected result.
    given: String,
}

/// The expected result of the first run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It succeeds, and `--dry-run` shows this.
    Diff(String),
    /// It fails with this status and message, and changes nothing.
    Error(String),
}

impl Case {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Self::parse(name, &text)
    }

    fn parse(name: String, text: &str) -> Self {
        let parts = split_parts(text);
        let (head, parts) = parts.split_first().expect("the head is always a part");
        let (result, files) = parts.split_last().expect("a result is the last part");
        let expected = match result.name.as_str() {
            "expected diff" => Expected::Diff(result.text.clone()),
            "expected error" => Expected::Error(result.text.clone()),
            other => panic!("{name}: the last part is `{other}`, not an expected result"),
        };
        let find = |prefix: &str| head.text.lines().find_map(|line| line.strip_prefix(prefix));
        let command = find("$ create-host ").expect("a line with the command");
        let given = text.split_once(&result.heading).expect("it has the part").0;
        Self {
            mark: find(MARK).map(str::to_owned),
            command: split_words(command),
            answers: find("$ create-host init ").map(split_words),
            files: files.iter().map(Part::to_file).collect(),
            given: given.to_owned(),
            expected,
            name,
        }
    }

    /// Returns the text of the file with another result.
    pub(super) fn with_result(&self, result: &Expected) -> String {
        let (kind, text) = match result {
            Expected::Diff(text) => ("diff", text),
            Expected::Error(text) => ("error", text),
        };
        format!("{}-- expected {kind} --\n{text}", self.given)
    }

    /// Returns the value of an option of the first run.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let index = self.command.iter().position(|word| word == name)?;
        self.command.get(index + 1).map(String::as_str)
    }

    pub(super) fn has_flag(&self, name: &str) -> bool {
        self.command.iter().any(|word| word == name)
    }
}

fn split_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A part of a file; the first one has no name.
struct Part {
    heading: String,
    name: String,
    text: String,
}

impl Part {
    /// Returns the path and the text of a file of the fleet.
    fn to_file(&self) -> (String, String) {
        let mut path = self.name.as_str();
        let mut text = self.text.clone();
        if let Some(rest) = path.strip_suffix(" [no final newline]") {
            text.truncate(text.trim_end_matches('\n').len());
            path = rest;
        }
        if let Some(rest) = path.strip_suffix(" [crlf]") {
            text = text.replace('\n', "\r\n");
            path = rest;
        }
        (path.to_owned(), text)
    }
}

fn split_parts(text: &str) -> Vec<Part> {
    let mut parts = vec![Part {
        heading: String::new(),
        name: String::new(),
        text: String::new(),
    }];
    for line in text.split_inclusive('\n') {
        let name = line
            .strip_prefix("-- ")
            .and_then(|line| line.strip_suffix(" --\n"));
        match (name, parts.last_mut()) {
            (None, Some(part)) => part.text.push_str(line),
            (name, _) => parts.push(Part {
                heading: line.to_owned(),
                name: name.unwrap_or_default().to_owned(),
                text: String::new(),
            }),
        }
    }
    parts
}
