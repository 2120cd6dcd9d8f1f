//! systemd-creds, which encrypts small texts so that only this machine can read them: with a key in
//! its TPM, and with one in a file of root's.
//!
//! Texts are passed through pipes only. They must be short: systemd 252 encrypts up to 1 MiB, and
//! reads back 850 KB through a pipe.

use std::{
    io::{self, Read, Write},
    os::fd::AsFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use zeroize::Zeroizing;

/// The name that systemd-creds binds an encrypted text to.
const NAME: &str = "--name=vault-fetch-cache";

/// The time limit of encryption, for which a service waits. A TPM needs about a second, and serves
/// one process after the other.
pub(crate) const LIMIT_OF_ENCRYPTION: Duration = Duration::from_secs(10);

/// The time limit of decryption of a copy's key. Without the copy, the fetch fails.
pub(crate) const LIMIT_OF_DECRYPTION: Duration = Duration::from_secs(30);

/// The most bytes of output. More than an encrypted key with the additions of a TPM, and the size
/// of a pipe.
const LONGEST: u64 = 64 << 10;

/// The reason why a text was not encrypted or decrypted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The program is missing.
    #[error("there is no `systemd-creds` on PATH")]
    Missing,
    /// The program could not be run.
    #[error("`systemd-creds` could not be run: {0}")]
    NotRun(#[source] Arc<io::Error>),
    /// The program failed.
    #[error("`systemd-creds {verb}` failed: {output}")]
    Failed {
        /// `encrypt` or `decrypt`.
        verb: &'static str,
        /// Its last line of output, or its exit status.
        output: String,
    },
    /// The program exceeded the time limit, and was killed.
    #[error("`systemd-creds {verb}` did not end within {} s", limit.as_secs())]
    Timeout {
        /// `encrypt` or `decrypt`.
        verb: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// The program succeeded without an encrypted text.
    #[error("`systemd-creds encrypt` gave no encrypted text")]
    InvalidOutput,
    /// The decrypted key does not fit.
    #[error("its key does not open it")]
    WrongKey,
    /// The key is encrypted with an empty key, as anybody can do.
    #[error("its key was not encrypted on this machine")]
    EmptyKey,
}

/// Encrypts with the TPM of the machine, with its key file, or with both. Is not bound to the state
/// of the boot (PCR), because a copy must survive an update of the system.
pub(crate) fn encrypt(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let arguments = ["encrypt", NAME, "--with-key=auto", "--tpm2-pcrs=", "-", "-"];
    run("encrypt", &arguments, text, LIMIT_OF_ENCRYPTION)
}

/// Decrypts a text that this machine encrypted.
pub(crate) fn decrypt(text: &[u8], limit: Duration) -> Result<Zeroizing<Vec<u8>>, SealError> {
    run("decrypt", &["decrypt", NAME, "-", "-"], text, limit)
}

impl From<io::Error> for SealError {
    fn from(cause: io::Error) -> Self {
        Self::NotRun(Arc::new(cause))
    }
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
        _ => cause.into(),
    })?;
    let ended = write_stdin(&mut child, input).and_then(|()| wait(&mut child, limit));
    if !matches!(ended, Ok(Some(_))) {
        let _ = child.kill().and_then(|()| child.wait()); // the child has not been waited for
    }
    let Some(status) = ended? else {
        return Err(SealError::Timeout { verb, limit });
    };
    if !status.success() {
        let output = child.stderr.take().map(read_available).transpose()?;
        let output = last_line(&output.unwrap_or_default()).unwrap_or_else(|| status.to_string());
        return Err(SealError::Failed { verb, output });
    }
    let output = child.stdout.take().map(read_available).transpose()?;
    Ok(output.unwrap_or_default())
}

/// Writes the text, which is shorter than the buffer of a pipe, so that this does not block.
fn write_stdin(child: &mut Child, text: &[u8]) -> io::Result<()> {
    let Some(mut stdin) = child.stdin.take() else {
        return Ok(());
    };
    match stdin.write_all(text) {
        // it ended without reading; its status has the reason
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
        // some milliseconds, or a second with a TPM; this adds little to that
        let pause = start.elapsed() / 8;
        thread::sleep(pause.clamp(Duration::from_micros(200), Duration::from_millis(20)));
    }
    Ok(None)
}

/// Reads the output of a program that has ended. Does not wait for processes that it has started.
fn read_available(pipe: impl Read + AsFd) -> io::Result<Zeroizing<Vec<u8>>> {
    let flags = fcntl_getfl(&pipe)?;
    fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    match pipe.take(LONGEST).read_to_end(&mut bytes) {
        Err(cause) if cause.kind() != io::ErrorKind::WouldBlock => Err(cause),
        _ => Ok(bytes),
    }
}

/// Returns the last line, which has the reason. Warnings come first.
fn last_line(output: &[u8]) -> Option<String> {
    let output = String::from_utf8_lossy(output);
    let line = output.lines().rev().find(|line| !line.trim().is_empty())?;
    let printable = line.trim().chars().filter(|letter| !letter.is_control());
    Some(printable.take(300).collect())
}
