//! What holds for every source, however it is laid out.
//!
//! Removing what was added gives back the very bytes; every other host keeps its text; adding twice is adding once; the
//! result always parses. The sources are made up: odd indentation, comments and blank lines in every place, CRLF, entries
//! that share a line.

#![expect(
    clippy::unwrap_used,
    reason = "only tests call these: what fails here is a failed test"
)]

mod flakes;
mod foreign;
mod layout;
mod machines;

use proptest::test_runner::{Config, FileFailurePersistence};

/// 256 cases, or as many as `PROPTEST_CASES` says; what failed once is kept beside the source and tried first.
fn config() -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config {
        failure_persistence: Some(Box::new(persistence)),
        ..Config::default()
    }
}

/// Checks that `after` is `before` with something put in at one place, where at most blanks were.
fn assert_only_inserted(before: &str, after: &str) {
    let prefix = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(left, right)| left == right)
        .count();
    let rest = before.len().min(after.len()) - prefix;
    let pairs = before.bytes().rev().zip(after.bytes().rev()).take(rest);
    let suffix = pairs.take_while(|(left, right)| left == right).count();
    let replaced = &before.as_bytes()[prefix..before.len() - suffix];
    assert!(
        replaced.iter().all(u8::is_ascii_whitespace),
        "more than blanks were replaced in\n{before}\n{after}"
    );
}
