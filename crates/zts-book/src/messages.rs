//! The errors and warnings of the programs, as their sources have them.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use regex::Regex;

/// A place of a value in a message.
pub const VALUE: char = '…';

/// The text of an error, of a warning, or of a part of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The text, with [`VALUE`] in place of each value.
    pub text: String,
    /// The source file, relative to `crates/`.
    pub file: String,
}

/// A failure whose text is the value of an expression.
#[derive(Debug, PartialEq, Eq)]
pub struct Indirect {
    /// The source file, relative to `crates/`.
    pub file: String,
    /// The expression.
    pub expression: String,
}

/// Calls and attributes that take a message. Variables of these names become messages.
static LITERAL: LazyLock<Regex> = LazyLock::new(|| {
    let start = r"(?:Failure::(?:failed|usage)\(|Self::(?:failed|usage)\(|\.context\(|\.suffix\(|\bwarn\(|#\[error\(|\bin_use\(\w+,|\.add\(|let (?:problem|message|why|gone|unknown|context) =|=> \()";
    let literal = r#"\s*&?(?:format_args!\(|format!\()?\s*"((?:[^"\\]|\\(?s:.))*)""#;
    regex(&format!("{start}{literal}"))
});

/// The texts of errors that implement `Display` by hand.
static WRITTEN: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"write!\(\s*\w+,\s*"((?:[^"\\]|\\(?s:.))*)""#));

static FAILURE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"Failure::(?:failed|usage)\(\s*&?([a-z_.]+)[),]"));

fn regex(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the messages of a source.
pub fn messages_of(file: &str, source: &str) -> BTreeSet<Message> {
    let source = without_tests(source);
    let written = file
        .ends_with("error.rs")
        .then(|| WRITTEN.captures_iter(source));
    let literals = LITERAL
        .captures_iter(source)
        .chain(written.into_iter().flatten());
    let texts = literals.map(|literal| template(&literal[1]));
    let is_text =
        |text: &String| text.trim().contains(' ') && text.matches(char::is_alphabetic).count() > 4;
    texts
        .filter(is_text)
        .filter(|text| !is_hint(text))
        .map(|text| Message {
            text,
            file: file.to_owned(),
        })
        .collect()
}

/// Returns the failures of a source whose texts are values of expressions.
pub fn indirect_failures_of(file: &str, source: &str) -> Vec<Indirect> {
    let found = FAILURE.captures_iter(without_tests(source));
    let indirect = found.map(|call| Indirect {
        file: file.to_owned(),
        expression: call[1].to_owned(),
    });
    indirect.collect()
}

/// Returns the sources of the programs and their libraries in the folder of all crates, with their
/// paths below it.
pub fn sources(crates: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for entry in list(crates) {
        if ["zts-book", "zts-testkit"]
            .iter()
            .all(|test| !entry.ends_with(test))
        {
            collect(crates, &entry.join("src"), &mut sources);
        }
    }
    sources.sort();
    sources
}

fn collect(crates: &Path, folder: &Path, sources: &mut Vec<(String, String)>) {
    for path in list(folder) {
        let name = path.strip_prefix(crates).unwrap_or(&path);
        let name = name.to_string_lossy().into_owned();
        if path.is_dir() {
            collect(crates, &path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("_tests.rs") {
            let text = fs::read_to_string(&path);
            sources.push((
                name,
                text.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            ));
        }
    }
}

fn list(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.flatten().map(|entry| entry.path()).collect()
}

fn without_tests(source: &str) -> &str {
    let tests = source.find("#[cfg(test)]\nmod tests {");
    &source[..tests.unwrap_or(source.len())]
}

/// Returns whether a text is the way out of a problem, in a list of problems and ways.
fn is_hint(text: &str) -> bool {
    text.starts_with("give ")
}

/// Returns the text that a literal of Rust stands for, with [`VALUE`] in place of its arguments.
fn template(literal: &str) -> String {
    let mut text = String::new();
    let mut letters = literal.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('\n') => while letters.next_if(|next| next.is_whitespace()).is_some() {},
                Some('n' | 't') => text.push(' '),
                Some(other) => text.push(other),
                None => {}
            },
            '{' | '}' if letters.next_if_eq(&letter).is_some() => text.push(letter),
            '{' => {
                letters.by_ref().find(|letter| *letter == '}');
                if !text.ends_with(VALUE) {
                    text.push(VALUE);
                }
            }
            other => text.push(other),
        }
    }
    // A hint follows in the same text where a message is printed before the end of a program.
    text.split("  hint: ").next().unwrap_or_default().to_owned()
}

/// Returns the length of the texts of a message that are in `line` in this order, with any values
/// between them. A page may leave out the end of a line.
pub fn match_message(message: &str, line: &str) -> usize {
    let mut rest = line;
    let mut length = 0;
    for part in message.split(VALUE) {
        let Some((_, after)) = rest.split_once(part) else {
            break;
        };
        rest = after;
        length += part.len();
    }
    length
}

#[test]
fn literals_become_messages() {
    let source = r#"
        return Err(Failure::failed(format_args!("`{}` is {{not}} \
            {name:?}{}", a)).hint("do not"));
        let failure = Failure::usage(cause).context("no \"server\"");
        warn("one line\n\nhint: two");
        #[cfg(test)]
mod tests { Failure::failed("a test's") }
    "#;
    let found = messages_of("x/src/job.rs", source);
    let texts: Vec<_> = found.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["`…` is {not} …", "no \"server\"", "one line"]);
    let indirect = indirect_failures_of("x/src/job.rs", source);
    assert_eq!(indirect.len(), 1);
    assert_eq!(indirect[0].expression, "cause");
}

#[test]
fn lines_match_messages() {
    let line = "error: `bao1` is sealed";
    assert_eq!(match_message("`…` is sealed", line), 12);
    assert_eq!(match_message("`…` is sealed since … s", line), 1);
    assert_eq!(match_message("it is sealed", line), 0);
}
