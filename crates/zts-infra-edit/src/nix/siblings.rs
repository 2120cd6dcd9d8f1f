//! The other hosts of a flake with their values.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{MARK, rename_segments};
use super::discovery::names_with_files;
use super::files::Sources;
use super::flake_hosts::{FlakeHosts, HostEntry, HostSet, SetKind};
use super::lesson::Sibling;
use super::name::is_system;
use super::own_variables::with_own_variables;
use super::parse::{cast, node_range, parse_source, sole_expression, untyped};
use super::scope::entry_path;
use crate::text::line_indent;

/// Returns the hosts in the set for the new one, or else in all sets of its kind.
pub(super) fn find_siblings(
    sources: &Sources<'_>,
    found: &FlakeHosts,
    set: Option<&HostSet>,
) -> Vec<Sibling> {
    let siblings = |is_wanted: &dyn Fn(&HostSet) -> bool| -> Vec<Sibling> {
        let sets = found.sets.iter().filter(|set| is_wanted(set));
        let mut containers: Vec<&SyntaxNode> = sets.map(|set| &set.container).collect();
        containers.dedup();
        let values = containers
            .iter()
            .map(|container| read_siblings(sources, found, container));
        values.flatten().collect()
    };
    let Some(set) = set else { return Vec::new() };
    let near = siblings(&|other| other.container == set.container);
    if !near.is_empty() {
        return keep_with_files(sources, near, set);
    }
    siblings(&|other| other.is_argument == set.is_argument && other.kind != SetKind::List)
}

/// Keeps the hosts that have files, of those that a function makes from a set: of the others, it
/// makes something else, or nothing.
fn keep_with_files(sources: &Sources<'_>, siblings: Vec<Sibling>, set: &HostSet) -> Vec<Sibling> {
    let names = siblings.iter().map(|one| one.name.as_str());
    let known: Vec<String> = names_with_files(sources, names)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if known.is_empty() || !set.is_argument {
        return siblings;
    }
    let has_file = |one: &Sibling| known.contains(&one.name);
    siblings.into_iter().filter(has_file).collect()
}

/// Keeps the set of the new host's system, where each system has one with hosts.
pub(super) fn prefer_system(mut found: FlakeHosts, system: Option<&str>) -> FlakeHosts {
    let wanted = system.unwrap_or("x86_64-linux");
    let hosts = found.hosts.clone();
    let has_hosts = |set: &HostSet| hosts.iter().any(|host| host.container == set.container);
    let is_wanted = |set: &HostSet| system_of(&set.container).as_deref() == Some(wanted);
    if found
        .sets
        .iter()
        .any(|set| is_wanted(set) && (has_hosts(set) || system.is_some()))
    {
        let is_of_other = |set: &HostSet| system_of(&set.container).is_some() && !is_wanted(set);
        found.sets.retain(|set| !is_of_other(set));
    }
    found
}

/// Returns the system whose hosts a set has: `x86_64-linux = { web01 = …; }`.
fn system_of(set: &SyntaxNode) -> Option<String> {
    let entry = cast::<ast::AttrpathValue>(&set.parent()?)?;
    let (name, _) = entry_path(&entry).pop()?;
    name.filter(|name| is_system(name))
}

/// Keeps the sets whose hosts have files, if the others have none at all: a larger set of other
/// machines, such as virtual ones, is no place for a host with files.
pub(super) fn prefer_sets_with_files(sources: &Sources<'_>, found: FlakeHosts) -> FlakeHosts {
    let count = |set: &HostSet| {
        let hosts = found.hosts.iter();
        let names = hosts.filter(|host| host.container == set.container);
        let names: Vec<&str> = names.map(|host| host.name.as_str()).collect();
        (
            names_with_files(sources, names.iter().copied()).len(),
            names.len(),
        )
    };
    let counts: Vec<(usize, usize)> = found.sets.iter().map(count).collect();
    let is_whole = |(known, all): &(usize, usize)| *all > 1 && known == all;
    if !counts.iter().any(is_whole) {
        return found;
    }
    let mut counts = counts.into_iter();
    let mut found = found;
    found
        .sets
        .retain(|_| counts.next().is_some_and(|(known, _)| known > 0));
    found
}

