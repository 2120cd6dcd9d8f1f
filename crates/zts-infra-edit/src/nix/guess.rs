//! Flakes that make hosts in a way that no text shows, from a folder that no other file names the
//! hosts of.

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::abstraction::rename_segments;
use super::data::find_data_file;
use super::discovery::Discovery;
use super::expression::literal_string;
use super::files::{SourceFile, Sources, is_nix_file, join_path};
use super::flake_hosts::FlakeHosts;
use super::folders::is_folder_of_others;
use super::host_files::host_files;
use super::locate::CONFIGURATIONS;
use super::parse::cast;
use super::registry::has_modules;
use super::scope::entry_path;
use super::unsupported::FolderToCopy;

/// The limit of folders above a folder of hosts.
const MAX_DEPTH: usize = 4;

/// Returns the folder of hosts that the flake must read, because no set and no list has the names
/// of most of them.
pub(super) fn guess_folder(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
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
        || !makes_hosts(sources, flake, output, found)
    {
        return None;
    }
    let mut folders = Vec::new();
    collect_folders(sources, "", false, MAX_DEPTH, &mut folders);
    let found = folders.iter().filter_map(|folder| {
        let (file, hosts) = host_files(sources, folder)?;
        // files in a folder of another name may all be of one host
        let is_named = folder.rsplit('/').next().is_some_and(is_folder_of_hosts);
        let are_hosts = hosts.len() > 1
            && (is_named || !file.ends_with("{}.nix"))
            && !hosts.iter().all(|host| is_of_kind(host));
        are_hosts.then_some((folder, file, hosts))
    });
    let (folder, file, hosts) = found.max_by_key(|(_, _, hosts)| hosts.len())?;
    (!are_named(sources, folder, &hosts)).then(|| Discovery {
        reader: "the flake".to_owned(),
        file,
        hosts,
    })
}

/// Returns the folder with the most folders of hosts, of a fleet that reads folders.
pub(super) fn find_folder_to_copy(sources: &Sources<'_>) -> Option<FolderToCopy> {
    if sources.files_with("readDir").is_empty() {
        return None;
    }
    let mut folders = Vec::new();
    collect_folders(sources, "", false, MAX_DEPTH, &mut folders);
    let is_named = |folder: &String| folder.rsplit('/').next().is_some_and(is_folder_of_hosts);
    folders.retain(is_named);
    let hosts_in = |folder: &String| {
        let mut hosts = sources.files.list(folder);
        hosts.retain(|name| {
            let folder = name.strip_suffix('/');
            folder.is_some_and(|name| !name.starts_with(['.', '_']) && !is_of_kind(name))
        });
        hosts.retain(|name| {
            let files = sources
                .files
                .list(&join_path(folder, name.trim_end_matches('/')));
            files.iter().any(|file| is_nix_file(file))
        });
        hosts
    };
    let with_hosts = folders
        .into_iter()
        .map(|folder| (hosts_in(&folder), folder));
    let with_several = with_hosts.filter(|(hosts, _)| hosts.len() > 1);
    let (hosts, folder) = with_several.max_by_key(|(hosts, _)| hosts.len())?;
    let hosts: Vec<String> = hosts
        .iter()
        .map(|host| host.trim_end_matches('/').to_owned())
        .collect();
    Some(FolderToCopy {
        naming: files_naming(sources, &folder, &hosts),
        like: hosts.first()?.clone(),
        folder,
    })
}

/// Returns a file with the name of a host that makes this host, from the fleet's root, and the same
/// path with the name of a new host.
pub(super) fn find_file_to_copy(sources: &Sources<'_>, host: &str) -> Option<(String, String)> {
    let files = sources.files_with(CONFIGURATIONS).into_iter();
    let is_general = |file: &str| ["flake.nix", "default.nix"].contains(&file);
    let mut pairs = files.flat_map(|file| {
        let nodes = file.root.descendants();
        let entries = nodes.filter_map(|node| cast::<ast::AttrpathValue>(&node));
        let own = file.path.rsplit('/').next().unwrap_or_default();
        let own = Some(own).filter(|own| !is_general(own));
        let own = own.map(|own| own.trim_end_matches(".nix").to_owned());
        let names = entries.filter_map(|entry| OnlyName::of(&entry));
        let names = names.filter_map(|name| match name {
            OnlyName::Literal(name) => Some(name),
            OnlyName::Computed => own.clone(),
        });
        let copies =
            names.map(|name| (file.path.clone(), rename_segments(&file.path, &name, host)));
        copies.collect::<Vec<_>>()
    });
    pairs.find(|(path, copy)| path != copy)
}

