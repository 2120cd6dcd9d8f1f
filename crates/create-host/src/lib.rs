//! Adds hosts to a fleet, and removes them: recognise, plan, write, evaluate, apply, issue,
//! deliver.
//!
//! [`run`] is the whole program; `create` and `remove` are its two pipelines, and `init` writes the
//! settings of a fleet that exists. The changes of all files are computed in memory (`plan`) and
//! then written all at once (`write`). Where Nix is installed, it then evaluates the host
//! (`evaluation`). Only then is anything changed in OpenBao (`server`). Each later step can be
//! repeated, so the same
//! command continues where an earlier one failed.

mod change;
mod choice;
mod cli;
mod create;
mod deliver;
mod evaluation;
mod failure;
mod fleet;
mod git;
mod grants;
mod host;
mod host_access;
mod host_paths;
mod host_place;
mod inference;
mod init;
mod issue;
mod job;
mod json;
mod more_policies;
mod overlay;
mod placeholders;
mod plan;
mod redaction;
mod remove;
mod report;
mod server;
mod token_variables;
mod vms_file;
mod write;

use zts_cli::{Failure, SignalBlock};
use zts_secure_fs::LockKind;

use cli::Task;
pub use cli::{ApplyMethod, Arguments, HostArguments, InitArguments};
pub use json::write_usage_error_as_json;

use choice::choose_settings;
use deliver::Delivery;
use fleet::Fleet;
use host::{HostAddress, HostName};
use job::Job;
use report::Report;

/// Runs the program.
///
/// # Errors
/// The reason why the host was not created or removed, or not completely; or why the settings were
/// not written.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(Task::Init(arguments)) = arguments.task {
        return init::run(&arguments);
    }
    let arguments = arguments.host;
    let mut report = Report::new(&arguments);
    let result = create_or_remove(&arguments, &mut report);
    report.finish(result)
}

/// Checks the arguments, opens and locks the fleet, and runs the pipeline.
fn create_or_remove(arguments: &HostArguments, report: &mut Report) -> Result<(), Failure> {
    let signals = SignalBlock::begin(); // before the first request, which may start threads
    let name = HostName::parse(arguments.hostname.as_deref().unwrap_or_default())?;
    let address = arguments
        .ip
        .as_deref()
        .map(HostAddress::parse)
        .transpose()?;
    arguments.check()?;
    let delivery = Delivery::from_arguments(arguments)?;
    let fleet = Fleet::open(arguments.repo.as_deref())?;
    let _lock = if arguments.dry_run {
        fleet.lock(LockKind::Shared)?
    } else {
        fleet.lock(LockKind::Exclusive)?
    };
    let fleet = choose_settings(&fleet, &name, arguments, report)?;
    let settings = &fleet.settings;
    report.set_choice(settings.environment.clone(), settings.host_type.clone());
    let job = Job {
        arguments,
        fleet: &fleet,
        name: &name,
        signals: &signals,
    };
    if arguments.remove {
        return remove::remove_host(&job, address, report);
    }
    create::create_host(&job, address, delivery, report)
}
