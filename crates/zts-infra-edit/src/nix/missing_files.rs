//! The parts of a learnt file that name files which the fleet lacks.

use std::cmp::Reverse;
use std::ops::Range;

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::capitalize;
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
        // `readFile ./web01.pub`
        let is_call = |node: &SyntaxNode| {
            matches!(node.kind(), SyntaxKind::NODE_APPLY | SyntaxKind::NODE_PAREN)
        };
        let calls = node.ancestors().skip(1).take_while(is_call);
        let node = calls.last().unwrap_or(node);
        let Some(parent) = node.parent() else {
            return Vec::new();
        };
        match cast::<ast::AttrpathValue>(&parent) {
            // a function lacks an argument without it
            Some(_) if call_in_list(&parent).is_some() => {
                call_in_list(&parent).iter().map(node_range).collect()
            }
            Some(entry) => [vec![node_range(&parent)], users_of_variable(&root, &entry)].concat(),
            None if cast::<ast::List>(&parent).is_some() => vec![node_range(&node)],
            None => Vec::new(),
        }
    });
    leave_out(text, places.collect())
}

/// Returns the element of a list that calls a function with the set of an entry.
fn call_in_list(entry: &SyntaxNode) -> Option<SyntaxNode> {
    let set = entry
        .parent()
        .filter(|set| cast::<ast::AttrSet>(set).is_some())?;
    let call = set
        .parent()
        .filter(|call| cast::<ast::Apply>(call).is_some())?;
    let is_call =
        |node: &SyntaxNode| matches!(node.kind(), SyntaxKind::NODE_APPLY | SyntaxKind::NODE_PAREN);
    let call = call.ancestors().take_while(is_call).last()?;
    let list = call.parent()?;
    cast::<ast::List>(&list).map(|_| call)
}

/// Leaves out the modules with the host's name in lists that none of its files defines, where those
/// of another host are defined: its user's settings, or its disks.
pub(super) fn without_missing_modules(
    own: &[(String, String)],
    host: &str,
    others: &[&str],
    is_defined: &dyn Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let has = |module: &str| own.iter().any(|(_, text)| defines_module(text, module));
    // a module may have the name of its file or of its folder
    let has_place = |module: &str| {
        let mut parts = own.iter().flat_map(|(path, _)| path.split('/'));
        parts.any(|part| part.strip_suffix(".nix").unwrap_or(part) == module)
    };
    let has_part = |module: &str| {
        let names = [format!("{module}."), format!("\"{module}\"")];
        let mut texts = own
            .iter()
            .flat_map(|(_, text)| names.iter().map(move |name| text.contains(name)));
        texts.any(|has| has)
    };
    let capital = capitalize(host);
    let renamed = |module: &str, other: &str| {
        let plain = module.replace(host, other);
        plain.replace(&capital, &capitalize(other))
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
            && (module.contains(host) || module.contains(&capital))
            && (is_of_input(&text)
                || (cast::<ast::Ident>(node).is_some()
                    && !has(module)
                    && !has_part(module)
                    && !has_place(module))
                || (!has(module) && {
                    let mut others = others.iter();
                    others.any(|other| is_defined(&renamed(module, other)))
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

/// Returns whether a text gives a value to an attribute of this name, or to a part of such a
/// module: `nixosModules.web01.imports = …`.
pub(super) fn defines_module(text: &str, module: &str) -> bool {
    let beginnings = ["Modules", "modules", "nixos", "aspects"];
    let has_part = |set: &&str| text.contains(&format!("{set}.{module}."));
    text.contains(&format!("{module} =")) || beginnings.iter().any(has_part)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_nothing_defines_are_left_out() {
        let module = "{ imports = with modules; [ web01 base ]; }";
        let kept = |path: &str, more: &str| {
            let own = [(path.to_owned(), format!("{module}{more}"))];
            let mut kept = without_missing_modules(&own, "web01", &["raven"], &|_| false);
            kept.pop()
                .is_some_and(|(_, text)| text.contains("web01 base"))
        };
        assert!(!kept("boxes/configuration.nix", ""));
        assert!(kept("boxes/web01/configuration.nix", "")); // a folder may define it
        assert!(kept(
            "boxes/configuration.nix",
            " // { modules.web01.a = 1; }"
        ));
    }
}
