//! The text of a new entry, learnt from the others of the map.

use std::collections::{BTreeMap, BTreeSet};

use super::address::{address_nodes, find_in_text, is_mac, list_addresses};
use super::assumption::{
    Assumption, Reason, absent, common_elements, keep_like, most_common, next_in_count, number,
};
use super::locate::VmsObject;
use super::new_entry::toml_path;
use super::place::{MapPlace, Notation};
use super::render::{self, Attribute, Value};
use super::token::WRAPPING_TOKEN;
use crate::error::{Error, MissingValue};
use crate::hcl;
use crate::text::{is_word, replace_name};
use crate::toml;
use crate::tree::{Item, Kind, Node};

/// Names of attributes that no two machines share.
const UNIQUE: [&str; 13] = [
    "id",
    "vmid",
    "vm_id",
    "id_vm",
    "mac",
    "macaddr",
    "mac_addr",
    "mac_address",
    "macaddress",
    "hwaddr",
    "uuid",
    "serial",
    "vlan_ip",
];

/// The attribute with the version of NixOS that a host is installed with. A new one has the newest.
const STATE_VERSION: &str = "stateVersion";

/// The new machine.
#[derive(Debug, Clone, Copy)]
pub struct NewMachine<'a> {
    /// The host's name.
    pub host: &'a str,
    /// Its address with the prefix length, such as `10.0.0.5/24`.
    pub address: Option<&'a str>,
    /// The values of attributes that cannot be learnt, by their names.
    pub values: &'a BTreeMap<String, String>,
    /// The values with another use, which become attributes only if other machines have them.
    pub elsewhere: &'a BTreeSet<String>,
    /// The machines to learn from, if any of them is there; all if it is empty.
    pub like: &'a [String],
    /// True if a list gets the elements that most of the machines have, where the lists differ.
    pub joins_lists: bool,
}

/// The result of [`learn_entry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// The map has no literal entry to learn from.
    NoModel,
    /// The text for [`super::add_vm`], and the values in it that are assumed.
    Body(String, Vec<Assumption>),
    /// The attributes without a value.
    Missing(Vec<MissingValue>),
}

/// Learns the entry of a new machine: the attributes that all others have. Equal ones are copied;
/// the address and the name are those of the new machine, in the notation of the others. A number
/// that counts the machines is counted on. Of other values that differ, the new machine gets the
/// one that most have.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if the map is computed.
pub fn learn_entry(source: &str, place: &MapPlace, new: &NewMachine<'_>) -> Result<Learnt, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let Some(vms) = VmsObject::locate(text, place)? else {
        return Ok(Learnt::NoModel);
    };
    let others = vms.items().iter();
    let others = others.filter(|item| item.name.as_deref().is_some_and(|name| name != new.host));
    let is_object = |item: &&Item| item.value.items().is_some_and(|items| !items.is_empty());
    let (objects, others): (Vec<&Item>, Vec<&Item>) = others.partition(is_object);
    let objects = keep_like(text, objects, new.like);
    let model = objects.last().or(others.last()).copied();
    let learner = Learner {
        source: text,
        notation: place.notation,
        table: toml_path(place, new.host),
        new,
        names: objects
            .iter()
            .filter_map(|item| item.name.as_deref())
            .collect(),
        own_address: model.and_then(|model| own_address(model, &objects)),
        missing: Vec::new(),
        assumed: Vec::new(),
        path: Vec::new(),
    };
    Ok(match (objects.is_empty(), model, learner.own_address) {
        (false, ..) => learner.learn_object(&objects),
        (true, Some(model), Some(address)) if new.address.is_some() => {
            Learnt::Body(learner.filled(model, address), Vec::new())
        }
        (true, Some(_), Some(_)) => Learnt::Missing(vec![MissingValue::address()]),
        (true, ..) => Learnt::NoModel,
    })
}

/// Returns the number after the largest of this attribute in the map; `None` if no entry has one.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if the map is computed.
pub fn next_number(source: &str, place: &MapPlace, name: &str) -> Result<Option<u64>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let vms = VmsObject::locate(text, place)?;
    let entries = vms.as_ref().map(VmsObject::items).unwrap_or_default();
    let numbers = entries.iter().filter_map(|entry| {
        let node = name
            .split('.')
            .try_fold(&entry.value, |node, name| Some(&node.get(name)?.value))?;
        number(node)
    });
    Ok(numbers.max().map(|largest| largest + 1))
}

/// Returns the value with a machine's own address: the first address that not all machines have.
fn own_address<'a>(model: &'a Item, objects: &[&Item]) -> Option<&'a Node> {
    let all: Vec<Vec<String>> = objects
        .iter()
        .map(|item| list_addresses(&item.value))
        .collect();
    let is_shared = |node: &&Node| {
        let text = node.text().unwrap_or_default();
        let address = find_in_text(text).map(|range| text[range].to_owned());
        all.len() > 1
            && address.is_some_and(|address| all.iter().all(|list| list.contains(&address)))
    };
    let nodes = address_nodes(&model.value);
    nodes.into_iter().find(|node| !is_shared(node))
}

