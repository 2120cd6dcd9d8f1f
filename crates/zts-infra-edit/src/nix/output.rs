//! The outputs of a flake that have an entry for each host.

use rnix::ast;

use super::abstraction::{MARK, rename_segments};
use super::context::Context;
use super::files::{SourceFile, Sources};
use super::flake_hosts::{FlakeHosts, HostEntry, SetKind};
use super::locate::locate_hosts;
use super::parse::{cast, untyped};
use super::search::search_entries;

/// The nodes of colmena.
pub(super) const COLMENA: &[&str] = &["colmena"];
/// The nodes of colmena, as a hive.
pub(super) const HIVE: &[&str] = &["colmenaHive"];
/// The machines of a clan, at any place of the flake.
const INVENTORY: &[&str] = &["inventory", "machines"];

/// The lists of modules in all files, whose elements are the paths of hosts' files.
pub(super) const IMPORTS: &[&str] = &["imports"];

/// The outputs beside `nixosConfigurations`.
pub(super) const OTHER_OUTPUTS: [&[&str]; 5] =
    [&["deploy", "nodes"], COLMENA, HIVE, INVENTORY, IMPORTS];

/// Locates the hosts in an output.
pub(super) fn search_output(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
) -> FlakeHosts {
    const RESERVED: [&str; 3] = ["meta", "defaults", "network"];
    let context = Context::new(sources);
    if output != INVENTORY {
        let mut found = locate_hosts(flake, output, context);
        if output == COLMENA || output == HIVE {
            found
                .hosts
                .retain(|host| !RESERVED.contains(&host.name.as_str()));
        }
        return found;
    }
    let mut found = FlakeHosts::default();
    for set in flake
        .root
        .descendants()
        .filter_map(|node| cast::<ast::AttrSet>(&node))
    {
        found.append(search_entries(&untyped(&set), output, context));
    }
    found.into_argument()
}

/// Locates the list `imports`, or another one, with the paths of most hosts' files.
pub(super) fn search_imports(sources: &Sources<'_>, hosts: &[String]) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    let has_most = |text: &str| {
        let paths = hosts.iter().map(|host| format!("/{host}"));
        paths.filter(|path| text.contains(path.as_str())).count() * 2 > hosts.len()
    };
    for file in sources.files_that(has_most) {
        let entries = file.root.descendants();
        for entry in entries.filter_map(|node| cast::<ast::AttrpathValue>(&node)) {
            if let Some(ast::Expr::List(list)) = entry.value() {
                let mut list = list_paths(&list);
                let known = list.hosts.iter().filter(|host| hosts.contains(&host.name));
                let forms: Vec<String> = known.map(form_of).collect();
                if forms.len() > 1 && forms.len() * 2 > hosts.len() {
                    // other files, which are of no host
                    list.hosts.retain(|host| forms.contains(&form_of(host)));
                    found.append(list);
                }
            }
        }
    }
    found
}

/// Returns the path of a host's file, with a mark for its name.
fn form_of(host: &HostEntry) -> String {
    rename_segments(&host.entry.to_string(), &host.name, MARK)
}

/// Returns the paths in a list as hosts, by the names of their files or folders.
fn list_paths(list: &ast::List) -> FlakeHosts {
    let here = untyped(list);
    let mut found = FlakeHosts::default();
    found.add_set(&here, SetKind::List);
    let paths = list
        .items()
        .filter(|item| matches!(item, ast::Expr::PathRel(_)));
    let texts: Vec<String> = paths.map(|path| path.to_string()).collect();
    let is_shared = |file: &str| {
        let has_it = |text: &&String| text.rsplit_once('/').is_some_and(|(_, last)| last == file);
        file.contains('.') && texts.iter().filter(has_it).count() > 1
    };
    for element in list.items() {
        let node = untyped(&element);
        let text = node.to_string();
        // a file of the same name in the folder of each host
        let text = match text.rsplit_once('/') {
            Some((folder, file)) if file == "default.nix" || is_shared(file) => folder,
            _ => text.as_str(),
        };
        let segment = text.rsplit('/').next().unwrap_or_default();
        let name = segment.strip_suffix(".nix").unwrap_or(segment).to_owned();
        if matches!(element, ast::Expr::PathRel(_)) {
            found.hosts.push(HostEntry {
                name,
                entry: node.clone(),
                attribute: node.clone(),
                value: Some(node),
                container: here.clone(),
            });
        }
    }
    found
}
