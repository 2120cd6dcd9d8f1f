//! The common parts of several values.

use std::collections::BTreeMap;

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{
    MARK, Replacement, Wanted, abstract_tokens, own_address, parse_ip, render_node,
};
use super::expression::literal_string;
use super::individual::{Shared, is_host_id, new_host_id};
use super::members::{Member, Peer, indent_of, members, operators};
use super::name::is_system;
use super::network::{is_of_other_network, next_address, parse_addresses};
use super::parse::{cast, node_range, untyped};

/// The replacements in one value that leave the parts that more than half of the hosts have.
pub(super) struct Merge<'a> {
    wanted: Wanted<'a>,
    /// Given if a part without a common value keeps that of `base`, unless it is of one machine.
    shared: Option<&'a Shared>,
    /// The indentation of the entry that is changed.
    indent: &'a str,
    pub(super) replacements: Vec<Replacement>,
    /// The attributes that most hosts have, each its own.
    pub(super) left_out: Vec<String>,
    /// True if one of these is an attribute that all hosts have.
    pub(super) lacks_part: bool,
    /// True if an address in another network is the next one there.
    pub(super) is_assumed: bool,
}

impl<'a> Merge<'a> {
    pub(super) fn new(wanted: Wanted<'a>, shared: Option<&'a Shared>, indent: &'a str) -> Self {
        Self {
            wanted,
            shared,
            indent,
            replacements: Vec::new(),
            left_out: Vec::new(),
            lacks_part: false,
            is_assumed: false,
        }
    }

    /// Merges the values of all peers into that of `base`, one of them; false if a part that all of
    /// them have has no common value.
    pub(super) fn merge_values(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let forms: Vec<Vec<String>> = peers.iter().map(Peer::tokens).collect();
        let count = |form: &[String]| forms.iter().filter(|other| *other == form).count();
        if let Some(index) = forms.iter().position(|form| count(form) * 2 > peers.len()) {
            if base.tokens() != forms[index] {
                self.replace(base, &peers[index]);
            }
            return true;
        }
        let before = (self.replacements.len(), self.left_out.len());
        if self.merge_parts(base, peers) {
            return true;
        }
        self.replacements.truncate(before.0);
        self.left_out.truncate(before.1);
        let shared = self.shared;
        shared.is_some_and(|shared| !shared.is_individual(&base.node, base.name))
            || self.replace_file(base)
    }

