//! A host that is to be there.

use std::time::SystemTime;

use cli::Failure;
use infra_edit::generated::{GeneratedHost, ROLE};

use super::{Job, Side, vms_file};
use crate::{
    cli::How,
    git,
    host::HostAddress,
    model,
    plan::{self, Change, Sources},
    report::{Report, Token},
    server::{self, Outcome, Step, Task, credentials, credentials::SecretIds},
};

/// Plans, writes, applies, issues.
pub(super) fn create(
    job: &Job<'_>,
    address: HostAddress,
    report: &mut Report,
) -> Result<(), Failure> {
    let settings = &job.fleet.settings;
    let rights = model::rights(job.name, address, settings);
    let sources = Sources::read(job.fleet, job.name, false)?;
    let changes = plan::create(job.name, address, &rights, &sources, settings)?;
    warn_of_gateway(job, address, &changes, report);
    let vms = planned_text(settings.paths.vms.as_str(), &changes, sources.vms());
    let asked = job.ask(report, |side| {
        let prospect = look(job, side, &rights, vms)?;
        if !vms_file::has_host(sources.vms(), job.name) {
            check_free(job, address, prospect.outcome)?;
        }
        if prospect.issues {
            vms_file::check(job.fleet, vms, job.name)?;
        }
        Ok(prospect)
    })?;
    job.files(&changes, report)?;
    if let Some((side, prospect)) = &asked {
        if let Some(doubt) = &prospect.doubt {
            report.warning(doubt.clone());
        }
        apply(job, side, &rights, prospect, report)?;
        issue(job, side, prospect, report)?;
        tell_expiry(job, prospect, vms, report);
    }
    vms_file::protect(job.fleet, report, job.arguments.dry_run)?;
    tell_git(job, &changes, report);
    Ok(())
}

/// The text that the file will have.
fn planned_text<'a>(file: &str, changes: &'a [Change], now: &'a str) -> &'a str {
    let change = changes.iter().find(|change| change.path == file);
    let after = change.and_then(|change| change.after.as_deref());
    after
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .unwrap_or(now)
}

/// What is to happen in OpenBao.
struct Prospect {
    outcome: Outcome,
    /// Whether there is or will be a role.
    has_role: bool,
    issues: bool,
    /// Those that there are before.
    secret_ids: SecretIds,
    /// What could not be checked.
    doubt: Option<String>,
}

fn look(
    job: &Job<'_>,
    side: &Side,
    rights: &GeneratedHost,
    vms: &str,
) -> Result<Prospect, Failure> {
    let task = if side.how == How::None {
        Task::IssueOnly
    } else {
        Task::Create
    };
    let held = server::check(&side.server, job.name, task, side.tofu.is_some())?;
    let outcome = if task == Task::IssueOnly {
        Outcome {
            policy: Step::Unchanged,
            role: Step::Unchanged,
        }
    } else {
        Outcome::of(rights, &held)
    };
    let secret_ids = match held.role {
        Some(_) => SecretIds::list(&side.server, job.name)?,
        None => SecretIds::default(),
    };
    let has_role = held.role.is_some() || outcome.role == Step::Created;
    // a token in the file is worth nothing when there is no secret id that it could hold
    let wanted =
        job.arguments.force || secret_ids.is_empty() || !vms_file::host_has_token(vms, job.name);
    Ok(Prospect {
        outcome,
        has_role,
        issues: wanted && has_role,
        secret_ids,
        doubt: held.doubt,
    })
}

/// A policy or a role that is not as create-host makes it, of a name that `vms.tf` does not have, is some
/// other host's: one by hand, or one that was made from another copy of the fleet.
fn check_free(job: &Job<'_>, address: HostAddress, outcome: Outcome) -> Result<(), Failure> {
    let name = job.name;
    let what = if outcome.role == Step::Updated {
        format!("OpenBao has a role `{name}` with other parameters")
    } else if outcome.policy == Step::Updated {
        format!("OpenBao has a policy `host-{name}` with another text")
    } else {
        return Ok(());
    };
    Err(plan::in_use(name, &what, address, &job.fleet.settings))
}

fn apply(
    job: &Job<'_>,
    side: &Side,
    rights: &GeneratedHost,
    prospect: &Prospect,
    report: &mut Report,
) -> Result<(), Failure> {
    let outcome = prospect.outcome;
    if outcome.changes() && !job.arguments.dry_run {
        let applied = match &side.tofu {
            Some(tofu) => tofu
                .apply(&side.server, job.name, job.fleet, job.arguments.verbose)
                .and_then(|()| verify(job, side, rights)),
            None => server::apply(&side.server, rights, outcome),
        };
        applied.map_err(|failure| {
            report.interrupted("policy and role are not both in OpenBao", failure)
        })?;
    }
    if prospect.has_role {
        report.done("its policy and role are in OpenBao");
    }
    report.applied(outcome, &side.way);
    Ok(())
}