/// The name of the only host of an entry of `nixosConfigurations`.
enum OnlyName {
    Literal(String),
    Computed,
}

impl OnlyName {
    fn of(entry: &ast::AttrpathValue) -> Option<Self> {
        let path: Vec<Option<String>> = entry_path(entry)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let is_output = |name: &Option<String>| name.as_deref() == Some(CONFIGURATIONS);
        let place = path.iter().position(is_output)?;
        let of_attribute = |name: Option<String>| name.map_or(Self::Computed, Self::Literal);
        if let Some(name) = path.get(place + 1) {
            return Some(of_attribute(name.clone()));
        }
        let ast::Expr::AttrSet(set) = entry.value()? else {
            return None;
        };
        let mut entries = set.attrpath_values();
        let (only, more) = (entries.next()?, entries.next());
        let (name, _) = entry_path(&only).into_iter().next()?;
        more.is_none().then(|| of_attribute(name))
    }
}

/// Returns the files outside of a folder with a set or a list of the names of most of its hosts.
fn files_naming(sources: &Sources<'_>, folder: &str, hosts: &[String]) -> Vec<String> {
    let inside = format!("{folder}/");
    let paths = sources.paths().iter();
    let outside = paths.filter(|path| !path.starts_with(&inside));
    let files = outside.filter_map(|path| sources.open(path)?.ok());
    let naming =
        files.filter(|file| counts_of_names(file, hosts).any(|count| count * 2 > hosts.len()));
    naming.map(|file| file.path.clone()).collect()
}

/// Returns how many of the hosts each set and each list of a file names.
fn counts_of_names(file: &SourceFile, hosts: &[String]) -> impl Iterator<Item = usize> {
    let sets = file.root.descendants().filter(|node| {
        matches!(
            node.kind(),
            SyntaxKind::NODE_ATTR_SET | SyntaxKind::NODE_LIST
        )
    });
    sets.map(|set| {
        let names = names_in(&set);
        hosts.iter().filter(|host| names.contains(host)).count()
    })
}

fn makes_hosts(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
    found: &FlakeHosts,
) -> bool {
    if output != [CONFIGURATIONS] {
        // colmena makes hosts of any modules, unless it has them from another output
        let mut obstacles = found.obstacles.iter();
        let is_other = |node: &SyntaxNode| {
            let text = node.to_string();
            text.contains("self") || text.contains("colmena")
        };
        return !found.obstacles.is_empty() && !obstacles.any(|one| is_other(&one.node));
    }
    let mut files = sources.files_with("nixosSystem").into_iter();
    let elsewhere = files.any(|file| file.path != flake.path);
    elsewhere
        || (!found.obstacles.is_empty() && flake.text.contains("nixosSystem"))
        || (found.obstacles.is_empty() && uses_hosts_of_modules(sources, flake))
}

/// Returns whether a file uses `nixosConfigurations`, which a module of another flake must then
/// make, because no text of this one does.
pub(super) fn uses_hosts_of_modules(sources: &Sources<'_>, flake: &SourceFile) -> bool {
    let is_name = |token: SyntaxToken| {
        token.kind() == SyntaxKind::TOKEN_IDENT && token.text() == CONFIGURATIONS
    };
    let uses = |file: &SourceFile| {
        let mut tokens = file.root.descendants_with_tokens();
        tokens.any(|element| element.into_token().is_some_and(is_name))
    };
    has_modules(flake)
        && sources
            .files_with(CONFIGURATIONS)
            .iter()
            .any(|file| uses(file))
}

/// Returns whether a folder has the name of a kind of hosts, not of one host.
fn is_of_kind(name: &str) -> bool {
    const KINDS: [&str; 6] = ["darwin", "home", "linux", "macos", "nixos", "wsl"];
    KINDS.contains(&name.to_lowercase().as_str())
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
    let inside = format!("{folder}/");
    let outside = sources
        .paths()
        .iter()
        .filter(|path| !path.starts_with(&inside));
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
        hosts.iter().filter(has_path).count() > 1
            || counts_of_names(&file, hosts).any(|count| count * 2 > hosts.len())
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
