//! Text of foreign origin that is safe to show in a terminal.

use std::fmt::{self, Write};

use zts_net::redaction::{is_control_or_invisible, redact_secrets};

/// Returns the text without control characters and without any credential that this process sent.
pub(crate) fn clean(text: &str) -> String {
    printable(&redact_secrets(text))
}

/// Escapes control characters and invisible ones, which could steer the terminal, as Rust does
/// (`\u{1b}`). Line ends and tabs stay.
fn printable(text: &str) -> String {
    escape(text, |letter| !matches!(letter, '\n' | '\t'))
}

/// Escapes control characters and invisible ones, line ends and tabs included.
pub fn printable_line(text: impl fmt::Display) -> String {
    escape(&text.to_string(), |_| true)
}

/// Quotes the text as one word of a shell, for a command to paste.
pub fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-./:@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_control_or_invisible(letter) && is_escaped(letter) {
            let _ = write!(plain, "{}", letter.escape_default()); // writing to a String cannot fail
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_word_of_a_shell() {
        for (text, as_word) in [
            ("hosts/web01/db", "hosts/web01/db"),
            ("schlüssel", "schlüssel"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("it's", r"'it'\''s'"),
            ("-x", "'-x'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), as_word);
        }
    }

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        assert_eq!(
            printable("größe\u{1b}[31m\r\n\tx\u{9b}y"),
            "größe\\u{1b}[31m\\r\n\tx\\u{9b}y"
        );
        assert_eq!(printable_line("a\nb"), "a\\nb");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }
}
