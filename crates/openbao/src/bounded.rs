//! Texts of servers that are no secrets: none is longer than a person would write it.
//!
//! A hostile node could otherwise fill memory, a metrics page or a journal by one name. An answer with a
//! longer one, or with control characters in it, is not OpenBao's.

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, Visitor},
};

/// The longest name, address, version or time that is taken, in bytes.
pub(crate) const LONGEST: usize = 512;

/// Reads a text of at most [`LONGEST`] bytes; for `#[serde(deserialize_with)]`.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    from.deserialize_str(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line of at most {LONGEST} bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.len() > LONGEST || text.contains(char::is_control) {
            return Err(E::custom("a text that no OpenBao sends"));
        }
        Ok(text.to_owned())
    }
}
