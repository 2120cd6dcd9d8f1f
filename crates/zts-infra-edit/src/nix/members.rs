//! A value of a host, and its parts.

use std::collections::BTreeMap;

use rnix::ast::{self, HasEntry};
use rnix::{NodeOrToken, SyntaxKind, SyntaxNode};

use super::abstraction::{MARK, abstract_tokens};
use super::parse::{cast, untyped};
use super::scope::list_entries;
use super::settings::is_of_disks;

/// A value, and the host that has it.
#[derive(Clone, Debug)]
pub(super) struct Peer<'a> {
    pub(super) name: &'a str,
    pub(super) node: SyntaxNode,
}

impl<'a> Peer<'a> {
    pub(super) fn tokens(&self) -> Vec<String> {
        abstract_tokens(&self.node, self.name)
    }

    /// Returns the arguments of a function.
    pub(super) fn head(&self) -> Option<Vec<String>> {
        let arguments = cast::<ast::Lambda>(&self.node)?.param()?;
        Some(abstract_tokens(&untyped(&arguments), self.name))
    }

    /// Returns the body of a function.
    pub(super) fn body(&self) -> Option<Peer<'a>> {
        let body = cast::<ast::Lambda>(&self.node)?.body()?;
        Some(self.part(untyped(&body)))
    }

    /// Returns the body of a function, or any other value itself.
    pub(super) fn body_or_self(&self) -> Option<Peer<'a>> {
        match self.node.kind() {
            SyntaxKind::NODE_LAMBDA => self.body(),
            _ => Some(self.clone()),
        }
    }

    pub(super) fn part(&self, node: SyntaxNode) -> Peer<'a> {
        Peer {
            node,
            name: self.name,
        }
    }
}

/// A name in a set.
pub(super) struct Member<'a> {
    /// The entry, or one name of an `inherit`.
    pub(super) entry: SyntaxNode,
    /// The value; `None` if it is inherited.
    pub(super) value: Option<Peer<'a>>,
}

/// Returns the names in a set or a `let`, with the path or the source of an `inherit`. With
/// `is_flat`, those of the sets in it count as its own: `networking = { hostName = …; }` has
/// `networking.hostName`.
pub(super) fn members<'a>(peer: &Peer<'a>, is_flat: bool) -> BTreeMap<String, Member<'a>> {
    let mut members = BTreeMap::new();
    collect_members(peer, "", is_flat, &mut members);
    members
}

fn collect_members<'a>(
    peer: &Peer<'a>,
    prefix: &str,
    is_flat: bool,
    members: &mut BTreeMap<String, Member<'a>>,
) {
    for entry in list_entries(&peer.node) {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                let path = entry.attrpath().map(|path| untyped(&path));
                let path = path.map(|path| abstract_tokens(&path, peer.name).concat());
                let key = format!("{prefix}{}", path.unwrap_or_default());
                // the set of all settings, whose name may be left out
                let key = match key.strip_prefix("config.") {
                    Some(key) if is_flat => key.to_owned(),
                    _ => key,
                };
                let value = entry.value().map(|value| peer.part(untyped(&value)));
                let inner = value
                    .as_ref()
                    .filter(|value| is_flat && has_names(&value.node));
                match inner {
                    Some(inner) if !key.contains(MARK) && !is_of_disks(&key) => {
                        collect_members(inner, &format!("{key}."), is_flat, members);
                    }
                    _ => {
                        let entry = untyped(&entry);
                        members.insert(key, Member { entry, value });
                    }
                }
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
                    // the same attribute as `name = …;`, with a value that another place has
                    let key = match &from {
                        Some(from) => format!("{prefix}inherit {from} {name}"),
                        None => format!("{prefix}{name}"),
                    };
                    members.insert(key, Member { entry, value: None });
                }
            }
        }
    }
}

/// Returns whether a value is a set with names in it, and not a recursive one.
fn has_names(value: &SyntaxNode) -> bool {
    let set = cast::<ast::AttrSet>(value);
    set.is_some_and(|set| set.rec_token().is_none() && set.entries().next().is_some())
}

/// Returns the entries of a set whose values are sets, with these.
pub(super) fn inner_sets(set: &SyntaxNode) -> Vec<(SyntaxNode, SyntaxNode)> {
    let entries = cast::<ast::AttrSet>(set);
    let entries = entries.into_iter().flat_map(|set| set.attrpath_values());
    let with_value = entries.filter_map(|entry| Some((untyped(&entry), untyped(&entry.value()?))));
    with_value.filter(|(_, value)| has_names(value)).collect()
}

/// Returns the operators and keywords of an expression, those of its operands included.
pub(super) fn operators(node: &SyntaxNode) -> Vec<SyntaxKind> {
    let mut kinds = Vec::new();
    for part in node.children_with_tokens() {
        match part {
            NodeOrToken::Token(token) if !token.kind().is_trivia() => kinds.push(token.kind()),
            NodeOrToken::Node(node) if node.kind() == SyntaxKind::NODE_BIN_OP => {
                kinds.extend(operators(&node));
            }
            NodeOrToken::Token(_) | NodeOrToken::Node(_) => {}
        }
    }
    kinds
}

/// Returns the indentation of the line of a node.
pub(super) fn indent_of(node: &SyntaxNode) -> String {
    let mut token = node.first_token();
    while let Some(known) = token {
        let text = known.text();
        if let (SyntaxKind::TOKEN_WHITESPACE, Some(start)) = (known.kind(), text.rfind('\n')) {
            return text[start + 1..].to_owned();
        }
        token = known.prev_token();
    }
    String::new()
}
