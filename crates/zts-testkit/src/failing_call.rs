//! System calls that fail, as on a broken disk.

use std::{fs, path::PathBuf};

use crate::{
    program::find_program,
    run::Run,
    scratch::{ScratchDir, scratch_dir},
};

/// The kinds of system calls that find and change files. A kind has more than one call where
/// architectures differ; `?` precedes those that some lack.
pub const FILE_CALLS: [&str; 10] = [
    "openat",
    "?statx",
    "write",
    "fsync",
    "fallocate",
    "ftruncate",
    "fchmod",
    "?rename,?renameat,renameat2",
    "?unlink,unlinkat",
    "?mkdir,mkdirat",
];

/// One call of a program that fails with `EIO`: the first, second … of its kind. strace injects
/// the error.
#[derive(Debug)]
pub struct FailingCall {
    calls: &'static str,
    number: u32,
    strace: PathBuf,
    folder: ScratchDir,
}

impl FailingCall {
    /// Calls `attempt` for the first call of each kind, the second, and so on, until the program
    /// has fewer calls. `attempt` runs the program with [`FailingCall::inject`]. Returns the number
    /// of errors.
    ///
    /// # Panics
    /// Without strace: see [`crate::require_program`].
    pub fn for_each(kinds: &[&'static str], mut attempt: impl FnMut(&Self)) -> u32 {
        let strace = find_program("strace").expect("the test requires strace");
        let mut injected = 0;
        for calls in kinds {
            for number in 1.. {
                let failing = Self {
                    calls,
                    number,
                    strace: strace.clone(),
                    folder: scratch_dir(),
                };
                attempt(&failing);
                if !failing.was_injected() {
                    break;
                }
                injected += 1;
            }
        }
        injected
    }

    /// Injects the error into a run.
    #[must_use]
    pub fn inject(&self, run: Run) -> Run {
        let (calls, number) = (self.calls, self.number);
        run.within(
            &self.strace,
            [
                "--follow-forks",
                "--seccomp-bpf",
                "--output",
                &self.trace().to_string_lossy(),
                "--trace",
                calls,
                &format!("--inject={calls}:error=EIO:when={number}"),
                "--",
            ],
        )
    }

    /// Returns whether the program came to that call.
    pub fn was_injected(&self) -> bool {
        let trace = fs::read(self.trace()).expect("strace writes its output");
        String::from_utf8_lossy(&trace).contains("(INJECTED)")
    }

    fn trace(&self) -> PathBuf {
        self.folder.join("trace")
    }
}

impl std::fmt::Display for FailingCall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "call {} of `{}` fails", self.number, self.calls)
    }
}
