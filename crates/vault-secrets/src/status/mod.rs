//! How a host's secrets stand, for the person who looks at night. No server is asked.

mod entry;
mod table;

use std::{fs, io, path::Path};

use cli::{Failure, data};
use delivery::{Declarations, Workplace};

use self::entry::Entry;
use crate::{rotate::state::State, systemd, words};

pub(crate) fn run(declarations: &Declarations, state: &Path, json: bool) -> Result<(), Failure> {
    check_rights(declarations)?;
    let services = declarations
        .secrets
        .values()
        .flat_map(|secret| secret.services.iter().cloned());
    // without systemd, nothing is known of services
    let units = systemd::show(&services.collect()).unwrap_or_default();
    let taken = State::read(state).taken;
    let secrets = declarations.secrets.iter();
    let entries: Vec<_> = secrets
        .map(|(name, secret)| Entry::of(name, secret, &units, &taken))
        .collect();
    if json {
        let text = serde_json::to_string_pretty(&entries);
        data(text.map_err(|cause| Failure::failed(cause.to_string()))?)?;
    } else if entries.is_empty() {
        data("no secrets are declared")?;
    } else {
        data(table::text(&entries))?;
    }
    fail_for_missing(&entries)
}

/// Fails where a declared secret is not in place.
fn fail_for_missing(entries: &[Entry]) -> Result<(), Failure> {
    let missing = entries.iter().filter(|entry| !entry.in_place);
    let missing: Vec<_> = missing.map(|entry| entry.name.as_str()).collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let (count, all) = (missing.len(), entries.len());
    Err(Failure::failed(format!(
        "{count} of {all} declared secrets are not in place: {}",
        words::list(&missing)
    ))
    .hint(format!(
        "`systemctl start vault-secret-{first}` fetches it; `journalctl -u vault-secret-{first}` says \
         why it cannot be fetched"
    )))
}

/// The notes beside secrets are root's alone, and none at all would look like nothing in place.
pub(crate) fn check_rights(declarations: &Declarations) -> Result<(), Failure> {
    for secret in declarations.secrets.values() {
        let Some(folder) = Workplace::folder_of(&secret.output_directory) else {
            continue;
        };
        if let Err(cause) = fs::read_dir(&folder)
            && cause.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(Failure::failed(format!(
                "could not look into `{}`: {cause}",
                folder.display()
            ))
            .hint("run it as root"));
        }
    }
    Ok(())
}
