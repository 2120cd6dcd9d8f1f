//! Status of the declared secrets, from the state of this host alone. Sends no request to OpenBao.

mod entry;
pub(crate) mod secret_state;
mod table;

use std::{fs, io, path::Path};

use serde::Serialize;
use zts_cli::{Failure, data};
use zts_delivery::{Declarations, StateDir};

use self::entry::Entry;
use crate::{
    render::{self, TemplateState},
    rotate::state::State,
    systemd, text,
};

/// The status of a host.
#[derive(Serialize)]
struct Status<'a> {
    secrets: Vec<Entry>,
    templates: Vec<TemplateState<'a>>,
}

pub(crate) fn run(declarations: &Declarations, state: &Path, json: bool) -> Result<(), Failure> {
    check_rights(declarations)?;
    let services = declarations
        .secrets
        .values()
        .flat_map(|secret| secret.services.iter().cloned());
    // without systemd, the states of services are unknown
    let units = systemd::show(&services.collect()).unwrap_or_default();
    let taken = State::read(state).taken;
    let (secrets, unreadable) = secret_state::read_all(declarations);
    let secrets = secrets.into_iter();
    let entries: Vec<_> = secrets
        .map(|secret| Entry::new(secret, &units, &taken))
        .collect();
    let status = Status {
        secrets: entries,
        templates: render::states(declarations),
    };
    if json {
        let text = serde_json::to_string_pretty(&status);
        data(text.map_err(|cause| Failure::failed(cause.to_string()))?)?;
    } else if declarations.secrets.is_empty() {
        data("no secrets are declared")?;
    } else {
        data(table::render(&status.secrets, &status.templates))?;
    }
    fail_for_missing(&status.secrets)?;
    fail_for_missing_templates(&status.templates)?;
    fail_for_unreadable(&unreadable)
}

/// Returns a failure if the state of a declared secret could not be read.
pub(crate) fn fail_for_unreadable(names: &[&str]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the state of declared secrets could not be read: {}",
        text::list(names)
    ))
    .hint("the warnings above name the files; `journalctl -k` shows errors of a disk"))
}

/// Returns a failure if a declared secret is not in place.
fn fail_for_missing(entries: &[Entry]) -> Result<(), Failure> {
    let missing = entries.iter().filter(|entry| !entry.in_place);
    let missing: Vec<_> = missing.map(|entry| entry.name.as_str()).collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let (count, all) = (missing.len(), entries.len());
    Err(Failure::failed(format!(
        "{count} of {all} declared secrets are not in place: {}",
        text::list(&missing)
    ))
    .hint(format!(
        "`systemctl start vault-secret-{first}` fetches it; `journalctl -u vault-secret-{first}` shows \
         why the fetch fails"
    )))
}

/// Returns a failure if the file of a template of several secrets is not in place.
fn fail_for_missing_templates(templates: &[TemplateState<'_>]) -> Result<(), Failure> {
    let missing = templates.iter().filter(|template| !template.in_place);
    let missing: Vec<_> = missing.map(|template| template.name).collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "templates are not in place: {}",
        text::list(&missing)
    ))
    .hint(format!(
        "`systemctl start vault-template-{first}` renders it; `journalctl -u vault-template-{first}` \
         shows why that fails"
    )))
}

/// Fails if the state directories cannot be read. Without their notes, no secret would seem to be
/// in place.
pub(crate) fn check_rights(declarations: &Declarations) -> Result<(), Failure> {
    for secret in declarations.secrets.values() {
        let Some(folder) = StateDir::path_for(&secret.output_directory) else {
            continue;
        };
        if let Err(cause) = fs::read_dir(&folder)
            && cause.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(
                Failure::failed(format!("could not read `{}`: {cause}", folder.display()))
                    .hint("run it as root"),
            );
        }
    }
    Ok(())
}
