//! The texts and numbers of values.

use std::collections::{BTreeMap, BTreeSet};

use rnix::SyntaxNode;
use rnix::ast::{self, LiteralKind};

use super::expression::literal_string;
use super::members::Peer;
use super::parse::{cast, untyped};

/// Returns whether each host has another text with a digit, such as a serial number or a disk.
pub(super) fn are_identifiers(peers: &[Peer<'_>]) -> bool {
    let text = |peer: &Peer<'_>| {
        let text = scalar_text(&peer.node)?;
        let is_identifier = text.contains(|letter: char| letter.is_ascii_digit());
        (is_identifier && !text.contains(peer.name)).then_some(text)
    };
    let texts: Option<BTreeSet<String>> = peers.iter().map(text).collect();
    peers.len() > 1 && texts.is_some_and(|texts| texts.len() == peers.len())
}

/// Returns the texts and numbers in a value, by the paths of their attributes.
pub(super) fn list_scalars(value: &SyntaxNode) -> BTreeMap<String, String> {
    let entries = value.descendants();
    let entries = entries.filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let scalars = entries.filter_map(|entry| {
        let text = scalar_text(&untyped(&entry.value()?))?;
        let node = untyped(&entry);
        let around = node.ancestors().take_while(|around| around != value);
        let mut names: Vec<String> = around
            .filter_map(|node| cast::<ast::AttrpathValue>(&node)?.attrpath())
            .map(|path| path.to_string())
            .collect();
        names.reverse();
        Some((names.join("."), text))
    });
    scalars.collect()
}

/// Returns the text of a string without a variable, or of a number.
pub(super) fn scalar_text(value: &SyntaxNode) -> Option<String> {
    if let Some(string) = cast::<ast::Str>(value) {
        return literal_string(&string).filter(|text| !text.contains('\n'));
    }
    let literal = cast::<ast::Literal>(value)?;
    let is_number = matches!(
        literal.kind(),
        LiteralKind::Integer(_) | LiteralKind::Float(_)
    );
    is_number.then(|| literal.to_string())
}
