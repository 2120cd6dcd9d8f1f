//! The common parts of several values.

use std::collections::BTreeMap;

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{
    MARK, Replacement, Wanted, abstract_tokens, own_address, parse_ip, render_node,
};
use super::call::is_system;
use super::expression::literal_string;
use super::parse::{cast, node_range, untyped};

/// A value, and the host that has it.
#[derive(Clone, Debug)]
pub(super) struct Peer<'a> {
    pub(super) name: &'a str,
    pub(super) node: SyntaxNode,
}

impl<'a> Peer<'a> {
    fn tokens(&self) -> Vec<String> {
        abstract_tokens(&self.node, self.name)
    }

    fn part(&self, node: SyntaxNode) -> Peer<'a> {
        Peer {
            node,
            name: self.name,
        }
    }
}

/// The replacements in one value that leave the parts that more than half of the hosts have.
pub(super) struct Merge<'a> {
    wanted: Wanted<'a>,
    pub(super) replacements: Vec<Replacement>,
}

impl<'a> Merge<'a> {
    pub(super) fn new(wanted: Wanted<'a>) -> Self {
        Self {
            wanted,
            replacements: Vec::new(),
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
        let kind = base.node.kind();
        let is_same = |peer: &&Peer<'_>| peer.node.kind() == kind;
        let same: Vec<Peer<'_>> = peers.iter().filter(is_same).cloned().collect();
        if same.len() * 2 <= peers.len() {
            return false;
        }
        match kind {
            SyntaxKind::NODE_PAREN | SyntaxKind::NODE_APPLY => self.merge_children(base, &same),
            SyntaxKind::NODE_ATTR_SET => self.merge_sets(base, &same),
            SyntaxKind::NODE_LIST => self.merge_lists(base, &same),
            SyntaxKind::NODE_STRING => self.merge_strings(base, &same),
            _ => false,
        }
    }

    /// Replaces a value by that of another host.
    fn replace(&mut self, base: &Peer<'_>, other: &Peer<'_>) {
        let names = (other.name, self.wanted.name);
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text: render_node(&other.node, &[], names, ""),
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
        let child = |peer: &Peer<'_>, index| peer.node.children().nth(index);
        (0..count).all(|index| {
            let parts: Vec<Peer<'_>> = peers
                .iter()
                .filter(|peer| peer.node.children().count() == count)
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
        if keys.any(|key| is_common(key) && !own.contains_key(key)) {
            return false;
        }
        own.iter().all(|(key, member)| {
            let holders = holders(key);
            let values: Option<Vec<Peer<'_>>> =
                holders.iter().map(|holder| holder.value.clone()).collect();
            let merged = match (&member.value, values) {
                _ if !is_common(key) => false,
                (Some(value), Some(values)) => {
                    let before = self.replacements.len();
                    let merged = self.merge_values(value, &values);
                    if !merged {
                        self.replacements.truncate(before);
                    }
                    merged
                }
                _ => true,
            };
            if !merged {
                self.leave_out(&member.entry);
            }
            merged || holders.len() < peers.len()
        })
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
        if all.any(|(form, _)| is_common(form) && !is_own(form)) {
            return false;
        }
        let mut kept = 0;
        for (form, node) in &own {
            if is_common(form) {
                kept += 1;
            } else {
                self.leave_out(node);
            }
        }
        kept > 0
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
        let forms: Option<Vec<(String, bool)>> =
            texts.iter().map(|text| split_address(text)).collect();
        let Some((form, has_length)) = forms.and_then(|forms| {
            let first = forms.first().cloned();
            first.filter(|first| forms.iter().all(|form| form == first))
        }) else {
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
}

/// Returns a text with a mark for the only address in it, and true for an address with a prefix
/// length.
fn split_address(text: &str) -> Option<(String, bool)> {
    let is_letter = |letter: char| letter.is_ascii_hexdigit() || ".:/".contains(letter);
    let mut words = text.split(|letter| !is_letter(letter));
    let address = words.find(|word| parse_ip(word).is_some())?;
    Some((text.replacen(address, MARK, 1), address.contains('/')))
}

/// A name in a set.
struct Member<'a> {
    /// The entry, or one name of an `inherit`.
    entry: SyntaxNode,
    /// The value; `None` if it is inherited.
    value: Option<Peer<'a>>,
}

/// Returns the names in a set, with the path or the source of an `inherit`.
fn members<'a>(peer: &Peer<'a>) -> BTreeMap<String, Member<'a>> {
    let mut members = BTreeMap::new();
    let Some(set) = cast::<ast::AttrSet>(&peer.node) else {
        return members;
    };
    for entry in set.entries() {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                let path = entry.attrpath().map(|path| untyped(&path));
                let key = path.map(|path| abstract_tokens(&path, peer.name).concat());
                let member = Member {
                    entry: untyped(&entry),
                    value: entry.value().map(|value| peer.part(untyped(&value))),
                };
                members.insert(key.unwrap_or_default(), member);
            }
            ast::Entry::Inherit(inherit) => {
                let from = inherit.from().map(|from| from.to_string());
                let names: Vec<SyntaxNode> = inherit.attrs().map(|name| untyped(&name)).collect();
                for name in &names {
                    let entry = if names.len() == 1 {
                        untyped(&inherit)
                    } else {
                        name.clone()
                    };
                    let key = format!("inherit {} {name}", from.as_deref().unwrap_or_default());
                    members.insert(key, Member { entry, value: None });
                }
            }
        }
    }
    members
}
