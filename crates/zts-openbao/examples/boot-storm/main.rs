//! The load generator of `bench/boot-storm`: creates the hosts of a fleet in OpenBao, or boots
//! them.
//!
//! It reads one job as JSON from stdin and writes the results as JSON to stdout. Each process of a
//! host is a [`Client`](zts_openbao::Client) of its own here: it reads the CA bundle, connects,
//! does a full TLS handshake and closes the connection, as the process would.

mod fleet;
mod job;
mod storm;
mod thread_pool;

use std::{
    error::Error,
    io::{stdin, stdout},
    process::ExitCode,
};

#[expect(clippy::print_stderr, reason = "stdout is for the results")]
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