/// Keeps the hosts that are to be learnt from, if any of them is there.
pub(super) fn keep_like(siblings: Vec<Sibling>, like: &[String]) -> Vec<Sibling> {
    let is_like = |one: &Sibling| like.contains(&one.name);
    if !siblings.iter().any(is_like) {
        return siblings;
    }
    siblings.into_iter().filter(is_like).collect()
}

/// Returns the hosts in a set with their values.
fn read_siblings(
    sources: &Sources<'_>,
    found: &FlakeHosts,
    container: &SyntaxNode,
) -> Vec<Sibling> {
    let Some(file) = sources.file_of(container) else {
        return Vec::new();
    };
    let mut siblings: Vec<Sibling> = Vec::new();
    let hosts = found
        .hosts
        .iter()
        .filter(|host| host.container == *container);
    for host in hosts.clone() {
        if siblings.iter().any(|known| known.name == host.name) {
            continue;
        }
        let parts: Vec<&HostEntry> = hosts
            .clone()
            .filter(|part| part.name == host.name)
            .collect();
        let value = host.value.clone().map(|value| (value, String::new()));
        siblings.extend(
            value
                .or_else(|| join_parts(&file.text, &parts))
                .map(|(value, tail)| Sibling {
                    name: host.name.clone(),
                    value: with_own_variables(value, &host.name),
                    tail,
                    indent: line_indent(&file.text, node_range(&host.entry).start).to_owned(),
                }),
        );
    }
    siblings
}

/// Returns a value that is given in parts: that of the only one, with the path to it, or else a set
/// (`web01.modules = …` and `web01.system = …`).
fn join_parts(source: &str, parts: &[&HostEntry]) -> Option<(SyntaxNode, String)> {
    if let [part] = parts {
        let entry = cast::<ast::AttrpathValue>(&part.entry)?;
        let path = node_range(&untyped(&entry.attrpath()?));
        let tail = &source[node_range(&part.attribute).end..path.end];
        return Some((untyped(&entry.value()?), tail.to_owned()));
    }
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| {
            let end = node_range(&part.attribute).end;
            source[end..node_range(&part.entry).end].strip_prefix('.')
        })
        .collect();
    let set = parse_value(&format!("{{ {} }}", texts?.join(" ")))?;
    Some((set, String::new()))
}

/// Keeps the hosts with the path that most of them have before their value. Without such a path,
/// and beside sets, all values become sets.
pub(super) fn unify_tails(siblings: Vec<Sibling>) -> Vec<Sibling> {
    let count = |tail: &str| siblings.iter().filter(|one| one.tail == tail).count();
    let common = siblings
        .iter()
        .map(|one| &one.tail)
        .find(|tail| count(tail) * 2 > siblings.len());
    let is_set = |one: &Sibling| cast::<ast::AttrSet>(&one.value).is_some();
    let are_sets = siblings
        .iter()
        .filter(|one| one.tail.is_empty())
        .all(is_set);
    if let Some(tail) = common
        .cloned()
        .filter(|tail| !(tail.is_empty() && are_sets))
    {
        return siblings
            .into_iter()
            .filter(|one| one.tail == tail)
            .collect();
    }
    let into_set = |one: Sibling| match one.tail.strip_prefix('.') {
        None => Some(one),
        Some(path) => Some(Sibling {
            value: parse_value(&format!("{{ {path} = {}; }}", one.value))?,
            tail: String::new(),
            ..one
        }),
    };
    siblings.into_iter().filter_map(into_set).collect()
}

/// Returns whether a host is defined in a file with its name.
pub(super) fn is_in_own_file(sources: &Sources<'_>, host: &HostEntry) -> bool {
    let file = sources.file_of(&host.entry);
    file.is_some_and(|file| rename_segments(&file.path, &host.name, MARK) != file.path)
}

fn parse_value(text: &str) -> Option<SyntaxNode> {
    sole_expression(&parse_source(text).ok()?, text)
}
