//! Pages name the tests that prove their statements: `crate: file::test` or `scenario: name`.

use std::{fs, path::PathBuf};

use zts_book::{Outline, pages, read, root};

/// Returns the file of a test that a page names, and a text in it; `None` for code that names no
/// test.
fn locate_test(code: &str) -> Option<(PathBuf, String)> {
    let plain = |word: &str, more: &str| {
        let good = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || more.contains(letter)
        };
        !word.is_empty() && word.chars().all(good)
    };
    let (owner, name) = code.split_once(": ")?;
    if owner == "scenario" {
        return plain(name, "-").then(|| {
            let file = format!("tests/scenarios/{name}.py");
            (root().join(file), "\"\"\"".to_owned())
        });
    }
    let (file, test) = name.split_once("::")?;
    (plain(owner, "-") && plain(file, "_") && plain(test, "_")).then(|| {
        let file = format!("crates/{owner}/tests/suite/{file}.rs");
        (root().join(file), format!("fn {test}()"))
    })
}

fn test_exists(code: &str) -> Option<bool> {
    let (file, text) = locate_test(code)?;
    Some(fs::read_to_string(file).is_ok_and(|content| content.contains(&text)))
}

#[test]
fn tests_that_pages_name_exist() {
    let mut missing = Vec::new();
    let mut count = 0;
    for page in pages("") {
        for code in Outline::parse(&read(&page)).codes {
            match test_exists(&code) {
                Some(true) => count += 1,
                Some(false) => missing.push(format!("{page}: `{code}`")),
                None => {}
            }
        }
    }
    assert!(count > 40, "only {count} tests are named");
    assert!(
        missing.is_empty(),
        "there is no such test:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_row_of_what_happens_when_names_a_test() {
    let text = read("explanation/what-happens-when.md");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| event"));
    let mut count = 0;
    for row in rows.filter(|row| !row.starts_with("| ---")) {
        let named = Outline::parse(row)
            .codes
            .iter()
            .any(|code| test_exists(code) == Some(true));
        assert!(named, "no test shows this: {row}");
        count += 1;
    }
    assert!(count > 15, "only {count} rows");
}

#[test]
fn a_missing_test_is_reported() {
    assert_eq!(
        test_exists("vault-fetch: unavailable::a_sealed_server"),
        Some(true)
    );
    assert_eq!(
        test_exists("vault-fetch: unavailable::a_sealed"),
        Some(false)
    );
    assert_eq!(
        test_exists("vault-fetch: nowhere::a_sealed_server"),
        Some(false)
    );
    assert_eq!(test_exists("scenario: unreachable"), Some(true));
    assert_eq!(test_exists("scenario: nothing"), Some(false));
    assert_eq!(test_exists("hint: something else"), None);
}
