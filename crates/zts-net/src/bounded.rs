//! Bounded reading of what a server sends.
//!
//! Without a limit, a hostile server could fill the memory, a metrics page or a journal.

use std::{
    fmt,
    io::{self, Read},
};

use serde::{
    Deserializer,
    de::{Error, Visitor},
};
use zeroize::Zeroizing;

/// The longest name, address, version or time that is accepted, in bytes.
pub const LONGEST_TEXT: usize = 512;

/// Deserializes a text of at most [`LONGEST_TEXT`] bytes without control characters; to be used
/// with `#[serde(deserialize_with)]`.
///
/// # Errors
/// A longer text, and one with control characters: neither OpenBao nor S3 sends one.
pub fn deserialize_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    from.deserialize_str(TextVisitor)
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line of at most {LONGEST_TEXT} bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.len() > LONGEST_TEXT || text.contains(char::is_control) {
            return Err(E::custom(
                "a text that is too long or has control characters",
            ));
        }
        Ok(text.to_owned())
    }
}

/// Reads `body` to its end; `None` where it is larger than `largest` bytes.
///
/// `announced` is the length that the server announced. The buffer has that capacity from the
/// beginning, because a growing buffer leaves copies of a secret in memory.
///
/// # Errors
/// A body that cannot be read to its end.
pub fn read_body(
    body: impl Read,
    announced: Option<u64>,
    largest: u64,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    const USUAL: u64 = 16 << 10;
    if announced.is_some_and(|length| length > largest) {
        return Ok(None);
    }
    let capacity = usize::try_from(announced.unwrap_or(USUAL)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity + 1));
    body.take(largest.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= largest).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_beyond_the_limit_is_rejected() {
        let read = |announced, largest| read_body(&b"12345678"[..], announced, largest).unwrap();
        assert_eq!(read(None, 8).unwrap().as_slice(), b"12345678");
        assert!(read(Some(8), 8).is_some());
        assert!(read(None, 7).is_none());
        assert!(read(Some(9), 8).is_none());
        assert!(read(Some(1), 7).is_none());
    }
}
