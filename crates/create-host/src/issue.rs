//! The wrapping token of a run: issued and delivered, or the reason why not.

use std::time::SystemTime;

use zts_cli::Failure;
use zts_infra_edit::generated::ROLE;

use crate::{
    deliver::{Delivery, WAYS},
    failure::append_hint,
    git,
    job::Job,
    plan::{CreationPlan, Sources},
    report::{Report, TokenState},
    server::{
        Backend,
        credentials::{self, FileOrigin, SecretIds},
    },
};

/// Issues a wrapping token, and delivers it. If that fails, the secret id is destroyed.
pub(crate) fn issue_and_deliver_token(
    job: &Job<'_>,
    backend: &Backend,
    origin: Option<FileOrigin>,
    delivery: &Delivery,
    report: &mut Report,
) -> Result<(), Failure> {
    let (name, settings) = (job.name, &job.fleet.settings);
    let (place, ttl) = (delivery.describe(job.fleet), &settings.openbao.wrap_ttl);
    if !job.arguments.dry_run {
        let _held = job.signals.hold(); // a secret id that nobody has would be valid for ever
        credentials::issue_secret_id(&backend.server, name, origin, ttl.duration())
            .and_then(|issued| {
                delivery
                    .deliver(job.fleet, name, &issued.wrapping_token)
                    .map_err(|failure| {
                        credentials::withdraw(&backend.server, name, &issued.accessor, failure)
                    })
            })
            .map_err(|failure| report.interrupt("no wrapping token was issued", failure))?;
        report.add_done(format!("the new wrapping token is {place}"));
    }
    report.add_token(
        TokenState::Issued,
        &format!("a wrapping token for `{name}`, {place}: valid for one use within {ttl}"),
    );
    warn_of_readers(job, delivery, report);
    if let Some(note) = delivery.next_step(job.fleet)? {
        report.note(&note);
    }
    Ok(())
}

/// Notes that the host needs the namespace, of which a token says nothing, if no file of the fleet
/// names it.
pub(crate) fn note_namespace(
    job: &Job<'_>,
    backend: &Backend,
    delivery: &Delivery,
    sources: &Sources,
    report: &Report,
) {
    let Some(namespace) = &backend.server.connection.namespace else {
        return;
    };
    if sources.mention_namespace(namespace, &job.fleet.settings) {
        return;
    }
    let name = job.name;
    let is_from_map = matches!(delivery, Delivery::MachineMap | Delivery::Variables);
    report.note(&if is_from_map {
        format!(
            "`{name}` fetches its secrets from the namespace `{namespace}`: give it that as `vault_namespace` of its \
             cloud-init, or as `vault.namespace` in its configuration"
        )
    } else {
        format!(
            "`{name}` fetches its secrets from the namespace `{namespace}`: set `vault.namespace = \"{namespace}\";` in its \
             configuration, or `VAULT_NAMESPACE={namespace}` in its `/etc/environment`"
        )
    });
}

/// Warns of a token that others may read.
fn warn_of_readers(job: &Job<'_>, delivery: &Delivery, report: &mut Report) {
    if let Some(warning) = delivery.warning() {
        report.warn(warning);
    }
    let (name, settings) = (job.name, &job.fleet.settings);
    let (file, ttl) = (settings.paths.vms.as_str(), &settings.openbao.wrap_ttl);
    let is_in_map = matches!(delivery, Delivery::MachineMap);
    if is_in_map && git::is_tracked(job.fleet.tree.root(), file) {
        report.warn(format!(
            "git tracks `{file}`, and with it the wrapping token: anybody who reads it within {ttl} and before the \
             first boot of `{name}` can take the credentials (`{name}` then reports it); remove the tokens there and \
             declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git \
             ignores"
        ));
    }
}

/// With `--force`, destroys the old secret ids, now that a new one is delivered. Reports those that
/// remain.
pub(crate) fn destroy_old_secret_ids(
    job: &Job<'_>,
    backend: &Backend,
    delivery: &Delivery,
    old: &SecretIds,
    report: &mut Report,
) -> Result<(), Failure> {
    if job.arguments.force {
        let destroyed = if job.arguments.dry_run {
            old.ours.len()
        } else {
            old.destroy(&backend.server, job.name).map_err(|failure| {
                let failure = failure.context("the old credentials are still valid");
                append_hint(
                    report.stop(failure),
                    "run the same command again: it issues another token in place of this one, and destroys them",
                )
            })?
        };
        report.add_destroyed(destroyed);
        if destroyed > 0 {
            let minutes = ROLE.token_ttl / 60;
            report.note(&format!(
                "they allow no more logins; a token from an earlier login may be valid for {minutes} more minutes"
            ));
            if delivery.is_by_opentofu() {
                report.note(&format!(
                    "next: apply OpenTofu's plan and start `{name}` anew, so that cloud-init hands it the token: until \
                     then it can fetch nothing",
                    name = job.name
                ));
            }
        }
    }
    note_remaining(job, old, report);
    Ok(())
}

/// Notes the secret ids of earlier runs, or of others, that are still valid.
fn note_remaining(job: &Job<'_>, old: &SecretIds, report: &Report) {
    let (remaining, origin, instruction) = if job.arguments.force {
        (old.others, "not issued by create-host", "")
    } else {
        let instruction = "; `--force` destroys those that create-host issued";
        (old.ours.len() + old.others, "issued earlier", instruction)
    };
    let (ids, are) = match remaining {
        0 => return,
        1 => ("secret id", "is"),
        _ => ("secret ids", "are"),
    };
    report.note(&format!(
        "{remaining} {ids} of `{name}`, {origin}, {are} still valid{instruction}",
        name = job.name
    ));
}

/// Reports that somebody else must apply the role first.
pub(crate) fn report_pending_token(job: &Job<'_>, report: &mut Report) {
    let folder = &job.fleet.settings.paths.vault_terraform;
    report.add_token(
        TokenState::Pending,
        &format!(
            "no wrapping token yet: apply `{folder}`, then run the same command again to issue one"
        ),
    );
}

/// Reports that nothing says where a token goes.
pub(crate) fn report_no_token(job: &Job<'_>, report: &mut Report) {
    let name = job.name;
    report.add_token(
        TokenState::None,
        &format!(
            "no wrapping token yet, because nothing says how `{name}` gets it. Run the same command again with one of these: \
             {WAYS}"
        ),
    );
}

/// Reports a token that has expired, or none because the host has credentials.
pub(crate) fn report_unchanged_token(
    job: &Job<'_>,
    plan: &CreationPlan,
    delivery: Option<&Delivery>,
    report: &Report,
) -> Result<(), Failure> {
    let name = job.name;
    let Some(delivery) = delivery else {
        return Ok(());
    };
    if let Delivery::Ssh(_) = delivery {
        report.note(&format!(
            "`{name}` has credentials already, so no wrapping token was issued: `--force` replaces them"
        ));
    }
    let expiry = delivery.token_expiry(job.fleet, plan.vms.as_deref(), name)?;
    if expiry.is_some_and(|expiry| expiry < SystemTime::now()) {
        report.note(&format!(
            "the wrapping token of `{name}` has expired: if the host has never booted, issue a new one with `--force`"
        ));
    }
    Ok(())
}
