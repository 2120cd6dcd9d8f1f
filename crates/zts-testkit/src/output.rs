//! The results of runs, and assertions on them.

use std::{fmt::Write as _, process::ExitStatus, time::Duration};

use crate::text::normalize_output;

/// The result of a run. It displays as one text of exit status, stdout and stderr for a snapshot,
/// without ports, temporary folders, times and durations, which differ from run to run.
#[derive(Clone, Debug)]
pub struct RunOutput {
    /// The exit status.
    pub status: ExitStatus,
    /// The text on stdout; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// The text on stderr; bytes that are not UTF-8 are replaced.
    pub stderr: String,
    /// The duration of the run, within a millisecond.
    pub time: Duration,
}

impl RunOutput {
    /// Returns the exit code, or `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts that the exit status is 0, and returns the output.
    #[expect(clippy::return_self_not_must_use, reason = "a test may need no more")]
    #[track_caller]
    pub fn assert_success(self) -> Self {
        self.assert_status(0)
    }

    /// Asserts that the exit status is `code`, and returns the output.
    #[expect(clippy::return_self_not_must_use, reason = "a test may need no more")]
    #[track_caller]
    pub fn assert_status(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Asserts that the exit status is `code` and that stderr has `part`, and returns the output.
    #[expect(clippy::return_self_not_must_use, reason = "a test may need no more")]
    #[track_caller]
    pub fn assert_failure(self, code: i32, part: &str) -> Self {
        assert_eq!(self.code(), Some(code), "expected `{part}`: {self}");
        self.assert_reports(part);
        self
    }

    /// Asserts that stderr has `part`.
    #[track_caller]
    pub fn assert_reports(&self, part: &str) {
        assert!(
            self.stderr.contains(part),
            "`{part}` is not on stderr: {self}"
        );
    }

    /// Asserts that stdout has `part`.
    #[track_caller]
    pub fn assert_prints(&self, part: &str) {
        assert!(
            self.stdout.contains(part),
            "`{part}` is not on stdout: {self}"
        );
    }

    /// Asserts that neither stdout nor stderr has `part`.
    #[track_caller]
    pub fn assert_lacks(&self, part: &str) {
        let is_there = self.stdout.contains(part) || self.stderr.contains(part);
        assert!(!is_there, "`{part}` is in the output: {self}");
    }
}

impl std::fmt::Display for RunOutput {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("{}\n", self.status);
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let end = if content.is_empty() || content.ends_with('\n') {
                ""
            } else {
                "[no newline at the end]\n"
            };
            write!(text, "----- {name} -----\n{content}{end}")?;
        }
        formatter.write_str(&normalize_output(&text))
    }
}