    /// Replaces the first file of a host that does not name itself by that of the new host.
    fn replace_file(&mut self, base: &Peer<'_>) -> bool {
        let is_own = self.shared.is_some_and(|shared| {
            !shared.name_themselves && shared.is_individual(&base.node, base.name)
        });
        let is_path = base.node.kind() == SyntaxKind::NODE_PATH_REL;
        let module = self.wanted.module;
        let mut replaced = self.replacements.iter();
        if !is_own || !is_path || replaced.any(|replacement| replacement.text == module) {
            return false;
        }
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text: module.to_owned(),
        });
        true
    }

    /// Merges values of one kind by their parts.
    fn merge_parts(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let kind = base.node.kind();
        let is_same = |peer: &&Peer<'_>| peer.node.kind() == kind;
        let same: Vec<Peer<'_>> = peers.iter().filter(is_same).cloned().collect();
        if same.len() * 2 <= peers.len() {
            return false;
        }
        match kind {
            SyntaxKind::NODE_PAREN | SyntaxKind::NODE_APPLY => self.merge_children(base, &same),
            // the arguments stay, because the rest may use any of them
            SyntaxKind::NODE_LAMBDA if self.shared.is_some() => {
                let bodies: Vec<Peer<'_>> = same.iter().filter_map(Peer::body).collect();
                base.body()
                    .is_some_and(|own| self.merge_values(&own, &bodies))
            }
            SyntaxKind::NODE_BIN_OP
            | SyntaxKind::NODE_WITH
            | SyntaxKind::NODE_LET_IN
            | SyntaxKind::NODE_ATTRPATH_VALUE
                if self.shared.is_some() =>
            {
                self.merge_children(base, &same)
            }
            SyntaxKind::NODE_ATTR_SET => self.merge_sets(base, &same),
            SyntaxKind::NODE_LIST => self.merge_lists(base, &same),
            SyntaxKind::NODE_STRING => self.merge_strings(base, &same),
            _ => false,
        }
    }

    /// Replaces a value by that of another host.
    fn replace(&mut self, base: &Peer<'_>, other: &Peer<'_>) {
        let names = (other.name, self.wanted.name);
        let text = render_node(&other.node, &[], names, &indent_of(&other.node));
        let indent = indent_of(&base.node);
        let inner = indent.strip_prefix(self.indent).unwrap_or_default();
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text: text.replace('\n', &format!("\n{inner}")),
        });
    }

    /// Leaves out a node and the blanks before it.
    fn leave_out(&mut self, node: &SyntaxNode) {
        self.replacements.push(Replacement {
            range: node_range(node),
            text: String::new(),
        });
    }

    /// Merges the parts of a call or of parentheses.
    fn merge_children(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let count = base.node.children().count();
        let shape = operators(&base.node);
        let child = |peer: &Peer<'_>, index| peer.node.children().nth(index);
        (0..count).all(|index| {
            let parts: Vec<Peer<'_>> = peers
                .iter()
                .filter(|peer| peer.node.children().count() == count)
                .filter(|peer| operators(&peer.node) == shape)
                .filter_map(|peer| {
                    Some(Peer {
                        node: child(peer, index)?,
                        name: peer.name,
                    })
                })
                .collect();
            parts.len() * 2 > peers.len()
                && child(base, index)
                    .is_some_and(|node| self.merge_values(&base.part(node), &parts))
        })
    }

    fn merge_sets(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let sets: Vec<BTreeMap<String, Member<'_>>> = peers.iter().map(members).collect();
        let own = members(base);
        let holders = |key: &str| -> Vec<&Member<'_>> {
            sets.iter().filter_map(|set| set.get(key)).collect()
        };
        let is_common = |key: &str| holders(key).len() * 2 > peers.len();
        let mut keys = sets.iter().flat_map(BTreeMap::keys);
        let is_typical = self.shared.is_some();
        if !is_typical && keys.any(|key| is_common(key) && !own.contains_key(key)) {
            return false;
        }
        let is_defined = own.keys().any(|key| key.contains(MARK) && is_common(key));
        own.iter().all(|(key, member)| {
            let holders = holders(key);
            let merged = if is_common(key) {
                self.merge_members(member, &holders)
            } else {
                // the part that defines the host may have another path for each system
                let value = member.value.as_ref().filter(|_| key.contains(MARK));
                let shared = self.shared.filter(|_| !(self.wanted.is_file && is_defined));
                let value = value.zip(shared);
                value.is_some_and(|(value, shared)| !shared.is_individual(&value.node, value.name))
            };
            if !merged && self.empties_module(key, member, holders.len() == peers.len()) {
                return true;
            }
            if !merged {
                self.leave_out(&member.entry);
                if is_common(key) {
                    self.left_out.push(key.replace(MARK, self.wanted.name));
                }
                self.lacks_part |= holders.len() == peers.len();
            }
            merged || is_typical || holders.len() < peers.len()
        })
    }

    /// Merges the values of a member that most sets have. Members without values are equal.
    fn merge_members(&mut self, member: &Member<'_>, holders: &[&Member<'_>]) -> bool {
        let values: Option<Vec<Peer<'_>>> =
            holders.iter().map(|holder| holder.value.clone()).collect();
        let Some((value, values)) = member.value.as_ref().zip(values) else {
            return true;
        };
        let before = self.replacements.len();
        let merged = self.merge_values(value, &values)
            // an empty set in a file says nothing
            && !(self.wanted.is_file && self.is_emptied(&value.node));
        if !merged {
            self.replacements.truncate(before);
        }
        merged
    }

    /// Returns whether nothing is left of a set.
    fn is_emptied(&self, node: &SyntaxNode) -> bool {
        let Some(set) = cast::<ast::AttrSet>(node) else {
            return false;
        };
        let is_left_out = |entry: &ast::Entry| {
            let range = node_range(&untyped(entry));
            let mut replacements = self.replacements.iter();
            replacements.any(|one| one.range == range && one.text.is_empty())
        };
        let entries: Vec<ast::Entry> = set.entries().collect();
        !entries.is_empty() && entries.iter().all(is_left_out)
    }

    /// Empties a module with the host's name that all hosts have, each its own: their other files
    /// name it. Returns false for any other member.
    fn empties_module(&mut self, key: &str, member: &Member<'_>, is_of_all: bool) -> bool {
        let is_file = self.wanted.is_file && self.shared.is_some();
        let is_module = |peer: &&Peer<'_>| {
            let kind = peer.node.kind();
            [SyntaxKind::NODE_LAMBDA, SyntaxKind::NODE_ATTR_SET].contains(&kind)
        };
        let value = member.value.as_ref().filter(is_module);
        let Some(value) = value.filter(|_| is_file && is_of_all && key.contains(MARK)) else {
            return false;
        };
        self.replacements.push(Replacement {
            range: node_range(&value.node),
            text: "{ }".to_owned(),
        });
        true
    }

    /// Keeps the elements that most lists have; false if none is left.
    fn merge_lists(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let elements = |peer: &Peer<'_>| -> Vec<(Vec<String>, SyntaxNode)> {
            let nodes = peer.node.children();
            nodes
                .map(|node| (abstract_tokens(&node, peer.name), node))
                .collect()
        };
        let lists: Vec<_> = peers.iter().map(elements).collect();
        let is_common = |form: &[String]| {
            let has = |list: &&Vec<(Vec<String>, SyntaxNode)>| {
                list.iter().any(|(other, _)| other == form)
            };
            lists.iter().filter(has).count() * 2 > peers.len()
        };
        let own = elements(base);
        let is_own = |form: &[String]| own.iter().any(|(other, _)| other == form);
        let mut all = lists.iter().flatten();
        let is_typical = self.shared.is_some();
        if !is_typical && all.any(|(form, _)| is_common(form) && !is_own(form)) {
            return false;
        }
        let mut kept = 0;
        for (form, node) in &own {
            if is_common(form) || (is_typical && self.merge_element(base, node, peers)) {
                kept += 1;
            } else {
                self.leave_out(node);
            }
        }
        kept > 0 || is_typical
    }

    /// Merges an element that no other list has with those of its kind in the other lists; false if
    /// it is to be left out. A path or a name with the host's name stays.
    fn merge_element(&mut self, base: &Peer<'_>, node: &SyntaxNode, peers: &[Peer<'_>]) -> bool {
        let kind = node.kind();
        let names_host = |peer: &Peer<'_>| peer.tokens().iter().any(|token| token.contains(MARK));
        let element = base.part(node.clone());
        if !matches!(
            kind,
            SyntaxKind::NODE_ATTR_SET | SyntaxKind::NODE_PAREN | SyntaxKind::NODE_LAMBDA
        ) {
            return (kind == SyntaxKind::NODE_PATH_REL && names_host(&element))
                || self.replace_file(&element);
        }
        let of_kind = |list: &SyntaxNode| list.children().find(|child| child.kind() == kind);
        let is_first = of_kind(&base.node).is_some_and(|first| first == *node);
        let others: Vec<Peer<'_>> = peers
            .iter()
            .filter_map(|peer| {
                Some(Peer {
                    node: of_kind(&peer.node)?,
                    name: peer.name,
                })
            })
            .collect();
        let before = self.replacements.len();
        let merged =
            is_first && others.len() * 2 > peers.len() && self.merge_values(&element, &others);
        // in a file, half of a setting is worse than none
        let omits = |one: &Replacement| one.text.is_empty();
        let is_half = self.wanted.is_file && self.replacements[before..].iter().any(omits);
        if is_half && kind == SyntaxKind::NODE_ATTR_SET {
            self.replacements.truncate(before);
        }
        merged && !(is_half && kind == SyntaxKind::NODE_ATTR_SET)
    }

    /// Merges systems, the most common one wins, and the hosts' own addresses.
    fn merge_strings(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let text = |peer: &Peer<'_>| {
            let string = cast::<ast::Str>(&peer.node)?;
            literal_string(&string)
        };
        let texts: Vec<String> = peers.iter().filter_map(text).collect();
        if texts.len() < peers.len() {
            return false;
        }
        if texts.iter().all(|text| is_system(text)) {
            let count = |system: &str| texts.iter().filter(|other| *other == system).count();
            let best = texts
                .iter()
                .zip(peers)
                .max_by_key(|(text, _)| (count(text), *text == "x86_64-linux"));
            if let Some((_, peer)) = best {
                self.replace(base, peer);
            }
            return true;
        }
        if texts.iter().all(|text| is_host_id(text)) {
            let text = format!("\"{}\"", new_host_id(self.wanted.name));
            let range = node_range(&base.node);
            self.replacements.push(Replacement { range, text });
            return true;
        }
        let addresses = parse_addresses(&texts);
        if is_of_other_network(&base.node, &addresses, self.wanted.address) {
            return self.take_next_address(base, &texts);
        }
        self.merge_addresses(base, &texts)
    }

    /// Replaces the address in a text by the host's own, if most texts are the same but for it.
    fn merge_addresses(&mut self, base: &Peer<'_>, texts: &[String]) -> bool {
        let forms: Vec<(String, bool)> = texts
            .iter()
            .filter_map(|text| split_address(text))
            .collect();
        let count = |form: &(String, bool)| forms.iter().filter(|other| *other == form).count();
        let common = forms.iter().find(|form| count(form) * 2 > texts.len());
        let Some((form, has_length)) = common.cloned() else {
            return false;
        };
        let Some(own) = own_address(has_length, self.wanted.address) else {
            return false;
        };
        let text = format!("\"{}\"", form.replace(MARK, &own));
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text,
        });
        true
    }

    /// Replaces an address in a network of its own by the next one there.
    fn take_next_address(&mut self, base: &Peer<'_>, texts: &[String]) -> bool {
        let Some(next) = next_address(texts) else {
            return false;
        };
        self.is_assumed = true;
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text: format!("\"{next}\""),
        });
        true
    }
}

/// Returns a text with a mark for the only address in it, and true for an address with a prefix
/// length.
fn split_address(text: &str) -> Option<(String, bool)> {
    let is_letter = |letter: char| letter.is_ascii_hexdigit() || ".:/".contains(letter);
    let mut words = text.split(|letter| !is_letter(letter));
    let address = words.find(|word| parse_ip(word).is_some())?;
    Some((text.replacen(address, MARK, 1), address.contains('/')))
}
