//! The job from end to end: plan, write, apply, issue.

mod create;
mod remove;
mod vms_file;

use cli::{Failure, SignalBlock};

use crate::{
    Arguments,
    cli::How,
    diff,
    fleet::{Fleet, Lock},
    host::{HostAddress, HostName},
    plan::Change,
    report::Report,
    server::{self, OpenTofu, Server},
    write,
};

/// Does what the arguments ask for.
pub(crate) fn work(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let signals = SignalBlock::begin(); // before the first request, which may start threads
    let name = HostName::parse(&arguments.hostname)?;
    let address = arguments
        .ip
        .as_deref()
        .map(HostAddress::parse)
        .transpose()?;
    if arguments.skip_vault && arguments.force && !arguments.remove {
        return Err(Failure::usage(
            "`--force` issues a new wrapping token, which `--skip-vault` forbids",
        )
        .hint("leave one of them out"));
    }
    let fleet = Fleet::open(arguments.repo.as_deref())?;
    let _lock = Lock::take(&fleet.tree, arguments.dry_run)?;
    if !arguments.dry_run {
        write::sweep(&fleet)?;
    }
    let job = Job {
        arguments,
        fleet: &fleet,
        name: &name,
        signals: &signals,
    };
    match address {
        Some(address) if !arguments.remove => create::create(&job, address, report),
        _ => remove::remove(&job, report),
    }
}

/// What all steps need to know.
struct Job<'a> {
    arguments: &'a Arguments,
    fleet: &'a Fleet,
    name: &'a HostName,
    signals: &'a SignalBlock,
}

/// OpenBao, and how policy and role get into it.
struct Side {
    server: Server,
    how: How,
    tofu: Option<OpenTofu>,
    /// Through what, for people.
    way: String,
}

impl Job<'_> {
    /// Finds OpenBao; `None` with `--skip-vault`.
    fn side(&self) -> Result<Option<Side>, Failure> {
        if self.arguments.skip_vault {
            return Ok(None);
        }
        let (how, tofu, why) = server::choose(self.arguments.apply, self.fleet)?;
        let way = match (how, why) {
            (How::Tofu, _) => "OpenTofu".to_owned(),
            (_, Some(why)) => format!("its API ({})", why.trim_end_matches('.')),
            (_, None) => "its API".to_owned(),
        };
        let server = Server::new(&self.arguments.connection, &self.fleet.settings)?;
        Ok(Some(Side {
            server,
            how,
            tofu,
            way,
        }))
    }

    /// What `look` finds out about OpenBao. A dry run goes on without it.
    fn ask<T>(
        &self,
        report: &mut Report,
        look: impl FnOnce(&Side) -> Result<T, Failure>,
    ) -> Result<Option<(Side, T)>, Failure> {
        let asked = self.side().and_then(|side| {
            let Some(side) = side else { return Ok(None) };
            let found = look(&side)?;
            Ok(Some((side, found)))
        });
        match asked {
            Err(failure) if self.arguments.dry_run => {
                report.warning(format!("OpenBao was not asked: {}", failure.message()));
                Ok(None)
            }
            Err(failure) => Err(failure.suffix("nothing was changed")),
            Ok(asked) => {
                if let Some((side, _)) = &asked {
                    report.openbao(side.server.client.address().to_string(), side.how);
                }
                Ok(asked)
            }
        }
    }

    /// Shows the changes, or makes them.
    fn files(&self, changes: &[Change], report: &mut Report) -> Result<(), Failure> {
        if self.arguments.dry_run {
            report.diff(&diff::render(changes))?;
        } else {
            write::write(
                &self.fleet.tree,
                changes,
                &vms_file::private(self.fleet, changes),
            )?;
            report.done(if self.arguments.remove {
                "its files are gone"
            } else {
                "its files are written"
            });
        }
        report.files(changes);
        Ok(())
    }
}
