//! Texts that are the same in every run.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and what stands for it.
static UNSTEADY: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
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
    ]
    .map(|(pattern, stands_for)| {
        (
            Regex::new(pattern).expect("our own patterns are valid"),
            stands_for,
        )
    })
    .into()
});

/// `text` with ports, temporary folders, times and durations replaced by `[port]` and the like.
pub fn steady(text: &str) -> String {
    UNSTEADY
        .iter()
        .fold(text.to_owned(), |text, (pattern, by)| {
            pattern.replace_all(&text, *by).into_owned()
        })
}
