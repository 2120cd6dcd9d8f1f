//! The three functions on modules in many shapes. Each file of `tests/data` has a module, its
//! moves, and the expected results; `NIX_TEXT=write` writes the latter.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::{FileDeclarations, Left, Move, Value, declarations, insert, replace};
use crate::tool::Tool;

/// The sections of a file: the name of each, and its text.
type Sections = Vec<(String, String)>;

fn data_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn read_sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("==== "), sections.last_mut()) {
            (Some(name), _) => sections.push((name.trim().to_owned(), String::new())),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => {}
        }
    }
    sections
}

fn section<'a>(sections: &'a Sections, name: &str) -> &'a str {
    let mut all = sections.iter();
    let found = all.find(|(one, _)| one == name);
    found.map_or("", |(_, text)| text)
}

/// Reads lines such as `sops app/password -> app password`, with a replacement behind ` = `.
pub(super) fn read_moves(text: &str) -> Vec<Move> {
    let read = |line: &str| {
        let (names, replacement) = match line.split_once(" = ") {
            Some((names, replacement)) => (names, Some(replacement.to_owned())),
            None => (line, None),
        };
        let (old, new) = names.split_once(" -> ").unwrap();
        let (tool, old) = old.split_once(' ').unwrap();
        let (secret, file) = new.split_once(' ').unwrap();
        let tool = Tool::ALL.into_iter().find(|one| one.option() == tool);
        Move {
            tool: tool.unwrap(),
            old: old.to_owned(),
            secret: secret.to_owned(),
            file: file.to_owned(),
            replacement,
        }
    };
    text.lines().map(read).collect()
}

fn write_left(text: &mut String, left: &[Left]) {
    for Left {
        line,
        text: code,
        reason,
    } in left
    {
        writeln!(text, "left {line}: {reason}\n  | {code}").unwrap();
    }
}

fn write_declarations(file: &FileDeclarations) -> String {
    let mut text = String::new();
    let value = |value: &Value| match value {
        Value::Expression(expression) => format!("({})", expression.replace('\n', "⏎")),
        other => format!("{other:?}"),
    };
    for one in &file.secrets {
        writeln!(text, "{} {:?} {}", one.tool.option(), one.name, one.line).unwrap();
        for (name, attribute) in &one.attributes {
            let local = if attribute.is_local { " local" } else { "" };
            let value = value(&attribute.value);
            writeln!(text, "  {name} {} = {value}{local}", attribute.line).unwrap();
        }
        write_left(&mut text, &one.unread);
    }
    if let Some(file) = &file.default_sops_file {
        writeln!(text, "default {} = {}", file.line, value(&file.value)).unwrap();
    }
    for template in &file.templates {
        writeln!(text, "template {:?} {}", template.name, template.line).unwrap();
    }
    write_left(&mut text, &file.unread);
    for (set, names) in [
        ("secrets", &file.vault_secrets),
        ("templates", &file.vault_templates),
    ] {
        for name in names {
            writeln!(text, "vault.{set} {name:?}").unwrap();
        }
    }
    text
}

/// Returns the results of the three functions as sections.
fn results(source: &str, moves: &[Move], bindings: &str) -> Sections {
    let mut sections = Sections::new();
    let mut add = |name: &str, text: String| sections.push((name.to_owned(), text));
    add(
        "declarations",
        write_declarations(&declarations(source).unwrap()),
    );
    let inserted = insert(source, moves, bindings).unwrap();
    add("inserted", inserted.text.clone());
    let mut notes = format!("bindings {}\n", inserted.has_bindings);
    for template in &inserted.templates {
        writeln!(notes, "template {template}").unwrap();
    }
    write_left(&mut notes, &inserted.left);
    add("insert notes", notes);
    let replaced = replace(&inserted.text, moves, &inserted.templates).unwrap();
    add("replaced", replaced.text);
    let mut notes = String::new();
    write_left(&mut notes, &replaced.left);
    add("replace notes", notes);
    sections
}

#[test]
fn each_shape_has_its_texts() {
    let mut different = Vec::new();
    let files = data_files();
    assert!(files.len() >= 10, "{} files", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let sections = read_sections(&text);
        let moves = read_moves(section(&sections, "moves"));
        let bindings = section(&sections, "bindings");
        let source = section(&sections, "source");
        let results = results(source, &moves, bindings);
        let mut expected = String::new();
        for (name, text) in sections.iter().take(3).chain(&results) {
            writeln!(expected, "==== {name}").unwrap();
            expected.push_str(text);
        }
        if env::var("NIX_TEXT").is_ok_and(|mode| mode == "write") {
            fs::write(&path, expected).unwrap();
        } else if expected != text {
            eprintln!("{}:\n{expected}", path.display());
            different.push(path);
        }
    }
    assert_eq!(different, Vec::<PathBuf>::new());
}

#[test]
fn line_breaks_of_windows_stay() {
    for path in data_files() {
        let text = fs::read_to_string(&path).unwrap();
        let sections = read_sections(&text);
        let moves = read_moves(section(&sections, "moves"));
        let source = section(&sections, "source").replace('\n', "\r\n");
        let inserted = insert(&source, &moves, section(&sections, "bindings")).unwrap();
        let replaced = replace(&inserted.text, &moves, &inserted.templates).unwrap();
        for (name, text) in [("inserted", inserted.text), ("replaced", replaced.text)] {
            let lone = text.replace("\r\n", "");
            assert!(!lone.contains(['\r', '\n']), "{}: {text:?}", path.display());
            let expected = section(&sections, name);
            let lines = |text: &str| -> Vec<String> {
                // the lines of strings with such line breaks are not indented anew
                text.lines().map(|line| line.trim().to_owned()).collect()
            };
            assert_eq!(lines(&text), lines(expected), "{}", path.display());
        }
    }
}
