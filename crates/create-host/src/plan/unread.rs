//! The new files of a host that nothing would read, and those that are named and would be missing,
//! as far as the files of the other hosts tell.

use std::collections::BTreeMap;

use zts_cli::Failure;
use zts_infra_edit::nix::{self, FleetFiles};

use super::sources::Sources;
use crate::{
    change::FileChange,
    host::HostName,
    host_paths::{MARK, collect_paths, rename_path},
};

/// A new file that no file names, although one names those of the other hosts.
struct UnreadFile {
    path: String,
    /// Such a file of another host, and the file that names it.
    like: String,
    named_in: String,
}

/// Returns a note for each new file that nothing would read. The error is for a host none of whose
/// files would be read.
pub(super) fn note_unread(
    name: &HostName,
    hosts: &[String],
    sources: &Sources,
    changes: &[FileChange],
) -> Result<Vec<String>, Failure> {
    let created = changes.iter().filter(|change| change.before.is_none());
    let created = created.map(|change| change.path.as_str());
    let created: Vec<&str> = created.filter(|path| nix::is_nix_file(path)).collect();
    if created.is_empty() || hosts.is_empty() {
        return Ok(Vec::new());
    }
    let unread = find_unread(name, hosts, sources, changes, &created);
    if let Some(first) = unread.first().filter(|_| unread.len() == created.len()) {
        let UnreadFile {
            path,
            like,
            named_in,
        } = first;
        let failure = Failure::failed(format_args!(
            "nothing would read the files of `{name}`: `{named_in}` names `{like}`, and would not name `{path}`"
        ));
        return Err(failure.hint(format!(
            "name `{path}` there, too, then run the same command again"
        )));
    }
    let note = |file: &UnreadFile| {
        let UnreadFile {
            path,
            like,
            named_in,
        } = file;
        format!(
            "next: name `{path}` in `{named_in}`, as `{like}` is named there: nothing reads it yet"
        )
    };
    Ok(unread.iter().map(note).collect())
}

/// Refuses a plan after which a file names one of the host that nothing makes, where the other
/// hosts have theirs.
pub(super) fn check_named_files(
    name: &HostName,
    hosts: &[String],
    sources: &Sources,
    changes: &[FileChange],
) -> Result<(), Failure> {
    let exists = |path: &str| {
        let inner = format!("{path}/default.nix");
        let is_known = |path: &str| sources.tree.read(path).is_some();
        (nix::is_nix_file(path) && is_known(path)) || is_known(&inner)
    };
    let is_made = |path: &str| {
        let mut made = changes.iter().filter(|change| change.after.is_some());
        made.any(|change| targets_of(&change.path).any(|target| target == path))
    };
    for change in changes.iter().filter(|one| nix::is_nix_file(&one.path)) {
        let text = str::from_utf8(change.after.as_deref().unwrap_or_default()).unwrap_or_default();
        for path in nix::named_paths(text, &change.path) {
            let Some(form) = rename_path(&path, name.as_str()) else {
                continue;
            };
            let mut others = hosts.iter().map(|host| form.replace(MARK, host));
            let like = others.find(|other| exists(other));
            let Some(like) = like.filter(|_| !is_made(&path) && !exists(&path)) else {
                continue;
            };
            let failure = Failure::failed(format_args!(
                "`{}` would name `{path}`, which is not there",
                change.path
            ));
            return Err(failure.hint(format!(
                "make `{path}` by hand like `{like}`, and what else `{name}` needs like the other hosts, then run \
                 `create-host --hostname {name} --enroll`"
            )));
        }
    }
    Ok(())
}

fn find_unread(
    name: &HostName,
    hosts: &[String],
    sources: &Sources,
    changes: &[FileChange],
    created: &[&str],
) -> Vec<UnreadFile> {
    let after = changes.iter().filter_map(|change| {
        let text = str::from_utf8(change.after.as_deref()?).ok()?;
        Some(nix::named_paths(text, &change.path))
    });
    let named: Vec<String> = after.flatten().collect();
    let unnamed = created.iter().filter(|path| {
        let mut targets = targets_of(path);
        !targets.any(|target| named.iter().any(|path| path == target))
    });
    let unnamed: Vec<&str> = unnamed.copied().collect();
    if unnamed.is_empty() {
        return Vec::new();
    }
    let naming = list_naming(hosts, sources);
    let is_known = |path: &str| {
        let mut targets = targets_of(path);
        targets.any(|target| naming.contains_key(target))
    };
    let unnamed = unnamed.into_iter().filter(|path| !is_known(path));
    let unread = unnamed.filter_map(|path| {
        let form = rename_path(path, name.as_str())?;
        let own = hosts.iter().map(|host| form.replace(MARK, host));
        let own: Vec<String> = own.filter(|own| sources.tree.read(own).is_some()).collect();
        let named = own.iter().filter_map(|own| {
            let file = targets_of(own).find_map(|target| naming.get(target))?;
            Some((own, file))
        });
        let named: Vec<(&String, &String)> = named.collect();
        let (like, named_in) = named.first()?;
        // the file that names it may be one of the host, too
        let of_host = hosts.iter().find_map(|host| rename_path(named_in, host));
        let named_in = of_host.map_or_else(
            || (*named_in).clone(),
            |form| form.replace(MARK, name.as_str()),
        );
        (named.len() * 2 > own.len()).then(|| UnreadFile {
            path: path.to_owned(),
            like: (*like).clone(),
            named_in,
        })
    });
    unread.collect()
}

/// Returns the paths by which a file is named: its own, and the folder of a `default.nix`.
fn targets_of(path: &str) -> impl Iterator<Item = &str> {
    let folder = path.strip_suffix("/default.nix");
    [Some(path), folder].into_iter().flatten()
}

/// Returns the paths that the fleet's files name, with the first file that names each.
fn list_naming(hosts: &[String], sources: &Sources) -> BTreeMap<String, String> {
    let mut paths = Vec::new();
    collect_paths(&sources.tree, "", &mut paths);
    let mut naming = BTreeMap::new();
    for file in paths {
        let text = sources.tree.read(&file).unwrap_or_default();
        if !hosts.iter().any(|host| text.contains(host.as_str())) {
            continue;
        }
        for path in nix::named_paths(&text, &file) {
            naming.entry(path).or_insert_with(|| file.clone());
        }
    }
    naming
}
