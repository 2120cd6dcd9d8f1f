//! The pipeline that creates a host.

mod notes;

use std::collections::BTreeMap;

use serde_json::Value;
use zts_cli::Failure;
use zts_infra_edit::generated::GeneratedHost;

use crate::{
    deliver::Delivery,
    evaluation::evaluate_host,
    host::HostAddress,
    host_access::{Difference, role_differences, role_policies},
    issue::{
        destroy_old_secret_ids, issue_and_deliver_token, note_namespace, report_no_token,
        report_pending_token, report_unchanged_token,
    },
    job::{Job, remove_drafts, survey_openbao, write_files},
    more_policies::{MorePolicies, check_removal},
    plan::{
        CreationPlan, Request, Sources, find_doubtful_grants, name_in_use, plan_creation,
        plan_enrollment, plan_generated, reads_machine_map,
    },
    report::{Report, TokenState},
    server::{
        Apply, Backend, HostChanges, HostObjects, ObjectChange, Preflight, Server, Task,
        check_preconditions, credentials::SecretIds, read_host, write_host,
    },
    vms_file,
};

use notes::{report_next_step, report_plan, warn_of_gateway};

/// Creates the host: recognise the fleet, plan, survey OpenBao, write, evaluate, apply, issue and
/// deliver the token, destroy the old credentials.
pub(crate) fn create_host(
    job: &Job<'_>,
    address: Option<HostAddress>,
    delivery: Option<Delivery>,
    report: &mut Report,
) -> Result<(), Failure> {
    let sources = Sources::read_with_values(job.fleet, job.name, &job.arguments.set)?;
    remove_drafts(job, &sources)?;
    let mut plan = plan_host(job, address, delivery.is_some(), &sources)?;
    check_removal(job.name, &plan.access, &job.arguments.remove_policy)?;
    let delivery = choose_delivery(job, delivery, &plan, &sources)?;
    warn_of_gateway(job, &plan, &sources, report);
    let surveyed = survey_openbao(job, report, |backend| {
        survey_host(job, backend, &plan, delivery.as_ref())
    })?;
    if let Some((_, existing)) = &surveyed {
        check_host_is_ours(job, &plan, existing)?;
    }
    plan_openbao_files(job, &mut plan, surveyed.as_ref(), &sources, report)?;
    write_files(job, &plan.changes, report)?;
    report_plan(job, &plan, &sources, report);
    let are_tracked = evaluate_host(job, &plan.changes, &sources, report)?;
    if let Some((backend, existing)) = &surveyed {
        if let Some(unchecked) = &existing.unchecked {
            report.warn(unchecked.clone());
        }
        apply_policy_and_role(job, backend, existing, report)?;
        let (host, delivery) = ((backend, existing), delivery.as_ref());
        issue_token(job, host, &plan, delivery, &sources, report)?;
    }
    vms_file::restrict_access(job.fleet, report, job.arguments.dry_run)?;
    report_next_step(job, &plan.changes, are_tracked, &sources, report);
    Ok(())
}

/// Adds the generated file to the plan: it depends on the policies that the role has in OpenBao.
fn plan_openbao_files(
    job: &Job<'_>,
    plan: &mut CreationPlan,
    surveyed: Option<&(Backend, ExistingHost)>,
    sources: &Sources,
    report: &mut Report,
) -> Result<(), Failure> {
    if job.arguments.skip_vault {
        return Ok(());
    }
    let access = match surveyed {
        Some((_, existing)) => existing.access.clone(),
        None => plan_access(job, plan, None).0,
    };
    let (generated, notes) = plan_generated(&access, sources, &job.fleet.settings)?;
    plan.add_changes(generated, notes);
    for warning in find_doubtful_grants(job.name, sources, &job.fleet.settings) {
        report.warn(warning);
    }
    Ok(())
}

/// Issues and delivers the token and, with `--force`, destroys the old credentials; or reports why
/// there is no token.
fn issue_token(
    job: &Job<'_>,
    (backend, existing): (&Backend, &ExistingHost),
    plan: &CreationPlan,
    delivery: Option<&Delivery>,
    sources: &Sources,
    report: &mut Report,
) -> Result<(), Failure> {
    match (existing.token, delivery) {
        (TokenState::Pending, _) => report_pending_token(job, report),
        (TokenState::None, _) | (TokenState::Issued, None) => report_no_token(job, report),
        (TokenState::Unchanged, _) => report_unchanged_token(job, plan, delivery, report)?,
        (TokenState::Issued, Some(delivery)) => {
            let origin = existing.secret_ids.origin.or(plan.origin);
            issue_and_deliver_token(job, backend, origin, delivery, report)?;
            note_namespace(job, backend, delivery, sources, report);
            destroy_old_secret_ids(job, backend, delivery, &existing.secret_ids, report)?;
        }
    }
    Ok(())
}

