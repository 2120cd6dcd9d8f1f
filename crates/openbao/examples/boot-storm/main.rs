//! A fleet's hosts at an OpenBao, for `bench/boot-storm`: makes them, or lets them all come up.
//!
//! It reads one job as JSON from stdin and writes what came of it as JSON to stdout. Each start of a
//! process on a host is a [`Client`](openbao::Client) of its own here: it reads the CA bundle anew,
//! connects, makes a full TLS handshake and closes the connection, as the process would.

mod crew;
mod fleet;
mod job;
mod storm;

use std::{
    error::Error,
    io::{stdin, stdout},
    process::ExitCode,
};

#[expect(clippy::print_stderr, reason = "people read it there")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    match serde_json::from_reader(stdin().lock())? {
        job::Job::Prepare(job) => fleet::prepare(&job)?,
        job::Job::Storm(job) => serde_json::to_writer(stdout().lock(), &storm::run(&job)?)?,
    }
    Ok(())
}
