//! API paths: checks and encoding for a URL.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::Error;

/// The characters that RFC 3986 does not allow in a segment of a path.
const NOT_IN_A_SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Encodes `path` for a URL.
///
/// # Errors
/// A path that a server would read as another one: with an empty segment, `.` or `..`.
pub(crate) fn encode(path: &str) -> Result<String, Error> {
    let trimmed = path.strip_suffix('/').unwrap_or(path); // a listing ends in one
    if trimmed
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err(Error::Path {
            path: path.to_owned(),
        });
    }
    Ok(utf8_percent_encode(path, NOT_IN_A_SEGMENT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_encoded() {
        assert_eq!(
            encode("secret/data/a b?c#d%ü").unwrap(),
            "secret/data/a%20b%3Fc%23d%25%C3%BC"
        );
        assert_eq!(
            encode("secret/metadata/hosts/").unwrap(),
            "secret/metadata/hosts/"
        );
    }

    #[test]
    fn an_ambiguous_path_is_rejected() {
        for path in ["", "/", "a//b", "/a", "../a", "a/./b", "a/.."] {
            assert!(encode(path).is_err(), "{path}");
        }
    }
}
