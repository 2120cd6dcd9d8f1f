//! A list of objects in the place of a map: each object has its machine's name.
//!
//! ```hcl
//! locals {
//!   vms = [
//!     { name = "web01", ip = "10.0.0.5/24" },
//!   ]
//! }
//! ```

use crate::tree::{Item, Kind, Node};

/// The attributes that may have the machine's name, the most usual first.
const NAMES: [&str; 5] = ["name", "hostname", "host_name", "vm_name", "host"];

/// Returns the attribute with the machines' names, of a list of objects that all have one; for an
/// empty list the most usual one.
pub(super) fn name_attribute(values: &[Node]) -> Option<&'static str> {
    let mut names = NAMES.into_iter();
    names.find(|name| values.iter().all(|value| name_of(value, name).is_some()))
}

fn name_of<'a>(value: &'a Node, attribute: &str) -> Option<&'a str> {
    value.get(attribute)?.value.text()
}

/// Returns the objects as items by their names. The range of an item of YAML begins with its dash.
pub(super) fn into_items(source: &str, attribute: &str, values: Vec<Node>) -> Vec<Item> {
    let items = values.into_iter().map(|value| {
        let start = start_of_item(source, value.range.start);
        Item {
            name: name_of(&value, attribute).map(str::to_owned),
            key: start..start,
            range: start..value.range.end,
            value,
        }
    });
    items.collect()
}

fn start_of_item(source: &str, start: usize) -> usize {
    let before = source[..start].trim_end_matches([' ', '\t']);
    match before.strip_suffix('-') {
        Some(before) if before.is_empty() || before.ends_with([' ', '\t', '\n']) => before.len(),
        _ => start,
    }
}

/// Returns the items of a list of machines; `None` for any other value.
pub(super) fn read_items(source: &str, node: &Node) -> Option<Vec<Item>> {
    match &node.kind {
        Kind::List(values) if !values.is_empty() => {
            let attribute = name_attribute(values)?;
            Some(into_items(source, attribute, values.clone()))
        }
        _ => None,
    }
}
