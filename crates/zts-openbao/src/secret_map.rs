//! The keys and values of a secret.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// One value of a secret, as the JSON that the server sent. Its Debug output shows only its size.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretValue(Box<RawValue>);

impl SecretValue {
    /// Creates a value that is a string.
    pub fn from_text(text: &str) -> Self {
        let json = serde_json::value::to_raw_value(text);
        Self(json.unwrap_or_else(|_| RawValue::NULL.to_owned())) // a string cannot fail
    }

    /// Returns the contents of a file with this value: a string without quotes, other JSON exactly
    /// as the server sent it, so that numbers are not rounded.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let json = self.0.get();
        let bytes = match serde_json::from_str::<String>(json) {
            Ok(text) => text.into_bytes(),
            Err(_) => json.as_bytes().to_vec(),
        };
        Zeroizing::new(bytes)
    }

    /// Returns the number of bytes of the JSON.
    pub fn size(&self) -> usize {
        self.0.get().len()
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} bytes of JSON>", self.0.get().len())
    }
}

/// A secret's keys with their values, sorted by key.
pub type SecretMap = BTreeMap<String, SecretValue>;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> SecretValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn strings_are_unquoted_and_other_json_is_kept() {
        let pairs = [
            (r#""a\nb \u00fc""#, "a\nb ü"),
            ("12345678901234567890123.50", "12345678901234567890123.50"),
            ("null", "null"),
            (r#"{"a":[1,true]}"#, r#"{"a":[1,true]}"#),
            (r#""""#, ""),
        ];
        for (json, file) in pairs {
            assert_eq!(*value(json).to_bytes(), file.as_bytes(), "{json}");
        }
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert_eq!(format!("{:?}", value(r#""hunter2""#)), "<9 bytes of JSON>");
    }
}
