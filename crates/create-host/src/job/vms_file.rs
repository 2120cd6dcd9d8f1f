//! The file with the wrapping tokens.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
};

use cli::Failure;
use infra_edit::vms;
use openbao::wrapping;
use secrecy::{ExposeSecret, SecretString};
use secure_fs::{Guard, Place};

use crate::{failure, fleet::Fleet, git, host::HostName, plan::Change, report::Report, write};

/// Those of the changed files that only their owner may read: `vms.tf` with a wrapping token in it, where
/// git does not have it anyway.
pub(super) fn private<'a>(fleet: &'a Fleet, changes: &[Change]) -> Vec<&'a str> {
    let file = fleet.settings.paths.vms.as_str();
    let change = changes.iter().find(|change| change.path == file);
    let text = change
        .and_then(|change| change.after.as_deref())
        .map(String::from_utf8_lossy);
    if text.is_some_and(|text| has_token(&text)) && !git::tracks(fleet.tree.root(), file) {
        vec![file]
    } else {
        Vec::new()
    }
}

/// Takes the rights of others away from a `vms.tf` that was not written in this run.
pub(super) fn protect(fleet: &Fleet, report: &mut Report, dry_run: bool) -> Result<(), Failure> {
    let file = fleet.settings.paths.vms.as_str();
    let path = fleet.tree.resolve(file)?;
    let fail = |cause| failure::io("protect", &path, cause);
    let mode = fs::metadata(&path).map_err(fail)?.permissions().mode();
    let text = fleet.tree.text(file)?.unwrap_or_default();
    // the six bits of group and others
    if mode.trailing_zeros() >= 6 || !has_token(&text) || git::tracks(fleet.tree.root(), file) {
        return Ok(());
    }
    if !dry_run {
        Place::find(&path, Guard::Links)
            .map_err(io::Error::from)
            .and_then(|place| File::open(place.path()))
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(fail)?;
    }
    report.file(
        file,
        "protected",
        &format!("`{file}`, which holds a wrapping token: mode 0600"),
    );
    Ok(())
}

fn has_token(text: &str) -> bool {
    vms::list(text).is_ok_and(|vms| vms.iter().any(|vm| vm.has_wrapping_token))
}

/// Whether the host is in `text`.
pub(super) fn has_host(text: &str, name: &HostName) -> bool {
    vms::list(text).is_ok_and(|vms| vms.iter().any(|vm| vm.name == name.as_str()))
}

/// Whether the host has a wrapping token in `text`.
pub(super) fn host_has_token(text: &str, name: &HostName) -> bool {
    vms::list(text).is_ok_and(|vms| {
        vms.iter()
            .any(|vm| vm.name == name.as_str() && vm.has_wrapping_token)
    })
}

/// When the host's token in `text` expires, where it says so.
pub(super) fn expiry(text: &str, name: &HostName) -> Option<std::time::SystemTime> {
    let token = vms::wrapping_token(text, name.as_str()).ok().flatten()?;
    wrapping::expiry(&SecretString::from(token))
}

/// Makes sure that a token can be put into `text`, before one is issued.
pub(super) fn check(fleet: &Fleet, text: &str, name: &HostName) -> Result<(), Failure> {
    let file = fleet.settings.paths.vms.as_str();
    let edited = vms::set_wrapping_token(text, name.as_str(), "none");
    edited
        .map(drop)
        .map_err(|error| failure::edit(file, &error))
}

/// Puts the token into the file.
pub(super) fn put(fleet: &Fleet, name: &HostName, token: &SecretString) -> Result<(), Failure> {
    let file = fleet.settings.paths.vms.as_str();
    let before = fleet.tree.required(file, "it was there a moment ago")?;
    let after = vms::set_wrapping_token(&before, name.as_str(), token.expose_secret())
        .map_err(|error| failure::edit(file, &error))?;
    let change = Change {
        path: file.to_owned(),
        before: Some(before.into_bytes()),
        after: Some(after.into_bytes()),
    };
    let changes = [change];
    write::write(&fleet.tree, &changes, &private(fleet, &changes))
}
