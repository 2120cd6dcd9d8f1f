//! Text that somebody else may have written, for a terminal.

use std::fmt::{self, Write};

/// The text with control characters as Rust writes them (`\u{1b}`): they could steer the terminal. Nothing but line
/// ends and tabs stays; for what is to be one line: [`printable_line`].
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |letter| !matches!(letter, '\n' | '\t'))
}

/// The same for what is one line, whatever is in it.
pub fn printable_line(text: impl fmt::Display) -> String {
    escaped(&text.to_string(), |_| true)
}

fn escaped(text: &str, steers: impl Fn(char) -> bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && steers(letter) {
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
    fn nothing_steers_a_terminal() {
        assert_eq!(
            printable("größe\u{1b}[31m\r\n\tx\u{9b}y"),
            "größe\\u{1b}[31m\\r\n\tx\\u{9b}y"
        );
        assert_eq!(printable_line("a\nb"), "a\\nb");
    }
}