/// OpenTofu applies what its folder says; that this is what was planned shows only in OpenBao.
fn verify(job: &Job<'_>, side: &Side, rights: &GeneratedHost) -> Result<(), Failure> {
    let held = server::read(&side.server, job.name)?;
    let name = job.name;
    let what = match &held.role {
        _ if held.policy.as_deref() != Some(&rights.policy()) => {
            format!("the policy `host-{name}`")
        }
        None => format!("the role `{name}`"),
        Some(role) => match model::difference(rights, role) {
            Some(parameter) => format!("`{parameter}` of the role `{name}`"),
            None => return Ok(()),
        },
    };
    Err(Failure::failed(format_args!("OpenTofu ran without an error, but {what} is not what was planned")).hint(
        "`generated` under `[paths]` in `fleet.toml` must be a file of the folder `vault_terraform`, and the mounts there \
         those under `[openbao]`",
    ))
}

fn issue(
    job: &Job<'_>,
    side: &Side,
    prospect: &Prospect,
    report: &mut Report,
) -> Result<(), Failure> {
    let settings = &job.fleet.settings;
    let file = settings.paths.vms.as_str();
    if !prospect.has_role {
        let folder = &settings.paths.vault_terraform;
        report.token(
            Token::Pending,
            &format!("no wrapping token yet: apply `{folder}`, then run the same command again, which issues it"),
        );
        return Ok(());
    }
    if !prospect.issues {
        return Ok(());
    }
    let ttl = &settings.openbao.wrap_ttl;
    if !job.arguments.dry_run {
        // a secret id that nobody has would be good for ever
        let _held = job.signals.hold();
        let fail =
            |report: &Report, failure| report.interrupted("no wrapping token was issued", failure);
        let issued = credentials::issue(&side.server, job.name, ttl.duration())
            .map_err(|failure| fail(report, failure))?;
        vms_file::put(job.fleet, job.name, &issued.wrapping_token).map_err(|failure| {
            let failure = credentials::withdraw(&side.server, job.name, &issued.accessor, failure);
            fail(report, failure)
        })?;
        report.done(format!("its new wrapping token is in `{file}`"));
    }
    let name = job.name;
    report.token(
        Token::Issued,
        &format!("a wrapping token for `{name}`, in `{file}`: good for one use within {ttl}"),
    );
    if git::tracks(job.fleet.tree.root(), file) {
        report.warning(format!(
            "git tracks `{file}`, where the wrapping token stands: whoever reads it there within {ttl}, before `{name}` \
             boots for the first time, can take its place (`{name}` then says so)"
        ));
    }
    retire(job, side, prospect, report)
}

/// With `--force`, the old credentials go, now that the new ones are in place.
fn retire(
    job: &Job<'_>,
    side: &Side,
    prospect: &Prospect,
    report: &mut Report,
) -> Result<(), Failure> {
    let old = &prospect.secret_ids;
    let name = job.name;
    if job.arguments.force {
        let destroyed = if job.arguments.dry_run {
            old.ours.len()
        } else {
            let fail = |failure| report.interrupted("the old credentials are still good", failure);
            old.destroy(&side.server, name).map_err(fail)?
        };
        report.destroyed(destroyed);
        if destroyed > 0 {
            let minutes = ROLE.token_ttl / 60;
            report.note(&format!(
                "no new login with them; a token from an earlier login may be good for {minutes} minutes yet"
            ));
        }
    }
    let left = old.others
        + if job.arguments.force {
            0
        } else {
            old.ours.len()
        };
    if left > 0 {
        let ids = if left == 1 { "secret id" } else { "secret ids" };
        let whose = if job.arguments.force {
            "not issued by create-host: still"
        } else {
            "issued earlier: still"
        };
        let way = if job.arguments.force {
            ""
        } else {
            "; `--force` destroys what create-host issued"
        };
        report.note(&format!("{left} {ids} of `{name}` {whose} good{way}"));
    }
    Ok(())
}

fn tell_expiry(job: &Job<'_>, prospect: &Prospect, vms: &str, report: &Report) {
    let expired = vms_file::expiry(vms, job.name).is_some_and(|expiry| expiry < SystemTime::now());
    if expired && !prospect.issues {
        let name = job.name;
        report.note(&format!(
            "the wrapping token of `{name}` has expired: if it never booted, `--force` issues a new one"
        ));
    }
}

fn warn_of_gateway(job: &Job<'_>, address: HostAddress, changes: &[Change], report: &mut Report) {
    let Some(gateway) = job.fleet.settings.network.gateway.address() else {
        return;
    };
    if !changes.is_empty() && !address.reaches(gateway) {
        report.warning(format!(
            "the gateway `{gateway}` is not in the network of `{address}`: look at `gateway` under `[network]` in `fleet.toml`"
        ));
    }
}

/// A flake sees only files that git knows.
fn tell_git(job: &Job<'_>, changes: &[Change], report: &Report) {
    let made = changes.iter().any(|change| change.before.is_none());
    if made && !job.arguments.dry_run && git::is_repository(job.fleet.tree.root()) {
        let folder = format!("{}/{}", job.fleet.settings.paths.hosts, job.name);
        report.note(&format!(
            "next: `git add {folder}`, for a flake sees only files that git knows"
        ));
    }
}
