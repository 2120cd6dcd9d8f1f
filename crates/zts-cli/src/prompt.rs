//! Questions to a person at a terminal.

use std::{
    fmt,
    io::{self, BufRead, IsTerminal, Read, Write},
};

use crate::{failure::Failure, printable::clean};

/// The limit of an answer in bytes.
const LONGEST_ANSWER: u64 = 1 << 16;

/// Returns whether a person can be asked: questions go to stderr, answers come from stdin.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows a question, and returns the answer, a line without blanks around it; `None` at the end of
/// the input.
///
/// # Errors
/// An answer that cannot be read.
pub fn ask(question: impl fmt::Display) -> Result<Option<String>, Failure> {
    let mut stderr = anstream::stderr().lock();
    // a closed stderr shows no question, as it shows no message
    let _ = write!(stderr, "{}", clean(&question.to_string())).and_then(|()| stderr.flush());
    drop(stderr);
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(LONGEST_ANSWER)
        .read_line(&mut line)
        .map_err(|cause| Failure::failed(format!("the answer could not be read: {cause}")))?;
    Ok((!line.is_empty()).then(|| line.trim().to_owned()))
}