/// Returns the place for the token, and checks it.
fn choose_delivery(
    job: &Job<'_>,
    named: Option<Delivery>,
    plan: &CreationPlan,
    sources: &Sources,
) -> Result<Option<Delivery>, Failure> {
    let delivery = match named {
        None if plan.is_listed => {
            let map = plan.vms.as_deref();
            let is_read_by_flake = reads_machine_map(sources, &job.fleet.settings);
            let delivery = Delivery::of_machine_map(job.fleet, map, job.name, is_read_by_flake)?;
            Some(delivery)
        }
        named => named,
    };
    if let Some(delivery) = delivery.as_ref().filter(|_| !job.arguments.skip_vault) {
        delivery.check(job.fleet)?;
    }
    Ok(delivery)
}

/// Refuses a host that the fleet has and OpenBao does not know: somebody else made it.
fn check_host_is_ours(
    job: &Job<'_>,
    plan: &CreationPlan,
    existing: &ExistingHost,
) -> Result<(), Failure> {
    if plan.is_unproven && existing.changes.role == ObjectChange::Created {
        let flake = &job.fleet.settings.paths.flake;
        let place = format!("`{flake}` has a host of this name");
        return Err(name_in_use(job.name, &place));
    }
    Ok(())
}

/// Plans the changes of the fleet's files.
fn plan_host(
    job: &Job<'_>,
    address: Option<HostAddress>,
    has_delivery: bool,
    sources: &Sources,
) -> Result<CreationPlan, Failure> {
    let request = Request {
        name: job.name,
        address,
        has_delivery,
        is_forced: job.arguments.force,
        skips_openbao: job.arguments.skip_vault,
    };
    let plan = if job.arguments.enroll {
        plan_enrollment
    } else {
        plan_creation
    };
    plan(request, sources, &job.fleet.settings)
}

/// The host in OpenBao before the run, and its changes.
struct ExistingHost {
    /// The access after the run: that of the plan, and the policies that stay on the role.
    access: GeneratedHost,
    more_policies: MorePolicies,
    changes: HostChanges,
    /// The state of the wrapping token after the run.
    token: TokenState,
    /// The secret ids before the run.
    secret_ids: SecretIds,
    /// A warning about a check that was not possible.
    unchecked: Option<String>,
}

/// Reads the host in OpenBao, and checks that the run can finish.
fn survey_host(
    job: &Job<'_>,
    backend: &Backend,
    plan: &CreationPlan,
    delivery: Option<&Delivery>,
) -> Result<ExistingHost, Failure> {
    let task = match backend.apply {
        Apply::None => Task::IssueOnly,
        Apply::Tofu(_) | Apply::Api { .. } => Task::Create,
    };
    let Preflight {
        existing,
        unchecked,
    } = check_preconditions(backend, job.name, task)?;
    let secret_ids = SecretIds::of_host(&backend.server, job.name, existing.role.is_some())?;
    let is_unknown = plan.is_new || (job.arguments.enroll && secret_ids.ours.is_empty());
    if is_unknown && task == Task::Create {
        check_objects_are_ours(job, &backend.server, plan, &existing)?;
    }
    let (access, more_policies) = plan_access(job, plan, existing.role.as_ref());
    let changes = match task {
        Task::IssueOnly | Task::Remove => HostChanges::NONE,
        Task::Create => HostChanges::to_access(&access, &existing),
    };
    let is_pending = existing.role.is_none() && changes.role != ObjectChange::Created;
    let token = match delivery {
        _ if is_pending => TokenState::Pending,
        Some(delivery) => decide_token(job, plan, delivery, &secret_ids)?,
        None if secret_ids.is_empty() => TokenState::None,
        None => TokenState::Unchanged,
    };
    Ok(ExistingHost {
        access,
        more_policies,
        changes,
        token,
        secret_ids,
        unchecked,
    })
}

