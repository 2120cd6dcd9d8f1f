//! The value of a new host's entry, learnt from the other hosts.
//!
//! The host's name is replaced in each value. The most common form is the new one, if more than
//! half of the hosts share it. Otherwise the parts are compared: a part that more than half of the
//! hosts have stays, and one that only some have is left out. A part that every host has with
//! another value, such as a number, cannot be learnt.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{
    MARK, Replacement, Wanted, abstract_tokens, own_address, parse_ip, rename_segments, render_node,
};
use super::expression::literal_string;
use super::merge::{Merge, Peer};
use super::parse::{cast, node_range, parse_source};

/// A host with its value.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) name: String,
    pub(super) value: SyntaxNode,
    /// The path between the name and the value: empty, or such as `.modules`.
    pub(super) tail: String,
    /// The indentation of the entry.
    pub(super) indent: String,
}

/// A value, and the host that it is like.
#[derive(Debug)]
pub(super) struct Lesson {
    pub(super) text: String,
    pub(super) like: String,
}

/// The limit of hosts whose parts are compared.
const MAX_COMPARED: usize = 30;

/// Learns the value of a host; the forms of the others as an error, if they have too little in
/// common.
pub(super) fn learn_value(siblings: &[Sibling], wanted: Wanted<'_>) -> Result<Lesson, Vec<String>> {
    let forms: Vec<Vec<String>> = siblings
        .iter()
        .map(|sibling| abstract_tokens(&sibling.value, &sibling.name))
        .collect();
    let count = |form: &[String]| forms.iter().filter(|other| *other == form).count();
    let common = forms.iter().position(|form| count(form) * 2 > forms.len());
    let found = match common {
        Some(index) => lesson(&siblings[index], &[], wanted)
            .filter(|_| siblings.len() > 1)
            .or_else(|| learn_alone(&siblings[index], wanted).filter(|_| siblings.len() == 1)),
        None => learn_parts(siblings, wanted),
    };
    found.ok_or_else(|| {
        let mut seen = Vec::new();
        let mut texts = Vec::new();
        for (sibling, form) in siblings.iter().zip(&forms) {
            if !seen.contains(&form) && seen.len() < 3 {
                seen.push(form);
                texts.push(render(sibling, &[], "{hostname}"));
            }
        }
        texts
    })
}

/// Learns from what most hosts have in common, with the first host that needs only omissions.
fn learn_parts(siblings: &[Sibling], wanted: Wanted<'_>) -> Option<Lesson> {
    let compared = &siblings[siblings.len().saturating_sub(MAX_COMPARED)..];
    let peers: Vec<Peer<'_>> = compared
        .iter()
        .map(|sibling| Peer {
            name: &sibling.name,
            node: sibling.value.clone(),
        })
        .collect();
    compared.iter().zip(&peers).find_map(|(sibling, base)| {
        let mut merge = Merge::new(wanted);
        merge
            .merge_values(base, &peers)
            .then(|| lesson(sibling, &merge.replacements, wanted))
            .flatten()
    })
}

/// Learns from the only host. A value of its own cannot be told from a value of all hosts, so its
/// address is replaced where an attribute says that it is one, and another address is refused.
fn learn_alone(sibling: &Sibling, wanted: Wanted<'_>) -> Option<Lesson> {
    let mut replacements = Vec::new();
    for string in sibling
        .value
        .descendants()
        .filter_map(|node| cast::<ast::Str>(&node))
    {
        let text = literal_string(&string).unwrap_or_default();
        let is_individual = parse_ip(&text).is_some() || is_hardware(&text);
        if !is_individual {
            continue;
        }
        let node = super::parse::untyped(&string);
        parse_ip(&text).filter(|_| is_address_of_host(&node))?;
        let own = own_address(text.contains('/'), wanted.address)?;
        replacements.push(Replacement {
            range: node_range(&node),
            text: format!("\"{own}\""),
        });
    }
    replacements.extend(own_files(sibling, wanted));
    lesson(sibling, &replacements, wanted)
}

fn lesson(sibling: &Sibling, replacements: &[Replacement], wanted: Wanted<'_>) -> Option<Lesson> {
    let text = render(sibling, replacements, wanted.name);
    // a name in place of another must not change the syntax
    parse_source(&text).ok()?;
    Some(Lesson {
        text,
        like: sibling.name.clone(),
    })
}

fn render(sibling: &Sibling, replacements: &[Replacement], name: &str) -> String {
    render_node(
        &sibling.value,
        replacements,
        (&sibling.name, name),
        &sibling.indent,
    )
}

/// Returns the replacement of an only host's configuration, in files without its name, by that of
/// the new host. The host's other files are left out.
fn own_files(sibling: &Sibling, wanted: Wanted<'_>) -> Vec<Replacement> {
    const OWN: [&str; 4] = [
        "configuration.nix",
        "hardware-configuration.nix",
        "hardware.nix",
        "disko.nix",
    ];
    let paths: Vec<SyntaxNode> = sibling
        .value
        .descendants()
        .filter(|node| cast::<ast::PathRel>(node).is_some())
        .collect();
    let has_name = |node: &SyntaxNode| {
        let path = node.to_string();
        rename_segments(&path, &sibling.name, MARK) != path
    };
    if paths.iter().any(has_name) {
        return Vec::new();
    }
    let is_own = |node: &&SyntaxNode| {
        let path = node.to_string();
        OWN.contains(&path.rsplit('/').next().unwrap_or_default())
    };
    let own = paths.iter().filter(is_own).enumerate();
    own.map(|(index, node)| Replacement {
        range: node_range(node),
        text: if index == 0 {
            wanted.module.to_owned()
        } else {
            String::new()
        },
    })
    .collect()
}

fn is_hardware(text: &str) -> bool {
    text.starts_with("/dev/disk/by-") || (text.len() == 36 && text.matches('-').count() == 4)
}

/// Returns whether the attribute of a value is the address of a host.
fn is_address_of_host(value: &SyntaxNode) -> bool {
    const KEYS: [&str; 9] = [
        "ip",
        "ipv4",
        "ipv6",
        "addr",
        "address",
        "ipaddress",
        "hostname",
        "host",
        "targethost",
    ];
    let entry = value
        .parent()
        .and_then(|parent| cast::<ast::AttrpathValue>(&parent));
    let last = entry
        .and_then(|entry| entry.attrpath())
        .and_then(|path| path.attrs().last())
        .and_then(|attribute| super::name::attribute_name(&attribute));
    last.is_some_and(|name| KEYS.contains(&name.to_lowercase().as_str()))
}
