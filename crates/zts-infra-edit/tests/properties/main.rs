//! The properties of edits, for generated sources of any layout.
//!
//! A removal restores the source before the addition; all other hosts keep their text; a second
//! addition changes nothing; the result always parses. The sources have odd indentation, comments
//! and blank lines in every place, CRLF, and entries that share a line.

#![expect(
    clippy::unwrap_used,
    reason = "only tests call these: what fails here is a failed test"
)]

mod data;
mod flakes;
mod foreign;
mod layout;
mod lists;
mod machines;

use proptest::test_runner::{Config, FileFailurePersistence};

/// Returns the configuration: 256 cases, or the number in `PROPTEST_CASES`. Failed cases are saved
/// beside the source and repeated first.
fn config() -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config {
        failure_persistence: Some(Box::new(persistence)),
        ..Config::default()
    }
}

/// Checks that `after` is `before` with one insertion, which replaces at most blanks.
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