/// Returns the access of the plan with the policies that stay on the role.
fn plan_access(
    job: &Job<'_>,
    plan: &CreationPlan,
    role: Option<&BTreeMap<String, Value>>,
) -> (GeneratedHost, MorePolicies) {
    let mut access = plan.access.clone();
    let to_remove = &job.arguments.remove_policy;
    let policies = MorePolicies::of_role(role, &plan.policies_in_file, &access, to_remove);
    access.more_policies.extend(policies.kept.iter().cloned());
    (access, policies)
}

/// Decides whether to issue a token, and checks that it can be delivered.
fn decide_token(
    job: &Job<'_>,
    plan: &CreationPlan,
    delivery: &Delivery,
    secret_ids: &SecretIds,
) -> Result<TokenState, Failure> {
    let has_ids = !secret_ids.is_empty();
    let has_token = delivery.has_token(job.fleet, plan.vms.as_deref(), job.name, has_ids)?;
    if has_ids && has_token && !job.arguments.force {
        return Ok(TokenState::Unchanged); // without a secret id, a token in a file is worthless
    }
    if !has_ids && !job.arguments.force {
        delivery.check_is_free(job.name)?;
    }
    if let (Delivery::MachineMap, Some(vms)) = (delivery, &plan.vms) {
        vms_file::check_token_place(job.fleet, vms, job.name)?;
    }
    Ok(TokenState::Issued)
}

/// Refuses a policy or a role that differs, if the fleet does not have the name: it belongs to
/// another host, made by hand or from another copy of the fleet.
fn check_objects_are_ours(
    job: &Job<'_>,
    server: &Server,
    plan: &CreationPlan,
    existing: &HostObjects,
) -> Result<(), Failure> {
    let name = job.name;
    let mut access = plan.access.clone();
    if let Some(role) = &existing.role {
        let in_file = role_policies(role)
            .intersection(&plan.policies_in_file)
            .cloned()
            .collect::<Vec<_>>();
        access.more_policies.extend(in_file);
    }
    let changes = HostChanges::to_access(&access, existing);
    let place = if changes.role == ObjectChange::Updated {
        format!("OpenBao has a role `{name}` with other parameters")
    } else if changes.policy == ObjectChange::Updated {
        format!("OpenBao has a policy `host-{name}` with another text")
    } else {
        return Ok(());
    };
    let (mount, flag) = (&server.approle_mount, server.namespace_flag());
    Err(Failure::failed(format_args!("the name `{name}` is in use: {place}")).hint(format!(
        "choose another name; or, if nothing uses them, delete them first: `bao delete{flag} auth/{mount}/role/{name}` and \
         `bao policy delete{flag} host-{name}`"
    )))
}

fn apply_policy_and_role(
    job: &Job<'_>,
    backend: &Backend,
    existing: &ExistingHost,
    report: &mut Report,
) -> Result<(), Failure> {
    let (server, access, changes) = (&backend.server, &existing.access, &existing.changes);
    if !changes.is_empty() && !job.arguments.dry_run {
        let applied = match &backend.apply {
            Apply::Tofu(tofu) => tofu
                .apply(server, job.name, job.fleet, zts_cli::is_verbose())
                .and_then(|()| verify_applied(job, backend, access)),
            Apply::Api { .. } | Apply::None => write_host(server, access, changes),
        };
        applied.map_err(|failure| {
            report.interrupt("policy and role are not both in OpenBao", failure)
        })?;
    }
    if existing.token != TokenState::Pending {
        report.add_done("the policy and the role are in OpenBao");
    }
    report.add_objects(changes, &backend.apply);
    let is_role_written = changes.role != ObjectChange::Unchanged;
    report.add_more_policies(&existing.more_policies, is_role_written);
    Ok(())
}

/// Checks in OpenBao that OpenTofu, which applies the text of its folder, has applied the plan.
fn verify_applied(job: &Job<'_>, backend: &Backend, access: &GeneratedHost) -> Result<(), Failure> {
    let actual = read_host(&backend.server, job.name)?;
    let name = job.name;
    let object = match &actual.role {
        _ if actual.policy.as_deref() != Some(&access.policy()) => {
            format!("the policy `host-{name}`")
        }
        None => format!("the role `{name}`"),
        Some(role) => match role_differences(access, role).first() {
            Some(Difference { parameter, .. }) => format!("`{parameter}` of the role `{name}`"),
            None => return Ok(()),
        },
    };
    Err(Failure::failed(format_args!(
        "OpenTofu succeeded, but {object} is not as planned"
    ))
    .hint(
        "in `fleet.toml`, `generated` under `[paths]` must be a file of the folder `vault_terraform`, and the mounts \
         under `[openbao]` must be those of that folder",
    ))
}
