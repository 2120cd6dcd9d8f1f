//! A secret as a file for systemd's `EnvironmentFile=`: one `KEY="value"` for each key.
//!
//! Between double quotes, only `"`, `\`, `` ` `` and `$` have a meaning for systemd and for a
//! shell. A `\` before them takes that away. So a shell that sources the file reads the same.

use zeroize::Zeroizing;
use zts_openbao::SecretMap;

use crate::{error::Error, template::join};

/// The longest variable of a process on Linux, with name, `=` and the NUL at its end.
const LONGEST: usize = 128 << 10;

/// Returns the file with all keys.
///
/// # Errors
/// [`Error::Variable`] for the first key that systemd would ignore.
pub(crate) fn render(secret: &str, values: &SecretMap) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut lines = Vec::with_capacity(values.len());
    for (key, value) in values {
        let value = value.to_bytes();
        if let Some(reason) = reason_against_name(key).or_else(|| reason_against_value(key, &value))
        {
            return Err(Error::Variable {
                secret: secret.to_owned(),
                key: key.clone(),
                reason,
            });
        }
        lines.push(line(key, &value));
    }
    Ok(join(&lines))
}

fn line(key: &str, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'`' | b'$');
    let escapes = value.iter().filter(|byte| special(byte)).count();
    let length = key.len() + value.len() + escapes + 4;
    let mut line = Zeroizing::new(Vec::with_capacity(length));
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"=\"");
    for byte in value {
        if special(byte) {
            line.push(b'\\');
        }
        line.push(*byte);
    }
    line.extend_from_slice(b"\"\n");
    line
}

fn reason_against_name(key: &str) -> Option<&'static str> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if key.is_empty() || !key.bytes().all(is_word) {
        Some("a variable's name has letters, digits and `_` only")
    } else if key.starts_with(|first: char| first.is_ascii_digit()) {
        Some("a variable's name does not start with a digit")
    } else {
        None
    }
}

/// Returns the reason why a value cannot be in the file. systemd accepts control characters, and
/// refuses the whole file for a Unicode noncharacter.
fn reason_against_value(key: &str, value: &[u8]) -> Option<&'static str> {
    let Ok(text) = str::from_utf8(value) else {
        return Some("its value is not text");
    };
    if text.contains('\0') {
        Some("its value has a NUL character")
    } else if text.chars().any(is_noncharacter) {
        Some("its value has a character that is not for exchange (a Unicode noncharacter)")
    } else if key.len() + value.len() + 2 > LONGEST {
        Some("its value is longer than 128 KiB, the most that Linux hands to a program")
    } else {
        None
    }
}

fn is_noncharacter(letter: char) -> bool {
    let code = u32::from(letter);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render_one(key: &str, value: &str) -> Result<String, String> {
        let secret = serde_json::json!({ key: value }).to_string();
        let values: SecretMap = serde_json::from_str(&secret).unwrap();
        let file = render("hosts/web01/db", &values).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(file.to_vec()).unwrap())
    }

    #[test]
    fn values_are_quoted() {
        for (value, line) in [
            ("", r#"KEY="""#),
            ("plain", r#"KEY="plain""#),
            ("  blanks\t", "KEY=\"  blanks\t\""),
            ("a\nb\n", "KEY=\"a\nb\n\""),
            (r#"it's "it""#, r#"KEY="it's \"it\"""#),
            (r"back\slash\", r#"KEY="back\\slash\\""#),
            ("$HOME `id` #;!%i", r#"KEY="\$HOME \`id\` #;!%i""#),
            ("ü密🔑", "KEY=\"ü密🔑\""),
            ("a\r\n\u{1b}[0m\u{7f}", "KEY=\"a\r\n\u{1b}[0m\u{7f}\""),
        ] {
            assert_eq!(
                render_one("KEY", value),
                Ok(format!("{line}\n")),
                "{value:?}"
            );
        }
    }

    #[test]
    fn keys_that_systemd_would_ignore_are_refused() {
        let long = "x".repeat(LONGEST - 4);
        for (key, value) in [
            ("", "v"),
            ("tls.crt", "v"),
            ("api-key", "v"),
            ("a b", "v"),
            ("1st", "v"),
            ("ü", "v"),
            ("A=B", "v"),
            ("A\nB", "v"),
            ("KEY", "a\0b"),
            ("KEY", "\u{feff}\u{ffff}"),
            ("KEY", "\u{fdd0}"),
            ("KEY", long.as_str()),
        ] {
            let said = render_one(key, value).unwrap_err();
            assert!(
                said.starts_with(&format!(
                    "the key {key:?} of `hosts/web01/db` cannot be in an environment file: "
                )),
                "{said}"
            );
        }
        assert!(render_one("KEY", &long[1..]).is_ok());
        assert!(render_one("_key1", "\u{feff}\u{85}").is_ok());
    }

    #[test]
    fn other_json_is_written_as_json() {
        let values = r#"{"A":5432,"B":{"c":[true,null]},"C":null}"#;
        let file = render("s", &serde_json::from_str(values).unwrap()).unwrap();
        let expected = "A=\"5432\"\nB=\"{\\\"c\\\":[true,null]}\"\nC=\"null\"\n";
        assert_eq!(String::from_utf8_lossy(&file), expected);
    }
}
