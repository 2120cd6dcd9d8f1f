//! The maps of a file that may be those of the machines.

use super::address::{find_in_text, list_addresses};
use super::list;
use super::place::{MapPlace, Notation};
use super::vm::{Vm, read_vm};
use crate::error::{Error, Position};
use crate::hcl;
use crate::tree::{Item, Kind, Node};

/// Names of a map of machines, by which an empty one is recognised.
const NAMES: [&str; 12] = [
    "vms",
    "vm",
    "machines",
    "nodes",
    "hosts",
    "servers",
    "instances",
    "guests",
    "containers",
    "virtual_machines",
    "vm_configs",
    "nixos_hosts",
];

/// Blocks of OpenTofu that define no values for machines.
const OTHER_BLOCKS: [&str; 6] = [
    "check",
    "data",
    "output",
    "provider",
    "resource",
    "terraform",
];

/// A map that may be one of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineMap {
    /// The place of the map.
    pub place: MapPlace,
    /// The line of the map's key.
    pub line: usize,
    /// The map's entries.
    pub machines: Vec<Vm>,
    evidence: Evidence,
    /// True for a list of objects, which is less likely one of machines than a map.
    is_list: bool,
}

/// The form of a map's entries, the best evidence first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// Objects with an address.
    Address,
    /// Objects with an address in an object inside.
    AddressInside,
    /// Addresses.
    BareAddress,
    /// Objects without an address.
    Objects,
    /// An empty map with the name of one of machines.
    Name,
    /// A map inside of another, or without anything that speaks for machines.
    Nothing,
}

/// Lists the maps of a file whose entries may be machines: objects, or addresses.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn list_maps(source: &str, notation: Notation) -> Result<Vec<MachineMap>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let mut search = Search {
        source: text,
        notation,
        path: Vec::new(),
        maps: Vec::new(),
    };
    search.visit(&notation.parse(text)?, 0, true);
    Ok(search.maps)
}

/// Chooses the maps that are most likely those of the machines: those with a host of `known`; else
/// those whose entries have addresses; else empty ones with a usual name.
pub fn choose_maps<'a>(
    maps: impl IntoIterator<Item = &'a MachineMap>,
    known: &[String],
) -> Vec<&'a MachineMap> {
    let maps: Vec<&MachineMap> = maps.into_iter().collect();
    let has_known = |map: &MachineMap| map.machines.iter().any(|vm| known.contains(&vm.name));
    let rank = |map: &MachineMap| match (has_known(map), map.evidence) {
        (true, Evidence::BareAddress) => Some((1, Evidence::BareAddress, map.is_list)),
        (true, _) => Some((0, Evidence::Objects, map.is_list)),
        (false, Evidence::BareAddress | Evidence::Objects | Evidence::Nothing) => None,
        (false, evidence) => Some((2, evidence, map.is_list)),
    };
    let best = maps.iter().filter_map(|map| rank(map)).min();
    let chosen = maps
        .into_iter()
        .filter(|map| best.is_some() && rank(map) == best);
    chosen.collect()
}

struct Search<'a> {
    source: &'a str,
    notation: Notation,
    path: Vec<String>,
    maps: Vec<MachineMap>,
}

impl Search<'_> {
    fn add(&mut self, items: &[Item], key: usize, is_top: bool, is_list: bool) {
        let place = MapPlace {
            notation: self.notation,
            path: self.path.clone(),
        };
        self.maps.push(MachineMap {
            line: Position::at(self.source, key).line,
            machines: items.iter().filter_map(read_vm).collect(),
            evidence: if is_top {
                weigh_entries(&place, items)
            } else {
                Evidence::Nothing
            },
            place,
            is_list,
        });
    }

    /// Visits a value. `is_top` is true unless it is inside of a map.
    fn visit(&mut self, node: &Node, key: usize, is_top: bool) {
        if let (true, Some(items)) = (is_top, list::read_items(self.source, node)) {
            self.add(&items, key, true, true);
        }
        let (Kind::Map(items) | Kind::Section(items)) = &node.kind else {
            return;
        };
        let is_map = matches!(node.kind, Kind::Map(_));
        // the root of a `.tf.json` file holds blocks
        let is_root = self.path.is_empty() && self.notation != Notation::Yaml;
        let is_of_blocks = is_root && items.iter().any(is_other_block);
        // what a map inside of another has of other expressions is one value of each host
        let is_of_values = !is_top && items.iter().all(is_computed);
        if is_map && !is_of_blocks && !is_of_values && items.iter().all(may_be_machine) {
            self.add(items, key, is_top, false);
        }
        // The root of JSON and YAML, and their `locals`, are what a body is in HCL.
        let is_body = self.notation != Notation::Hcl
            && (self.path.is_empty() || ["locals", "variable"].contains(&self.path[0].as_str()));
        for item in items {
            let Some(name) = &item.name else { continue };
            if is_root && is_other_block(item) {
                continue;
            }
            self.path.push(name.clone());
            self.visit(&item.value, item.key.start, !is_map || is_top && is_body);
            self.path.pop();
        }
    }
}

