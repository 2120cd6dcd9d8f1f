//! Whether a command said what the page shows.

use std::collections::BTreeMap;

use regex::Regex;

/// What later commands and prompts may use, by name.
pub type Values = BTreeMap<String, String>;

/// The ends of prompts: those at which `bao` takes a key share or a password, and that of `vault-snapshot restore`.
const PROMPTS: [&str; 2] = ["(will be hidden): $", "to go on: $"];

/// What somebody types at the prompts among the lines.
pub fn typed(expected: &[String], values: &Values) -> String {
    let names = expected.iter().filter_map(|line| prompt(line));
    names
        .map(|(_, name)| match values.get(name) {
            Some(value) => format!("{value}\n"),
            None => panic!("nobody knows `${name}`"),
        })
        .collect()
}

/// Finds each line in the output, in whatever order, for tables have none; gives the values that they name.
///
/// # Errors
/// The first line that is not there.
pub fn found(expected: &[String], output: &str) -> Result<Values, String> {
    let mut values = Values::new();
    let mut said: Vec<_> = output.lines().collect();
    for line in expected {
        let pattern = pattern(line);
        let place = said.iter().position(|said| pattern.is_match(said));
        let Some(captures) = place.and_then(|place| pattern.captures(said.remove(place))) else {
            return Err(line.clone());
        };
        for name in pattern.capture_names().flatten() {
            values.insert(name.to_owned(), captures[name].to_owned());
        }
    }
    Ok(values)
}

fn pattern(line: &str) -> Regex {
    // A prompt has no end: what comes next may stand in the same line.
    let (line, end) = match prompt(line) {
        Some((prompt, _)) => (prompt, ""),
        None => (line, r"\s*$"),
    };
    let words: Vec<_> = line.split_whitespace().map(word).collect();
    let text = format!(r"^\s*{}{end}", words.join(r"\s+"));
    Regex::new(&text).unwrap_or_else(|error| panic!("`{line}`: {error}"))
}

/// What is asked, and the name of what is typed there.
fn prompt(line: &str) -> Option<(&str, &str)> {
    PROMPTS.iter().find_map(|end| line.split_once(end))
}

fn word(word: &str) -> String {
    match word.strip_prefix('$') {
        Some(name) => format!(r"(?<{name}>\S+)"),
        None => word
            .split('…')
            .map(regex::escape)
            .collect::<Vec<_>>()
            .join(".*?"),
    }
}

#[test]
fn output_is_compared_as_people_do() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let output = "Nonce    123\nProgress    1/3\nOTP   abc\nOTP Length  3\n";
    let values = found(&lines("Nonce …\nOTP $OTP"), output).expect("they are there");
    assert_eq!(values["OTP"], "abc");
    found(&lines("OTP $OTP\nNonce …"), output).expect("in another order, too");
    found(&lines("Nonce …\nNonce …"), output).expect_err("it was said once");
    found(&lines("Progress 2/3"), output).expect_err("that was not said");
    found(&lines("Progress 1"), output).expect_err("to the end of the line");
    let typing = lines("Unseal Key (will be hidden): $SHARE_1\nSealed false");
    let said = "Unseal Key (will be hidden): \nSealed   false";
    found(&typing, said).expect("the prompt is there, what was typed is not");
    let known = Values::from([("SHARE_1".to_owned(), "secret".to_owned())]);
    assert_eq!(typed(&typing, &known), "secret\n");
    let asked = lines("Type the name to go on: $SHARE_1\ndone");
    found(&asked, "Type the name to go on:\ndone").expect("that is a prompt, too");
    assert_eq!(typed(&asked, &known), "secret\n");
}
