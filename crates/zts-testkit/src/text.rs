//! Encodings of a text, for the search for leaked secrets, and output without variable parts.

use std::sync::LazyLock;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use regex::Regex;

/// Returns `text` plain, in base64 (both alphabets), in hex and percent-encoded.
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

/// Returns a part of `secret` that `text` contains in any encoding. Half of the secret counts as a
/// leak.
pub fn find_leak(secret: &str, text: &str) -> Option<String> {
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

/// The patterns that differ from run to run, with their replacements.
static VARIABLE_PARTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let temporary = regex::escape(&std::env::temp_dir().to_string_lossy());
    let temporary = format!(
        r"{}/(zero-touch-secrets-test-|\.tmp)[A-Za-z0-9]{{6}}",
        temporary.trim_end_matches('/')
    );
    [
        (temporary.as_str(), "[temporary]"),
        (r"(127\.0\.0\.1|\[::1\]|localhost):\d+", "${1}:[port]"),
        (
            r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[ ]?[+-]\d\d:?\d\d)?",
            "[time]",
        ),
        (r"\b\d+(\.\d+)? ?(µs|ms|s|seconds?)\b", "[duration]"),
        // With a DNS server that knows no such name, and without one.
        (
            r"(failed to lookup address information): (Name or service not known|Temporary failure in name resolution)",
            "${1}: [reason]",
        ),
    ]
    .map(|(pattern, replacement)| {
        (
            Regex::new(pattern).expect("the patterns are valid"),
            replacement,
        )
    })
    .into()
});

/// Replaces ports, temporary folders, times, durations and the resolver's reasons in `text` by
/// `[port]` and the like.
pub fn normalize_output(text: &str) -> String {
    VARIABLE_PARTS
        .iter()
        .fold(text.to_owned(), |text, (pattern, replacement)| {
            pattern.replace_all(&text, *replacement).into_owned()
        })
}