fn is_other_block(item: &Item) -> bool {
    let name = item.name.as_deref();
    name.is_some_and(|name| OTHER_BLOCKS.contains(&name))
}

fn may_be_machine(item: &Item) -> bool {
    match &item.value.kind {
        Kind::Map(_) | Kind::Null | Kind::Computed(_) => true,
        Kind::Text(text) => find_in_text(text).is_some(),
        _ => false,
    }
}

fn is_computed(item: &Item) -> bool {
    matches!(item.value.kind, Kind::Computed(_))
}

fn weigh_entries(place: &MapPlace, items: &[Item]) -> Evidence {
    let objects = || items.iter().filter_map(|item| item.value.items());
    let has_direct = |items: &[Item]| {
        let direct = |item: &Item| !matches!(item.value.kind, Kind::Map(_));
        let rest = items.iter().filter(|item| direct(item)).cloned().collect();
        let entry = Node {
            range: 0..0,
            kind: Kind::Map(rest),
        };
        !list_addresses(&entry).is_empty()
    };
    if objects().any(has_direct) {
        Evidence::Address
    } else if items
        .iter()
        .any(|item| item.value.text().is_none() && !list_addresses(&item.value).is_empty())
    {
        Evidence::AddressInside
    } else if items.iter().any(|item| item.value.text().is_some()) {
        Evidence::BareAddress
    } else if !items.is_empty() {
        Evidence::Objects
    } else if NAMES.contains(&place.name()) {
        Evidence::Name
    } else {
        Evidence::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str, notation: Notation) -> Vec<String> {
        let maps = list_maps(source, notation).unwrap();
        let chosen = choose_maps(&maps, &[]).into_iter();
        chosen.map(|map| map.place.path.join(".")).collect()
    }

    #[test]
    fn outputs_resources_and_lists_beside_a_map_define_no_machines() {
        let hcl = r#"
            output "addresses" {
              value = { web01 = { ip = "10.0.0.5" } }
            }
            data "machines" "all" {
              hosts = { web01 = { ip = "10.0.0.5" } }
            }
            locals {
              nodes = { web01 = { ip = "10.0.0.5" } }
            }
        "#;
        assert_eq!(paths(hcl, Notation::Hcl), ["locals.nodes"]);
        let json = r#"{
            "output": { "addresses": { "value": { "web01": { "ip": "10.0.0.5" } } } },
            "locals": { "nodes": { "web01": { "ip": "10.0.0.5" } } }
        }"#;
        assert_eq!(paths(json, Notation::Json), ["locals.nodes"]);
        let both = r#"
            locals {
              exposed = [{ name = "web01", ip = "10.0.0.5" }]
              nodes   = { web01 = { ip = "10.0.0.5" } }
            }
        "#;
        assert_eq!(paths(both, Notation::Hcl), ["locals.nodes"]);
        let values = r#"
            locals {
              secrets = { acme = { web01 = module.acme.key } }
              nodes   = { web01 = { ip = "10.0.0.5" } }
            }
        "#;
        let maps = list_maps(values, Notation::Hcl).unwrap();
        let known = choose_maps(&maps, &["web01".to_owned()]).into_iter();
        let known: Vec<String> = known.map(|map| map.place.path.join(".")).collect();
        assert_eq!(known, ["locals.nodes"]);
        let data = r#"{ "web01": { "ip": "10.0.0.5" } }"#;
        assert_eq!(paths(data, Notation::Json), [""]);
        let networks = r#"{ "subnet_cidr": "10.0.0.0/24" }"#;
        assert_eq!(paths(networks, Notation::Json), [""; 0]);
    }
}
