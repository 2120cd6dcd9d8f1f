//! Entries of sets that the files of a new host take, and that the fleet does not have.

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

/// Returns the names of the sets whose entry of the host a file takes, such as `addresses` of
/// `addresses.web01`, where no file of the fleet defines it.
pub fn undefined_entries(files: &dyn FleetFiles, path: &str, host: &str) -> Vec<String> {
    let sources = Sources::new(files);
    let Some(Ok(file)) = sources.open(path) else {
        return Vec::new();
    };
    let selects = file.root.descendants().filter_map(|node| cast(&node));
    let sets = selects.filter_map(|select| set_of(&select, host));
    let mut sets: Vec<String> = sets
        .filter(|set| !MADE.contains(&set.as_str()) && !is_defined(&sources, set, host))
        .collect();
    sets.sort();
    sets.dedup();
    sets
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

/// Returns whether a file of the fleet defines the entry of a host in a set.
fn is_defined(sources: &Sources<'_>, set: &str, host: &str) -> bool {
    let files = sources.files_that(|text| text.contains(host));
    files.iter().any(|file| {
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
    })
}
