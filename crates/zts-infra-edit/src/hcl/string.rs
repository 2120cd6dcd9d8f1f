//! Strings and identifiers.

use std::fmt::Write as _;

/// Returns `text` as a quoted string without templates.
///
/// The rules are those of `hclwrite`, the library of `tofu fmt` (HCL Native Syntax Specification,
/// "Template Literals"). `hcl-edit` would not escape a `$${`, which then means `${`.
pub(crate) fn quote_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if letters.peek() == Some(&'{') => quoted.extend([letter, letter]),
            _ if letter.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns whether a key means the same without quotes.
pub(crate) fn is_identifier(name: &str) -> bool {
    // `for` would begin a `for` expression, and the others are values.
    hcl_edit::Ident::try_new(name).is_ok() && !["for", "true", "false", "null"].contains(&name)
}

#[cfg(test)]
mod tests {
    use hcl_edit::expr::Expression;

    use super::*;

    #[test]
    fn strings_read_back_as_they_were() {
        for text in [
            "",
            "web01",
            "a\"b\\c",
            "${x} %{if}",
            "$ % $x 50%",
            "ü\n\r\t\u{1}",
            "{$}",
        ] {
            let parsed = hcl_edit::parser::parse_expr(&quote_string(text)).unwrap();
            assert!(
                matches!(&parsed, Expression::String(read) if read.value() == text),
                "{text:?}: {parsed:?}"
            );
        }
    }

    #[test]
    fn templates_are_escaped() {
        assert_eq!(quote_string("${x}%{y}$z"), r#""$${x}%%{y}$z""#);
        assert_eq!(quote_string("$${x}"), r#""$$${x}""#);
    }

    #[test]
    fn identifiers() {
        for name in ["web01", "web-01", "_x", "ü"] {
            assert!(is_identifier(name), "{name}");
        }
        for name in ["", "1a", "a.b", "a b", "for", "true", "null"] {
            assert!(!is_identifier(name), "{name}");
        }
    }
}
