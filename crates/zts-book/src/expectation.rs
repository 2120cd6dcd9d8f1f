//! Compares the output of a command with the lines of a page.

use std::collections::BTreeMap;

use regex::Regex;

/// The values that later commands and prompts may use, by name.
pub type Values = BTreeMap<String, String>;

/// The ends of prompts: those of `bao` for a key share or a password, and that of
/// `vault-snapshot restore`.
const PROMPTS: [&str; 2] = ["(will be hidden): $", "to continue: $"];

/// Returns the input for the prompts among the lines.
pub fn prompt_input(expected: &[String], values: &Values) -> String {
    let names = expected.iter().filter_map(|line| split_prompt(line));
    names
        .map(|(_, name)| match values.get(name) {
            Some(value) => format!("{value}\n"),
            None => panic!("`${name}` has no value"),
        })
        .collect()
}

/// Finds each line in the output, in any order, because tables have none. Returns the values that
/// the lines name.
///
/// # Errors
/// The first line that is missing.
pub fn match_output(expected: &[String], output: &str) -> Result<Values, String> {
    let mut values = Values::new();
    let mut lines: Vec<_> = output.lines().collect();
    for line in expected {
        let pattern = pattern(line);
        let index = lines.iter().position(|line| pattern.is_match(line));
        let Some(captures) = index.and_then(|index| pattern.captures(lines.remove(index))) else {
            return Err(line.clone());
        };
        for name in pattern.capture_names().flatten() {
            values.insert(name.to_owned(), captures[name].to_owned());
        }
    }
    Ok(values)
}

fn pattern(line: &str) -> Regex {
    // Nothing ends the line of a prompt: the next output may follow in it.
    let (line, end) = match split_prompt(line) {
        Some((prompt, _)) => (prompt, ""),
        None => (line, r"\s*$"),
    };
    let words: Vec<_> = line.split_whitespace().map(word).collect();
    let text = format!(r"^\s*{}{end}", words.join(r"\s+"));
    Regex::new(&text).unwrap_or_else(|error| panic!("`{line}`: {error}"))
}

/// Returns the text of a prompt, and the name of the value that is typed there.
fn split_prompt(line: &str) -> Option<(&str, &str)> {
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
fn output_matches_in_any_order_and_with_any_space() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let output = "Nonce    123\nProgress    1/3\nOTP   abc\nOTP Length  3\n";
    let values = match_output(&lines("Nonce …\nOTP $OTP"), output).expect("they are there");
    assert_eq!(values["OTP"], "abc");
    match_output(&lines("OTP $OTP\nNonce …"), output).expect("in another order, too");
    match_output(&lines("Nonce …\nNonce …"), output).expect_err("it was said once");
    match_output(&lines("Progress 2/3"), output).expect_err("that was not said");
    match_output(&lines("Progress 1"), output).expect_err("to the end of the line");
    let typing = lines("Unseal Key (will be hidden): $SHARE_1\nSealed false");
    let said = "Unseal Key (will be hidden): \nSealed   false";
    match_output(&typing, said).expect("the prompt is there, what was typed is not");
    let known = Values::from([("SHARE_1".to_owned(), "secret".to_owned())]);
    assert_eq!(prompt_input(&typing, &known), "secret\n");
    let asked = lines("Type the name to continue: $SHARE_1\ndone");
    match_output(&asked, "Type the name to continue:\ndone").expect("that is a prompt, too");
    assert_eq!(prompt_input(&asked, &known), "secret\n");
}
