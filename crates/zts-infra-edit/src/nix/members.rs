//! A value of a host, and its parts.

use std::collections::BTreeMap;

use rnix::ast::{self, HasEntry};
use rnix::{NodeOrToken, SyntaxKind, SyntaxNode};

use super::abstraction::abstract_tokens;
use super::parse::{cast, untyped};

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

    /// Returns the body of a function.
    pub(super) fn body(&self) -> Option<Peer<'a>> {
        let body = cast::<ast::Lambda>(&self.node)?.body()?;
        Some(self.part(untyped(&body)))
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

/// Returns the names in a set, with the path or the source of an `inherit`.
pub(super) fn members<'a>(peer: &Peer<'a>) -> BTreeMap<String, Member<'a>> {
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
