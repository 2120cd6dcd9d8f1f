//! systemd-creds, which encrypts small texts so that only this machine can read them: with a key in
//! its TPM, and one in a file of root's.
//!
//! Texts go through pipes only. They must be short: systemd 252 encrypts up to 1 MiB, and reads back
//! through a pipe no more than 850 KB of that.

use std::{
    io::{self, Read, Write},
    os::fd::AsFd,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use zeroize::Zeroizing;

/// What systemd-creds binds an encrypted text to, so that it is good for nothing else.
const NAME: &str = "--name=vault-fetch-cache";

/// A service waits for it while a copy is kept, so something that hangs is ended. A TPM needs about a
/// second, and serves one after the other.
const LIMIT_OF_ENCRYPTION: Duration = Duration::from_secs(10);

/// When a copy is opened there is nothing else to hope for.
const LIMIT_OF_DECRYPTION: Duration = Duration::from_secs(30);

/// More than an encrypted key with all that a TPM adds, and what fits into a pipe that nobody reads.
const LONGEST: u64 = 64 << 10;

/// Why a text was not encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The program is not there.
    #[error("there is no `systemd-creds` on PATH")]
    Missing,
    /// The program could not be run.
    #[error("`systemd-creds` could not be run: {0}")]
    NotRun(#[from] io::Error),
    /// The program failed.
    #[error("`systemd-creds {verb}` failed: {said}")]
    Failed {
        /// `encrypt` or `decrypt`.
        verb: &'static str,
        /// What it said, or how it ended.
        said: String,
    },
    /// The program took too long, and was ended.
    #[error("`systemd-creds {verb}` did not end within {} s", limit.as_secs())]
    Slow {
        /// `encrypt` or `decrypt`.
        verb: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The program says that it is done, and gave something else than an encrypted text.
    #[error("`systemd-creds encrypt` gave no encrypted text")]
    Nonsense,
    /// What comes out does not open what it is for.
    #[error("its key does not open it")]
    Mismatch,
}

/// Encrypts with what the machine has: its TPM, its file, or both. No state of the boot (PCR) counts:
/// a copy must survive an update of the system.
pub(crate) fn encrypt(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let arguments = ["encrypt", NAME, "--with-key=auto", "--tpm2-pcrs=", "-", "-"];
    run("encrypt", &arguments, text, LIMIT_OF_ENCRYPTION)
}

/// Decrypts what this machine encrypted.
pub(crate) fn decrypt(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    run(
        "decrypt",
        &["decrypt", NAME, "-", "-"],
        text,
        LIMIT_OF_DECRYPTION,
    )
}

fn run(
    verb: &'static str,
    arguments: &[&str],
    input: &[u8],
    limit: Duration,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut command = Command::new("systemd-creds");
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => SealError::Missing,
        _ => SealError::NotRun(cause),
    })?;
    let ended = feed(&mut child, input).and_then(|()| wait(&mut child, limit));
    if !matches!(ended, Ok(Some(_))) {
        let _ = child.kill().and_then(|()| child.wait()); // it is ours, and has not been waited for
    }
    let Some(status) = ended? else {
        return Err(SealError::Slow { verb, limit });
    };
    if !status.success() {
        let said = child.stderr.take().map(what_is_there).transpose()?;
        let said = last_line(&said.unwrap_or_default()).unwrap_or_else(|| status.to_string());
        return Err(SealError::Failed { verb, said });
    }
    let output = child.stdout.take().map(what_is_there).transpose()?;
    Ok(output.unwrap_or_default())
}

/// The text is shorter than a pipe's buffer: this does not wait for a reader.
fn feed(child: &mut Child, text: &[u8]) -> io::Result<()> {
    let Some(mut stdin) = child.stdin.take() else {
        return Ok(());
    };
    match stdin.write_all(text) {
        // it ended without reading, and its status says more than this
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        // it takes some milliseconds, or a second with a TPM: nobody waits much longer for this
        let pause = start.elapsed() / 8;
        thread::sleep(pause.clamp(Duration::from_micros(200), Duration::from_millis(20)));
    }
    Ok(None)
}

/// What an ended program left in its pipe, without waiting for what it may have started.
fn what_is_there(pipe: impl Read + AsFd) -> io::Result<Zeroizing<Vec<u8>>> {
    let flags = fcntl_getfl(&pipe)?;
    fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    match pipe.take(LONGEST).read_to_end(&mut bytes) {
        Err(cause) if cause.kind() != io::ErrorKind::WouldBlock => Err(cause),
        _ => Ok(bytes),
    }
}

/// Warnings come first, the reason last.
fn last_line(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().rev().find(|line| !line.trim().is_empty())?;
    let printable = line.trim().chars().filter(|letter| !letter.is_control());
    Some(printable.take(300).collect())
}
