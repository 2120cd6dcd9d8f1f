//! `vms.tf`, the file with the wrapping tokens.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    time::SystemTime,
};

use secrecy::{ExposeSecret, SecretString};
use zts_cli::Failure;
use zts_infra_edit::vms::{self, MapPlace};
use zts_openbao::wrapping;
use zts_secure_fs::{Guard, ResolvedFile};

use crate::{
    change::FileChange,
    failure::{edit_failure, file_failure},
    fleet::Fleet,
    git,
    host::{HostAddress, HostName},
    report::Report,
    write::write_changes,
};

/// The entry of a host in `vms.tf`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VmEntry {
    pub(crate) has_token: bool,
    pub(crate) is_address: bool,
    /// The time at which the token expires, if the token contains it.
    pub(crate) token_expiry: Option<SystemTime>,
}

/// Finds the entry of a host in the text of the file.
pub(crate) fn find_entry(text: &str, place: &MapPlace, name: &HostName) -> Option<VmEntry> {
    let vms = vms::list_vms(text, place).ok()?;
    let vm = vms.into_iter().find(|vm| vm.name == name.as_str())?;
    let token = vms::wrapping_token(text, place, name.as_str())
        .ok()
        .flatten();
    Some(VmEntry {
        has_token: vm.has_wrapping_token,
        is_address: vm.is_address,
        token_expiry: token.and_then(|token| wrapping::expiry(&SecretString::from(token))),
    })
}

/// Returns the address in a host's entry. One without a prefix length gets the usual one.
pub(crate) fn entry_address(text: &str, place: &MapPlace, name: &HostName) -> Option<HostAddress> {
    let vms = vms::list_vms(text, place).ok()?;
    let vm = vms.into_iter().find(|vm| vm.name == name.as_str())?;
    let ip = vm.ip?;
    let length = if ip.contains(':') { 64 } else { 24 };
    HostAddress::parse(&ip)
        .or_else(|_| HostAddress::parse(&format!("{ip}/{length}")))
        .ok()
}

/// Returns those of the changed files that only their owner may read: `vms.tf` with a wrapping
/// token, unless git tracks it.
pub(crate) fn private_files<'a>(fleet: &'a Fleet, changes: &[FileChange]) -> Vec<&'a str> {
    let file = fleet.settings.paths.vms.as_str();
    let change = changes.iter().find(|change| change.path == file);
    let text = change
        .and_then(|change| change.after.as_deref())
        .map(String::from_utf8_lossy);
    let place = &fleet.settings.vms_place;
    if text.is_some_and(|text| has_any_token(&text, place))
        && !git::is_tracked(fleet.tree.root(), file)
    {
        vec![file]
    } else {
        Vec::new()
    }
}

/// Removes the permissions of others from a `vms.tf` with a token that this run did not write.
pub(crate) fn restrict_access(
    fleet: &Fleet,
    report: &mut Report,
    dry_run: bool,
) -> Result<(), Failure> {
    let file = fleet.settings.paths.vms.as_str();
    if file.is_empty() {
        return Ok(());
    }
    let Some(text) = fleet.tree.read_text(file)? else {
        return Ok(());
    };
    let path = fleet.tree.resolve(file)?;
    let fail = |cause| file_failure("protect", &path, cause);
    let mode = fs::metadata(&path).map_err(fail)?.permissions().mode();
    let is_private = mode.trailing_zeros() >= 6; // the six bits of group and others
    if is_private
        || !has_any_token(&text, &fleet.settings.vms_place)
        || git::is_tracked(fleet.tree.root(), file)
    {
        return Ok(());
    }
    if !dry_run {
        ResolvedFile::resolve(&path, Guard::Links)
            .map_err(io::Error::from)
            .and_then(|resolved| File::open(resolved.path()))
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(fail)?;
    }
    report.add_file(
        file,
        "protected",
        &format!("`{file}`, which contains a wrapping token: mode 0600"),
    );
    Ok(())
}

/// Returns whether git tracks the file, and a token in it may still be used.
pub(crate) fn tracks_valid_token(fleet: &Fleet) -> bool {
    let (file, place) = (fleet.settings.paths.vms.as_str(), &fleet.settings.vms_place);
    let text = (!file.is_empty()).then(|| fleet.tree.read_text(file));
    let text = text.and_then(Result::ok).flatten().unwrap_or_default();
    let is_valid = |name: &str| {
        let token = vms::wrapping_token(&text, place, name).ok().flatten();
        let expiry = token.map(|token| wrapping::expiry(&SecretString::from(token)));
        expiry.is_some_and(|expiry| expiry.is_none_or(|expiry| expiry > SystemTime::now()))
    };
    let vms = vms::list_vms(&text, place).unwrap_or_default();
    vms.iter().any(|vm| is_valid(&vm.name)) && git::is_tracked(fleet.tree.root(), file)
}

/// Returns whether an entry of the map has a token.
pub(crate) fn has_any_token(text: &str, place: &MapPlace) -> bool {
    vms::list_vms(text, place).is_ok_and(|vms| vms.iter().any(|vm| vm.has_wrapping_token))
}

/// Checks that a token can be written to `text`, before one is issued.
pub(crate) fn check_token_place(fleet: &Fleet, text: &str, name: &HostName) -> Result<(), Failure> {
    let file = fleet.settings.paths.vms.as_str();
    let place = &fleet.settings.vms_place;
    let edited = vms::set_wrapping_token(text, place, name.as_str(), "none");
    edited.map(drop).map_err(|error| edit_failure(file, &error))
}

/// Writes the token of a host to the file.
pub(crate) fn write_token(
    fleet: &Fleet,
    name: &HostName,
    token: &SecretString,
) -> Result<(), Failure> {
    let file = fleet.settings.paths.vms.as_str();
    let before = fleet
        .tree
        .read_required(file, "it existed a moment ago: restore it")?;
    let (place, token) = (&fleet.settings.vms_place, token.expose_secret());
    let after = vms::set_wrapping_token(&before, place, name.as_str(), token)
        .map_err(|error| edit_failure(file, &error))?;
    let changes = [FileChange {
        path: file.to_owned(),
        before: Some(before.into_bytes()),
        after: Some(after.into_bytes()),
    }];
    write_changes(&fleet.tree, &changes, &private_files(fleet, &changes))
}
