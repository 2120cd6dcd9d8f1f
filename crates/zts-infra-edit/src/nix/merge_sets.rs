//! The common parts of several sets, and of several `let`.

use std::collections::BTreeMap;

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{MARK, Replacement};
use super::members::{Member, Peer, inner_sets, members};
use super::merge::Merge;
use super::parse::{cast, node_range, untyped};
use super::settings::is_of_disks;

impl Merge<'_> {
    /// Merges sets by their names.
    pub(super) fn merge_sets(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let is_flat = self.wanted.is_module();
        let sets = peers.iter().map(|peer| members(peer, is_flat));
        let sets: Vec<BTreeMap<String, Member<'_>>> = sets.collect();
        let own = members(base, is_flat);
        let holders = |key: &str| -> Vec<&Member<'_>> {
            sets.iter().filter_map(|set| set.get(key)).collect()
        };
        let is_common = |key: &str| holders(key).len() * 2 > peers.len();
        let mut keys = sets.iter().flat_map(BTreeMap::keys);
        let is_typical = self.shared.is_some();
        if !is_typical && keys.any(|key| is_common(key) && !own.contains_key(key)) {
            return false;
        }
        let has_registry = own.keys().any(|key| is_in_registry(key));
        let is_defined = own.keys().any(|key| {
            let defines = is_in_registry(key) || !has_registry;
            key.contains(MARK) && defines && is_common(key)
        });
        let is_merged = own.iter().all(|(key, member)| {
            let holders = holders(key);
            let merged = if self.wanted.is_module() && is_of_disks(key) {
                holders.len() == peers.len() && are_equal(&holders)
            } else if is_common(key) {
                self.path.push(key.clone());
                let merged = self.take_given(member, &holders)
                    || self.merge_members(member, &holders)
                    || (holders.len() == peers.len() && self.ask_for_value(member, &holders));
                self.path.pop();
                merged
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
        });
        if self.wanted.is_module() {
            self.leave_out_emptied(&base.node);
        }
        is_merged
    }

    /// Leaves out the sets in a set of which nothing is left.
    fn leave_out_emptied(&mut self, set: &SyntaxNode) {
        for (entry, inner) in inner_sets(set) {
            self.leave_out_emptied(&inner);
            if self.is_emptied(&inner) {
                self.leave_out(&entry);
            }
        }
    }

    /// Merges the values of a member that most sets have. Members without values are equal.
    fn merge_members(&mut self, member: &Member<'_>, holders: &[&Member<'_>]) -> bool {
        let written = holders.iter().filter(|holder| holder.value.is_some());
        let is_of_most = |is_inherited: bool| {
            let inherited = holders.len() - written.clone().count();
            let same = if is_inherited {
                inherited
            } else {
                holders.len() - inherited
            };
            same * 2 > holders.len()
        };
        let values: Option<Vec<Peer<'_>>> =
            holders.iter().map(|holder| holder.value.clone()).collect();
        let Some((value, values)) = member.value.as_ref().zip(values) else {
            // inherited by some hosts, and written by others: each notation has a value
            return self.shared.is_some() || is_of_most(member.value.is_none());
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

    /// Merges the variables that most hosts have, and what follows them. The others stay, because
    /// the rest may use any of them.
    pub(super) fn merge_let(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let scopes: Vec<BTreeMap<String, Member<'_>>> =
            peers.iter().map(|peer| members(peer, false)).collect();
        let own = members(base, false);
        let are_kept = own.iter().all(|(key, member)| {
            let holders = scopes.iter().filter_map(|scope| scope.get(key));
            let holders: Vec<&Member<'_>> = holders.collect();
            let is_common = holders.len() * 2 > peers.len();
            let is_merged = is_common && self.merge_members(member, &holders);
            let is_of_machine = |value: &Peer<'_>| {
                let shared = self.shared;
                shared.is_none_or(|shared| shared.is_individual(&value.node, value.name))
            };
            is_merged || !member.value.as_ref().is_some_and(is_of_machine)
        });
        let body = |peer: &Peer<'_>| {
            let body = cast::<ast::LetIn>(&peer.node)?.body()?;
            Some(untyped(&body))
        };
        let bodies = peers.iter().filter_map(|peer| {
            Some(Peer {
                node: body(peer)?,
                name: peer.name,
            })
        });
        let bodies: Vec<Peer<'_>> = bodies.collect();
        are_kept && body(base).is_some_and(|own| self.merge_values(&base.part(own), &bodies))
    }
}

/// Returns whether a path is that of a host in a set of hosts, such as `den.hosts.x86_64-linux.{}`.
fn is_in_registry(key: &str) -> bool {
    const SETS: [&str; 2] = ["hosts", "nixosConfigurations"];
    let names = key.split('.').take_while(|name| !name.contains(MARK));
    key.contains(MARK) && names.into_iter().any(|name| SETS.contains(&name))
}

/// Returns whether all hosts have the same value.
fn are_equal(holders: &[&Member<'_>]) -> bool {
    let value = |member: &Member<'_>| member.value.as_ref().map(Peer::tokens);
    holders
        .windows(2)
        .all(|pair| value(pair[0]) == value(pair[1]))
}
