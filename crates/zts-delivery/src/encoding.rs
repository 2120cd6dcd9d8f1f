//! The encodings of values: as JSON, and Base64 for bytes, which JSON does not have.

use base64::{
    DecodeError, Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;
use zts_openbao::SecretValue;

use crate::error::Error;

/// Base64 with or without `=` at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns the bytes of which the value of `key` is the Base64 (RFC 4648, section 4). White space
/// in it, such as line breaks, is ignored. `secret` is the path, for the error.
///
/// # Errors
/// [`Error::NotBase64`], which says nothing of the value.
pub(crate) fn decode_base64(
    secret: &str,
    key: &str,
    value: &SecretValue,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let decoded = if json_of(value).starts_with('"') {
        decode_text(value.to_bytes())
    } else {
        Err("it is not a string")
    };
    decoded.map_err(|reason| Error::NotBase64 {
        mount: None,
        secret: secret.to_owned(),
        key: key.to_owned(),
        reason,
    })
}

/// Returns the bytes of which `text` is the Base64, as [`decode_base64`] does.
///
/// # Errors
/// The reason.
pub(crate) fn decode_text(
    mut text: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    text.retain(|byte| !byte.is_ascii_whitespace());
    decode(&text)
}

fn decode(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    // with room for all, because a buffer that grows leaves copies in memory
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    match BASE64.decode_vec(text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(DecodeError::InvalidByte(..)) => {
            Err("it has characters other than letters, digits, `+`, `/`, and `=` at the end")
        }
        Err(DecodeError::InvalidLastSymbol { .. }) => {
            Err("its last character has bits that belong to no byte")
        }
        Err(_) => Err("its end is cut off"),
    }
}

/// Returns the value as JSON, as the server sent it.
pub(crate) fn json_of(value: &SecretValue) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(value).unwrap_or_default()) // a text that is there cannot fail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(json: &str) -> Result<Vec<u8>, String> {
        let value: SecretValue = serde_json::from_str(json).unwrap();
        let bytes = decode_base64("hosts/web01/app", "keystore.p12", &value);
        bytes
            .map(|bytes| bytes.to_vec())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn base64_is_decoded_with_and_without_line_breaks_and_padding() {
        for (json, bytes) in [
            (r#""AP8K""#, &b"\x00\xff\x0a"[..]),
            (r#""AA==""#, b"\x00"),
            (r#""AA""#, b"\x00"),
            (r#""AP8K\nAA==\n""#, b"\x00\xff\x0a\x00"),
            (r#"" AP8K\r\n\tAA\r\n""#, b"\x00\xff\x0a\x00"),
            (r#""+/+/""#, b"\xfb\xff\xbf"),
            (r#""""#, b""),
            (r#"" \n""#, b""),
        ] {
            assert_eq!(decoded(json).unwrap(), bytes, "{json}");
        }
    }

    #[test]
    fn other_values_are_refused_without_their_text() {
        let not_base64 = "characters other than";
        for (json, reason) in [
            (r#""hunter-2""#, not_base64),
            (r#""aHVudGVyMg=x""#, not_base64),
            (r#""aHVudGVyMg\u0000""#, not_base64),
            (r#""schlüssel""#, not_base64),
            (r#""aHVud""#, "cut off"),
            (r#""aHVu=""#, not_base64),
            (r#""AB==""#, "belong to no byte"),
            ("1234", "not a string"),
            (r#"["AAAA"]"#, "not a string"),
            ("null", "not a string"),
        ] {
            let error = decoded(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
            assert!(
                error.starts_with("the key \"keystore.p12\" of `hosts/web01/app` is not Base64: "),
                "{error}"
            );
            assert!(
                !error.contains("hunter") && !error.contains("aHV"),
                "{error}"
            );
        }
    }
}
