//! Entries of sets that the files of a new host take, and that the fleet does not have.

use std::collections::BTreeSet;

use rnix::SyntaxNode;
use rnix::ast;

use super::call::function_name;
use super::expression::function_body;
use super::files::{FleetFiles, Sources, file_expression};
use super::name::attribute_name;
use super::parse::{cast, untyped};
use super::scope::{entry_path, has_entry};

/// Sets with the names of hosts that modules and functions make.
const MADE: [&str; 14] = [
    "aspects",
    "colmena",
    "configs",
    "darwinConfigurations",
    "diskoConfigurations",
    "homeConfigurations",
    "homeManagerModules",
    "homeModules",
    "hosts",
    "machines",
    "modules",
    "nixosConfigurations",
    "nixosModules",
    "nodes",
];

/// An entry of a set that a file takes, and that no file defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UndefinedEntry {
    /// The name of the set, such as `addresses` of `addresses.web01`.
    pub set: String,
    /// Another host whose entry is defined, and the file that does, if most have one.
    pub like: Option<(String, String)>,
}

/// Returns the entries of a host that a file takes, where no file of the fleet defines them.
/// `others` are the other hosts.
pub fn undefined_entries(
    files: &dyn FleetFiles,
    path: &str,
    host: &str,
    others: &[String],
) -> Vec<UndefinedEntry> {
    let sources = Sources::new(files);
    let Some(Ok(file)) = sources.open(path) else {
        return Vec::new();
    };
    let selects = file.root.descendants().filter_map(|node| cast(&node));
    let sets = selects.filter_map(|select| set_of(&select, host));
    let sets: BTreeSet<String> = sets
        .filter(|set| find_definition(&sources, set, host).is_none())
        .collect();
    let undefined = sets.into_iter().filter_map(|set| {
        let defined = others.iter().filter_map(|other| {
            let file = find_definition(&sources, &set, other)?;
            Some((other.clone(), file))
        });
        let defined: Vec<(String, String)> = defined.collect();
        let is_of_most = defined.len() > 1 && defined.len() * 2 >= others.len();
        let like = defined.into_iter().next().filter(|_| is_of_most);
        (like.is_some() || !MADE.contains(&set.as_str())).then_some(UndefinedEntry { set, like })
    });
    undefined.collect()
}

/// Returns the name before that of the host in a selection without a default.
fn set_of(select: &ast::Select, host: &str) -> Option<String> {
    let names: Vec<Option<String>> = [select.expr().and_then(|set| function_name(&set))]
        .into_iter()
        .chain(select.attrpath()?.attrs().map(|name| attribute_name(&name)))
        .collect();
    let pair = names
        .windows(2)
        .find(|pair| pair[1].as_deref() == Some(host))?;
    pair[0].clone().filter(|_| select.default_expr().is_none())
}

/// Returns the file of the fleet that defines the entry of a host in a set.
fn find_definition(sources: &Sources<'_>, set: &str, host: &str) -> Option<String> {
    let files = sources.files_that(|text| text.contains(host));
    let mut defining = files.iter().filter(|file| {
        let entries = file.root.descendants();
        let mut entries = entries.filter_map(|node| cast::<ast::AttrpathValue>(&node));
        let is_whole = file
            .path
            .trim_end_matches("/default.nix")
            .trim_end_matches(".nix");
        let is_named = is_whole.rsplit('/').next() == Some(set);
        let has_host = |node: SyntaxNode| has_entry(&node, host);
        let of_file = || {
            let body = file_expression(file).map(|body| untyped(&function_body(&body)));
            body.is_some_and(has_host)
        };
        (is_named && of_file())
            || entries.any(|entry| {
                let path = entry_path(&entry);
                let mut names = path.iter().map(|(name, _)| name.as_deref());
                let ends_with_set = path
                    .last()
                    .is_some_and(|(name, _)| name.as_deref() == Some(set));
                let value = entry.value().map(|value| untyped(&function_body(&value)));
                let names_host =
                    names.any(|name| name == Some(set)) && names.next() == Some(Some(host));
                names_host || (ends_with_set && value.is_some_and(has_host))
            })
    });
    defining.next().map(|file| file.path.clone())
}
