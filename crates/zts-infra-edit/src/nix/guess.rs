//! Flakes that make hosts in a way that no text shows, from a folder that no other file names the
//! hosts of.

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode};

use super::data::find_data_file;
use super::discovery::{Discovery, is_folder_of_others};
use super::expression::literal_string;
use super::files::{SourceFile, Sources, join_path, list_nix_files};
use super::flake_hosts::FlakeHosts;
use super::host_files::host_files;
use super::parse::cast;
use super::scope::entry_path;

/// The limit of folders above a folder of hosts.
const MAX_DEPTH: usize = 4;

/// Returns the folder of hosts that the flake must read, because no set and no list has the names
/// of most of them.
pub(super) fn guess_folder(
    sources: &Sources<'_>,
    flake: &SourceFile,
    found: &FlakeHosts,
) -> Option<Discovery> {
    let is_entry = |node: &SyntaxNode| {
        let parent = node.parent().map(|parent| parent.kind());
        parent == Some(SyntaxKind::NODE_ATTRPATH)
    };
    let mut obstacles = found.obstacles.iter();
    let is_written = obstacles.any(|obstacle| {
        is_entry(&obstacle.node) || find_data_file(sources, &obstacle.node).is_some()
    });
    if !found.hosts.is_empty()
        || !found.data.is_empty()
        || is_written
        || !makes_hosts(sources, flake, found)
    {
        return None;
    }
    let mut folders = Vec::new();
    collect_folders(sources, "", false, MAX_DEPTH, &mut folders);
    let found = folders.iter().filter_map(|folder| {
        let (file, hosts) = host_files(sources, folder)?;
        // files in a folder of another name may all be of one host
        let is_named = folder.rsplit('/').next().is_some_and(is_folder_of_hosts);
        let are_hosts = hosts.len() > 1 && (is_named || !file.ends_with("{}.nix"));
        are_hosts.then_some((folder, file, hosts))
    });
    let (folder, file, hosts) = found.max_by_key(|(_, _, hosts)| hosts.len())?;
    (!are_named(sources, folder, &hosts)).then(|| Discovery {
        reader: "the flake".to_owned(),
        file,
        hosts,
    })
}

fn makes_hosts(sources: &Sources<'_>, flake: &SourceFile, found: &FlakeHosts) -> bool {
    let mut files = sources.files_with("nixosSystem").into_iter();
    let elsewhere = files.any(|file| file.path != flake.path);
    elsewhere || (!found.obstacles.is_empty() && flake.text.contains("nixosSystem"))
}

fn is_folder_of_hosts(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "devices", "hosts", "machines", "nodes", "servers", "systems",
    ];
    NAMES.contains(&name)
}

/// Collects the folders with the name of hosts, and the folders directly in them.
fn collect_folders(
    sources: &Sources<'_>,
    folder: &str,
    is_of_hosts: bool,
    depth: usize,
    folders: &mut Vec<String>,
) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    for name in sources.files.list(folder) {
        let Some(name) = name
            .strip_suffix('/')
            .filter(|name| !name.starts_with(['.', '_']))
        else {
            continue;
        };
        let path = join_path(folder, name);
        if is_folder_of_others(&path) {
            continue;
        }
        let is_named = is_folder_of_hosts(name);
        if is_named || is_of_hosts {
            folders.push(path.clone());
        }
        collect_folders(sources, &path, is_named, depth, folders);
    }
}

/// Returns whether a file outside of the folder has a set or a list with the names of more than
/// half of the hosts, or the paths of several.
fn are_named(sources: &Sources<'_>, folder: &str, hosts: &[String]) -> bool {
    let mut paths = Vec::new();
    list_nix_files(sources.files, "", &mut paths);
    let inside = format!("{folder}/");
    let outside = paths.iter().filter(|path| !path.starts_with(&inside));
    let mut files = outside.filter_map(|path| sources.open(path)?.ok());
    let last = folder.rsplit('/').next().unwrap_or(folder);
    files.any(|file| {
        let has_path = |host: &&String| {
            let path = format!("/{last}/{host}");
            let mut ends = file
                .text
                .match_indices(&path)
                .map(|(start, _)| start + path.len());
            ends.any(|end| !file.text[end..].starts_with(|letter: char| letter.is_alphanumeric()))
        };
        let sets = file.root.descendants().filter(|node| {
            matches!(
                node.kind(),
                SyntaxKind::NODE_ATTR_SET | SyntaxKind::NODE_LIST
            )
        });
        let count = |set: SyntaxNode| {
            let names = names_in(&set);
            hosts.iter().filter(|host| names.contains(host)).count()
        };
        hosts.iter().filter(has_path).count() > 1
            || sets.map(count).any(|count| count * 2 > hosts.len())
    })
}

fn names_in(container: &SyntaxNode) -> Vec<String> {
    if let Some(list) = cast::<ast::List>(container) {
        let name = |item: ast::Expr| match item {
            ast::Expr::Str(string) => literal_string(&string),
            _ => None,
        };
        return list.items().filter_map(name).collect();
    }
    let entries = cast::<ast::AttrSet>(container).into_iter();
    entries
        .flat_map(|set| set.attrpath_values())
        .filter_map(|entry| entry_path(&entry).into_iter().next()?.0)
        .collect()
}
