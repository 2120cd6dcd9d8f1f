//! The other hosts of a flake with their values.

use rnix::SyntaxNode;

use super::files::Sources;
use super::flake_hosts::{FlakeHosts, HostSet, SetKind};
use super::learn::Sibling;
use super::parse::{node_range, parse_source, sole_expression};
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
        return near;
    }
    siblings(&|other| other.is_argument == set.is_argument && other.kind != SetKind::List)
}

/// Returns the hosts in a set with their values. The parts of a value that is given in parts
/// (`web01.modules = …`) become a set.
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
        let indent = line_indent(&file.text, node_range(&host.entry).start).to_owned();
        let value = match &host.value {
            _ if siblings.iter().any(|known| known.name == host.name) => None,
            Some(value) => Some(value.clone()),
            None => {
                let parts = hosts.clone().filter(|part| part.name == host.name);
                let parts: Option<Vec<&str>> = parts
                    .map(|part| {
                        let end = node_range(&part.attribute).end;
                        file.text[end..node_range(&part.entry).end].strip_prefix('.')
                    })
                    .collect();
                parts.and_then(|parts| parse_value(&format!("{{ {} }}", parts.join(" "))))
            }
        };
        siblings.extend(value.map(|value| Sibling {
            name: host.name.clone(),
            value,
            indent,
        }));
    }
    siblings
}

fn parse_value(text: &str) -> Option<SyntaxNode> {
    sole_expression(&parse_source(text).ok()?, text)
}
