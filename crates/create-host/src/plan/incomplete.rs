//! Notes of the values that a new host's further files lack.

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_infra_edit::nix::{self, FleetFiles};

use super::sources::Sources;
use crate::{
    change::FileChange,
    fleet::Settings,
    host::HostName,
    host_paths::{MARK, is_of_secrets, rename_path, skeleton},
    overlay::{NewFile, WithFiles},
};

/// Returns the other hosts of the flake, for notes of what a new one lacks.
pub(super) fn list_others(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
    changes: &[FileChange],
) -> Vec<String> {
    if changes.iter().all(|change| change.before.is_some()) {
        return Vec::new();
    }
    let flake = settings.paths.flake.as_str();
    let mut hosts = nix::list_hosts(&sources.tree, flake).unwrap_or_default();
    hosts.retain(|host| host != name.as_str());
    hosts
}

/// Returns a note for each file that takes an entry of the host from a set without it. The error is
/// for a set that has entries of the other hosts, so that the host could not be evaluated.
pub(super) fn note_undefined(
    name: &HostName,
    hosts: &[String],
    sources: &Sources,
    changes: &[FileChange],
) -> Result<Vec<String>, Failure> {
    let texts = changes.iter().filter_map(|change| {
        let text = String::from_utf8(change.after.clone()?).ok()?;
        Some((change.path.clone(), text))
    });
    let more: Vec<NewFile> = texts.collect();
    let files = WithFiles {
        below: &sources.tree,
        more: &more,
    };
    let nix = more.iter().filter(|(path, _)| nix::is_nix_file(path));
    let undefined = nix.flat_map(|(path, _)| {
        let entries = nix::undefined_entries(&files, path, name.as_str(), hosts).into_iter();
        entries.map(move |entry| (path, entry))
    });
    let mut notes = Vec::new();
    for (path, entry) in undefined {
        let set = &entry.set;
        let Some((like, file)) = entry.like else {
            notes.push(format!(
                "next: `{path}` takes `{set}.{name}`: add `{name}` where `{set}` has the other hosts"
            ));
            continue;
        };
        let failure = Failure::failed(format_args!(
            "`{path}` would take `{set}.{name}`, which no file defines"
        ));
        return Err(failure.hint(format!(
            "define it like `{set}.{like}` in `{file}`, and make what else `{name}` needs by hand, like the files \
             of `{like}`, then run `create-host --hostname {name} --enroll`"
        )));
    }
    Ok(notes)
}

/// Returns a note for each new file of data that lacks what each other host has in its own one.
pub(super) fn note_incomplete(
    name: &HostName,
    hosts: &[String],
    sources: &Sources,
    changes: &[FileChange],
) -> Vec<String> {
    let created = changes.iter().filter(|change| change.before.is_none());
    let notes = created.filter_map(|change| {
        let text = str::from_utf8(change.after.as_deref()?).ok()?;
        let lacking = lacking_values(&change.path, text, name, sources, hosts);
        let lacking: Vec<String> = lacking.iter().map(|path| format!("`{path}`")).collect();
        (!lacking.is_empty()).then(|| {
            format!(
                "next: complete `{}`: each other host has {} there, with a value of its own",
                change.path,
                lacking.join(", ")
            )
        })
    });
    notes.collect()
}

/// Returns the attributes that the files of all other hosts have, and the text lacks.
fn lacking_values(
    path: &str,
    text: &str,
    name: &HostName,
    sources: &Sources,
    hosts: &[String],
) -> Vec<String> {
    let is_learnt = sources.learnt.iter().any(|(learnt, _)| learnt == path);
    let form = rename_path(path, name.as_str());
    let is_data = |form: &String| skeleton(form).is_none() || is_of_secrets(form);
    let form = form.filter(|form| is_learnt && nix::is_nix_file(form) && is_data(form));
    let Some(form) = form else {
        return Vec::new();
    };
    let texts = hosts
        .iter()
        .filter_map(|host| sources.tree.read(&form.replace(MARK, host)));
    let texts: Vec<String> = texts.collect();
    if texts.len() < 2 || texts.iter().any(|text| nix::is_module(text)) {
        return Vec::new();
    }
    let paths =
        |text: &String| -> BTreeSet<String> { nix::attribute_paths(text).into_iter().collect() };
    let common = texts.iter().map(paths);
    let common = common.reduce(|one, other| one.intersection(&other).cloned().collect());
    let own = nix::attribute_paths(text);
    let mut lacking: Vec<String> = common.into_iter().flatten().collect();
    lacking.retain(|path| !own.contains(path));
    let inside = |path: &String, lacking: &[String]| {
        let outer = |other: &String| path.starts_with(&format!("{other}."));
        lacking.iter().any(outer)
    };
    let all = lacking.clone();
    lacking.retain(|path| !inside(path, &all));
    lacking
}
