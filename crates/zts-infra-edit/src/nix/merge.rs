//! The common parts of several values.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{
    MARK, Replacement, Wanted, abstract_tokens, rename_segments, render_node,
};
use super::common_text::common_text;
use super::expression::literal_string;
use super::individual::Shared;
use super::like_paths::path_like_others;
use super::members::{Peer, indent_of, operators};
use super::parse::{cast, node_range};
use super::scalars::are_identifiers;
use super::settings::{is_host_name, is_imports, is_setting, joined_lists};
use crate::error::MissingValue;

/// The replacements in one value that leave the parts that more than half of the hosts have.
pub(super) struct Merge<'a> {
    pub(super) wanted: Wanted<'a>,
    /// Given if a part without a common value keeps that of `base`, unless it is of one machine.
    pub(super) shared: Option<&'a Shared>,
    /// The indentation of the entry that is changed.
    indent: &'a str,
    pub(super) replacements: Vec<Replacement>,
    /// The attributes that most hosts have, each its own.
    pub(super) left_out: Vec<String>,
    /// True if one of these is an attribute that all hosts have.
    pub(super) lacks_part: bool,
    /// The attributes that all hosts have, each its own value, and that no value is given for.
    pub(super) missing: Vec<MissingValue>,
    /// The path of the attribute whose value is merged.
    pub(super) path: Vec<String>,
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
            missing: Vec::new(),
            path: Vec::new(),
            is_assumed: false,
        }
    }

    /// Takes the value that more than half of the peers have; false if there is none.
    pub(super) fn take_common(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let forms: Vec<Vec<String>> = peers.iter().map(Peer::tokens).collect();
        let count = |form: &[String]| forms.iter().filter(|other| *other == form).count();
        let common = forms.iter().position(|form| count(form) * 2 > peers.len());
        let Some(index) = common else { return false };
        if base.tokens() != forms[index] {
            self.replace(base, &peers[index]);
        }
        true
    }

    /// Merges the values of all peers into that of `base`, one of them; false if a part that all of
    /// them have has no common value.
    pub(super) fn merge_values(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        if self.take_common(base, peers) {
            return true;
        }
        let before = (
            self.replacements.len(),
            self.left_out.len(),
            self.missing.len(),
        );
        if self.merge_parts(base, peers) {
            return true;
        }
        self.replacements.truncate(before.0);
        self.left_out.truncate(before.1);
        self.missing.truncate(before.2);
        let is_module = self.wanted.is_module();
        if self.wanted.is_file && is_imports(&base.node) {
            self.keep_common_imports(base, peers);
            return true;
        }
        let shared = self
            .shared
            .filter(|_| !(is_module && is_setting(&base.node)));
        let is_kept = |shared: &Shared| {
            !shared.is_individual(&base.node, base.name)
                && (self.wanted.is_file || !are_identifiers(peers))
        };
        shared.is_some_and(is_kept) || self.replace_file(base, peers)
    }

    /// Leaves out the elements of joined lists of imports that not most hosts have.
    fn keep_common_imports(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) {
        let elements = |peer: &Peer<'_>| -> Vec<(Vec<String>, SyntaxNode)> {
            let nodes = joined_lists(&peer.node).into_iter();
            let nodes = nodes.flat_map(|list| list.children().collect::<Vec<_>>());
            nodes
                .map(|node| (abstract_tokens(&node, peer.name), node))
                .collect()
        };
        let all: Vec<_> = peers.iter().map(elements).collect();
        for (form, node) in elements(base) {
            let has = |list: &&Vec<(Vec<String>, SyntaxNode)>| {
                list.iter().any(|(other, _)| *other == form)
            };
            if all.iter().filter(has).count() * 2 <= peers.len() {
                self.leave_out(&node);
            }
        }
    }

    /// Replaces the first file of a host that does not name itself by that of the new host: beside
    /// those of the others, whatever their names are, or else the usual one.
    fn replace_file(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let is_own = self.shared.is_some_and(|shared| {
            !shared.name_themselves && shared.is_individual(&base.node, base.name)
        });
        let is_path = base.node.kind() == SyntaxKind::NODE_PATH_REL;
        let module = self.wanted.module;
        if !is_own || !is_path {
            return false;
        }
        let text = path_like_others(base, peers, self.wanted.name);
        let text = text.unwrap_or_else(|| module.to_owned());
        let names_host = |path: &str| rename_segments(path, self.wanted.name, MARK) != path;
        let mut replaced = self.replacements.iter();
        if replaced.any(|one| one.text == module || names_host(&one.text)) {
            return false;
        }
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text,
        });
        true
    }

    /// Merges values of one kind by their parts.
    fn merge_parts(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let kind = base.node.kind();
        // a module may be a function or a set
        let takes_sets = kind == SyntaxKind::NODE_LAMBDA && self.wanted.is_module();
        let is_same = |peer: &&Peer<'_>| {
            let other = peer.node.kind();
            other == kind || (takes_sets && other == SyntaxKind::NODE_ATTR_SET)
        };
        let same: Vec<Peer<'_>> = peers.iter().filter(is_same).cloned().collect();
        if same.len() * 2 <= peers.len() {
            return false;
        }
        match kind {
            SyntaxKind::NODE_PAREN | SyntaxKind::NODE_APPLY => self.merge_children(base, &same),
            // the arguments stay, because the rest may use any of them
            SyntaxKind::NODE_LAMBDA => {
                let is_typical = self.shared.is_some();
                let is_alike = |peer: &&Peer<'_>| is_typical || peer.head() == base.head();
                let alike = same.iter().filter(is_alike);
                let bodies: Vec<Peer<'_>> = alike.filter_map(Peer::body_or_self).collect();
                if bodies.len() * 2 <= peers.len() {
                    return false;
                }
                base.body()
                    .is_some_and(|own| self.merge_values(&own, &bodies))
            }
            SyntaxKind::NODE_LET_IN if self.wanted.is_module() => self.merge_let(base, &same),
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
    pub(super) fn leave_out(&mut self, node: &SyntaxNode) {
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
                || self.replace_file(&element, peers);
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

    /// Merges texts: see [`common_text`].
    fn merge_strings(&mut self, base: &Peer<'_>, peers: &[Peer<'_>]) -> bool {
        let text = |peer: &Peer<'_>| {
            let string = cast::<ast::Str>(&peer.node)?;
            literal_string(&string)
        };
        let names_itself = |peer: &Peer<'_>| text(peer).as_deref() == Some(peer.name);
        if is_host_name(&base.node) && peers.iter().any(names_itself) {
            let name = format!("\"{}\"", self.wanted.name);
            let range = node_range(&base.node);
            self.replacements.push(Replacement { range, text: name });
            return true;
        }
        let texts: Vec<String> = peers.iter().filter_map(text).collect();
        if let Some(common) = self.text_of_others(base, peers, &texts) {
            let range = node_range(&base.node);
            self.replacements.push(Replacement {
                range,
                text: common,
            });
            return true;
        }
        let common = common_text(&base.node, &texts, self.wanted);
        let Some(common) = common.filter(|_| texts.len() == peers.len()) else {
            return false;
        };
        self.is_assumed |= common.is_assumed;
        self.replacements.push(Replacement {
            range: node_range(&base.node),
            text: format!("\"{}\"", common.text),
        });
        true
    }

    /// Returns the most common text of the other hosts where only `base` and few others have their
    /// names: a host with the name of its user is no model for that.
    fn text_of_others(
        &self,
        base: &Peer<'_>,
        peers: &[Peer<'_>],
        texts: &[String],
    ) -> Option<String> {
        let names_itself = |peer: &Peer<'_>| peer.tokens().iter().any(|token| token.contains(MARK));
        let others: Vec<&String> = peers
            .iter()
            .zip(texts)
            .filter_map(|(peer, text)| (!names_itself(peer)).then_some(text))
            .collect();
        let is_wanted = self.wanted.is_file
            && texts.len() == peers.len()
            && names_itself(base)
            && others.len() * 2 > peers.len();
        let count = |text: &&&String| others.iter().filter(|other| other == text).count();
        let common = others.iter().max_by_key(count).filter(|_| is_wanted)?;
        Some(format!("\"{common}\""))
    }
}
