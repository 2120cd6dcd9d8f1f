//! The ways in which a text may be written, for tests that look for what must not be shown.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};

/// `text` plain, in base64 (both alphabets), in hex and percent-encoded.
pub fn encodings(text: &str) -> Vec<String> {
    let bytes = |form: fn(u8) -> String| text.bytes().map(form).collect::<String>();
    vec![
        text.to_owned(),
        BASE64_STANDARD.encode(text),
        BASE64_URL_SAFE_NO_PAD.encode(text),
        bytes(|byte| format!("{byte:02x}")),
        bytes(|byte| format!("%{byte:02X}")),
    ]
}

/// A part of `secret` that `text` shows in some encoding; half a secret is too much of it.
pub fn shown_of(secret: &str, text: &str) -> Option<String> {
    let offsets = ["", "a", "ab"];
    let padded = offsets.map(|before| format!("{before}{secret}"));
    let forms = padded.iter().flat_map(|padded| encodings(padded));
    let text = text.to_ascii_lowercase();
    for form in forms {
        let form = form.to_ascii_lowercase();
        let inner = form.get(4..form.len() - 4).unwrap_or(&form);
        let part = &inner[inner.len() / 4..inner.len() * 3 / 4];
        if text.contains(part) {
            return Some(part.to_owned());
        }
    }
    None
}
