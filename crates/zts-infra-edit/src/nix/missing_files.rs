//! The parts of a learnt file that name files which the fleet lacks.

use std::cmp::Reverse;
use std::ops::Range;

use rnix::SyntaxNode;
use rnix::ast;

use super::files::{FleetFiles, is_nix_file};
use super::parse::{cast, node_range, parse_source, untyped};
use super::paths::resolve_path;
use super::scope::entry_path;

/// Returns the text of a file without what names files that the fleet lacks, such as encrypted
/// secrets of the host. Modules and reports on the hardware are made.
pub(super) fn without_missing_files(text: &str, path: &str, files: &dyn FleetFiles) -> String {
    let Ok(root) = parse_source(text) else {
        return text.to_owned();
    };
    let is_missing = |node: &SyntaxNode| {
        let named = node.to_string();
        let is_file = cast::<ast::PathRel>(node).is_some() && !named.contains("${");
        let last = named.rsplit('/').next().unwrap_or_default();
        let is_made = is_nix_file(last) || last == "facter.json" || !last.contains('.');
        let target = resolve_path(path, &named).filter(|_| is_file && !is_made);
        target.is_some_and(|target| files.read(&target).is_none())
    };
    let missing = root.descendants().filter(is_missing);
    let places = missing.flat_map(|node| {
        let Some(parent) = node.parent() else {
            return Vec::new();
        };
        match cast::<ast::AttrpathValue>(&parent) {
            Some(entry) => [vec![node_range(&parent)], users_of_variable(&root, &entry)].concat(),
            None if cast::<ast::List>(&parent).is_some() => vec![node_range(&node)],
            None => Vec::new(),
        }
    });
    leave_out(text, places.collect())
}

/// Leaves out the modules with the host's name in lists that none of its files defines, where those
/// of another host are defined: its user's settings, or its disks.
pub(super) fn without_missing_modules(
    own: &[(String, String)],
    host: &str,
    others: &[&str],
    is_defined: &dyn Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let has = |module: &str| {
        let entry = format!("{module} =");
        own.iter().any(|(_, text)| text.contains(&entry))
    };
    let is_missing = |node: &SyntaxNode| {
        let is_element = node
            .parent()
            .is_some_and(|parent| cast::<ast::List>(&parent).is_some());
        let text = node.to_string();
        let module = text.rsplit('.').next().unwrap_or_default();
        let is_name = |letter: char| letter.is_alphanumeric() || "_-'".contains(letter);
        is_element
            && module.chars().all(is_name)
            && module.contains(host)
            && (is_of_input(&text)
                || (!has(module) && {
                    let mut others = others.iter();
                    others.any(|other| is_defined(&module.replace(host, other)))
                }))
    };
    let places = |text: &str| -> Vec<Range<usize>> {
        let root = parse_source(text).ok();
        let nodes = root.into_iter().flat_map(|root| root.descendants());
        nodes
            .filter(is_missing)
            .map(|node| node_range(&node))
            .collect()
    };
    let kept = own
        .iter()
        .map(|(path, text)| (path.clone(), leave_out(text, places(text))));
    kept.collect()
}

/// Returns whether a module is of another flake, which does not know the new host.
fn is_of_input(module: &str) -> bool {
    module.starts_with("inputs.") && !module.starts_with("inputs.self.")
}

/// Returns a text without these places, and the blanks before them.
fn leave_out(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| (place.start, Reverse(place.end)));
    let mut end = 0;
    places.retain(|place| {
        place.start >= end && {
            end = place.end;
            true
        }
    });
    places.reverse();
    let mut kept = text.to_owned();
    for place in places {
        let start = kept[..place.start].trim_end().len();
        kept.replace_range(start..place.end, "");
    }
    kept
}

/// Returns the places of the attributes that need a variable of a `let`, if the entry defines one.
fn users_of_variable(root: &SyntaxNode, entry: &ast::AttrpathValue) -> Vec<Range<usize>> {
    let definition = untyped(entry);
    let scope = definition.parent();
    let name = entry_path(entry).pop().and_then(|(name, _)| name);
    let is_variable = scope.is_some_and(|scope| cast::<ast::LetIn>(&scope).is_some());
    let Some(name) = name.filter(|_| is_variable) else {
        return Vec::new();
    };
    let uses = root.descendants().filter(|node| {
        let variable = cast::<ast::Ident>(node);
        variable.is_some_and(|variable| variable.to_string() == name)
    });
    let owner = |node: SyntaxNode| {
        let mut around = node.ancestors().skip(1);
        let is_value = |node: &SyntaxNode| cast::<ast::AttrpathValue>(node).is_some();
        around.find(is_value).filter(|owner| {
            let is_name = node
                .parent()
                .is_some_and(|path| cast::<ast::Attrpath>(&path).is_some());
            !is_name && *owner != definition
        })
    };
    uses.filter_map(owner)
        .map(|owner| node_range(&owner))
        .collect()
}