struct Learner<'a> {
    source: &'a str,
    notation: Notation,
    /// The path of the new entry's table in TOML.
    table: String,
    new: &'a NewMachine<'a>,
    /// The names of the machines that are learnt from.
    names: Vec<&'a str>,
    /// The value with the address of the last machine, which is the model.
    own_address: Option<&'a Node>,
    missing: Vec<MissingValue>,
    assumed: Vec<Assumption>,
    path: Vec<String>,
}

impl<'a> Learner<'a> {
    /// Learns an entry that is an object, with the values that no other machine has at its end.
    fn learn_object(mut self, objects: &[&'a Item]) -> Learnt {
        let mut attributes = self.learn_map(objects);
        for (name, value) in self.new.values {
            let is_known = attributes.iter().any(|attribute| attribute.name == *name);
            let is_other = name.contains('.') || self.new.elsewhere.contains(name);
            if !is_known && !is_other {
                let (key, text) = (render::key(self.notation, name), self.literal(value, None));
                let (name, value) = (name.clone(), Value::Text(text));
                attributes.push(Attribute { name, key, value });
            }
        }
        if self.missing.is_empty() {
            let body = render::body(self.notation, self.source, &self.table, &attributes);
            Learnt::Body(body, self.assumed)
        } else {
            Learnt::Missing(self.missing)
        }
    }

    /// Learns the attributes that all these maps have, in the order of the last one.
    fn learn_map(&mut self, maps: &[&'a Item]) -> Vec<Attribute> {
        let model = maps.last().and_then(|item| item.value.items());
        let mut attributes = Vec::new();
        for item in model.unwrap_or_default() {
            let Some(name) = item.name.as_deref().filter(|name| *name != WRAPPING_TOKEN) else {
                continue;
            };
            let same: Vec<&Item> = maps.iter().filter_map(|map| map.value.get(name)).collect();
            // tables with a header such as `[[hosts.web01.disks]]` are of one machine
            if toml::has_header(self.source, item) && item.value.items().is_none() {
                continue;
            }
            self.path.push(name.to_owned());
            let is_common = same.len() == maps.len() || self.given().is_some();
            if let Some(value) = is_common.then(|| self.learn_value(&same)).flatten() {
                let key = self.source[item.key.clone()].to_owned();
                attributes.push(Attribute {
                    name: name.to_owned(),
                    key,
                    value,
                });
            }
            self.path.pop();
        }
        attributes
    }

    /// Returns the value that the user gave for the present attribute.
    fn given(&self) -> Option<&'a String> {
        self.new.values.get(&self.path.join("."))
    }

    fn learn_value(&mut self, same: &[&'a Item]) -> Option<Value> {
        let model = *same.last()?;
        if let Some(given) = self.given() {
            return Some(Value::Text(self.literal(given, Some(model))));
        }
        if same.iter().all(|item| item.value.items().is_some()) {
            let inside = self.learn_map(same);
            let is_flow = match self.notation {
                Notation::Toml => toml::is_inline(self.source, &model.value.range),
                _ => !self.slice(model).contains('\n'),
            };
            return (!inside.is_empty()).then_some(Value::Map(inside, is_flow));
        }
        let is_own_address = self
            .own_address
            .is_some_and(|own| std::ptr::eq(own, &raw const model.value));
        if is_own_address && self.new.address.is_none() {
            self.missing.push(MissingValue::address());
            return None;
        }
        let is_template = is_own_address || self.have_equal_templates(same);
        if is_template && model.value.text().is_some() {
            return Some(Value::Text(self.filled(model, &model.value)));
        }
        let are_equal = same.windows(2).all(|pair| pair[0].value == pair[1].value);
        if are_equal && !(same.len() == 1 && self.is_unique(model)) {
            return Some(Value::Text(self.slice(model)));
        }
        if let Some(value) = self.assume(same) {
            return Some(Value::Text(value));
        }
        self.missing.push(MissingValue {
            name: self.path.join("."),
            example: self.example(same),
            others: Vec::new(),
        });
        None
    }

    /// Returns a value that can be assumed, as text of the file: the next number of a count, or the
    /// value of most machines.
    fn assume(&mut self, same: &[&'a Item]) -> Option<String> {
        let model = *same.last()?;
        let is_unique = self.is_unique(model);
        let number = next_in_count(same, is_unique);
        let is_version = self.path.last().is_some_and(|name| name == STATE_VERSION);
        let most = most_common(same).filter(|_| !is_unique);
        let (text, reason) = match (number, most, absent(same)) {
            (Some(number), ..) => {
                let text = self.literal(&number.to_string(), Some(model));
                (text, Reason::NextNumber)
            }
            (None, Some(most), _) => (self.slice(most), Reason::Most),
            (None, None, Some(absent)) => (self.slice(absent), Reason::Absent),
            (None, None, None) if is_unique => return None,
            (None, None, None) if is_version => {
                let newest = same.iter().max_by_key(|item| item.value.text())?;
                (self.slice(newest), Reason::Most)
            }
            (None, None, None) if self.new.joins_lists => {
                (common_elements(self.source, same)?, Reason::Most)
            }
            (None, None, None) => return None,
        };
        self.assumed.push(Assumption {
            name: self.path.join("."),
            value: text.trim_matches('"').to_owned(),
            reason,
        });
        Some(text)
    }

    /// Returns whether the texts differ only by the machines' names, which they have.
    fn have_equal_templates(&self, same: &[&Item]) -> bool {
        let template = |(item, name): (&&Item, &&str)| {
            let text = item.value.text()?;
            let replaced = replace_name(text, name, "\0", is_word);
            (replaced != text).then_some(replaced)
        };
        let pairs = same.iter().zip(&self.names);
        let templates: Option<Vec<String>> = pairs.map(template).collect();
        same.len() == self.names.len()
            && templates.is_some_and(|texts| texts.windows(2).all(|pair| pair[0] == pair[1]))
    }

    /// Returns whether another machine cannot have the value of this attribute.
    fn is_unique(&self, item: &Item) -> bool {
        let name = self.path.last().map(|name| name.to_ascii_lowercase());
        let text = item.value.text().unwrap_or_default();
        name.is_some_and(|name| UNIQUE.contains(&name.as_str()))
            || is_mac(text)
            || !list_addresses(&Node {
                range: 0..0,
                kind: Kind::Map(vec![item.clone()]),
            })
            .is_empty()
    }

    /// Returns a value that the attribute could have: the next number or hardware address where no
    /// two machines share one, else the most common one.
    fn example(&self, same: &[&Item]) -> String {
        let text = |item: &&Item| match &item.value.kind {
            Kind::Text(text) | Kind::Literal(text) => text.clone(),
            _ => Some(self.slice(item))
                .filter(|text| !text.contains('\n'))
                .unwrap_or_else(|| "VALUE".to_owned()),
        };
        let texts: Vec<String> = same.iter().map(text).collect();
        let is_unique = same.last().is_some_and(|model| self.is_unique(model));
        let numbers = same.iter().filter_map(|item| number(&item.value));
        if let Some(largest) = numbers.max().filter(|_| is_unique) {
            return (largest + 1).to_string();
        }
        let largest = texts.iter().max().filter(|text| is_mac(text));
        if let Some((before, Ok(last))) = largest
            .and_then(|mac| mac.split_at_checked(15))
            .map(|(before, last)| (before, u8::from_str_radix(last, 16)))
        {
            return format!("{before}{:02X}", last.wrapping_add(1));
        }
        let count = |text: &&String| texts.iter().filter(|other| other == text).count();
        texts.iter().max_by_key(count).cloned().unwrap_or_default()
    }

    /// Returns the model's text with the new machine's address and name.
    fn filled(&self, item: &Item, node: &Node) -> String {
        let text = node.text().unwrap_or_default();
        let mut filled = match (find_in_text(text), self.new.address) {
            (Some(range), Some(address)) => {
                let bare = address.split('/').next().unwrap_or(address);
                let has_length = text[range.clone()].contains('/');
                let address = if has_length { address } else { bare };
                [&text[..range.start], address, &text[range.end..]].concat()
            }
            _ => text.to_owned(),
        };
        if let Some(name) = self.names.last() {
            filled = replace_name(&filled, name, self.new.host, is_word);
        }
        self.literal(&filled, Some(item))
    }

    /// Returns the text of a value of an attribute, verbatim.
    fn slice(&self, item: &Item) -> String {
        render::verbatim(self.notation, self.source, item)
    }

    /// Returns a value in the notation of the model's.
    fn literal(&self, text: &str, model: Option<&Item>) -> String {
        let is_written_out = |item: &Item| {
            matches!(
                item.value.kind,
                Kind::List(_) | Kind::Map(_) | Kind::Computed(_)
            )
        };
        if model.is_some_and(is_written_out) {
            return text.to_owned();
        }
        let is_text = model.is_some_and(|item| item.value.text().is_some());
        let is_literal = serde_json::from_str::<serde_json::Value>(text)
            .is_ok_and(|value| value.is_number() || value.is_boolean());
        if is_literal && !is_text {
            return text.to_owned();
        }
        let quote = model.and_then(|item| self.source[item.value.range.clone()].chars().next());
        render::text(self.notation, text, quote)
    }
}
