//! The system of a host, such as `aarch64-linux`, in place of the one that its siblings have.

use rnix::{NodeOrToken, SyntaxKind, SyntaxNode, SyntaxToken};

use super::lesson::Sibling;
use super::name::is_system;
use super::parse::{node_range, parse_source, sole_expression};
use crate::error::Error;

/// Replaces the systems in a Nix source: whole strings, and attributes such as
/// `packages.x86_64-linux`.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn replace_system(source: &str, system: &str) -> Result<String, Error> {
    Ok(replace_in_node(&parse_source(source)?, system))
}

/// Returns the hosts with another system in their values.
pub(super) fn with_system(siblings: Vec<Sibling>, system: Option<&str>) -> Vec<Sibling> {
    let Some(system) = system else {
        return siblings;
    };
    let replace = |sibling: Sibling| {
        let text = replace_in_node(&sibling.value, system);
        let value = parse_source(&text).ok();
        let value = value.and_then(|root| sole_expression(&root, &text));
        Sibling {
            value: value.unwrap_or(sibling.value),
            ..sibling
        }
    };
    siblings.into_iter().map(replace).collect()
}

fn replace_in_node(node: &SyntaxNode, system: &str) -> String {
    let start = node_range(node).start;
    let mut text = node.to_string();
    let tokens = node.descendants_with_tokens();
    let tokens: Vec<SyntaxToken> = tokens.filter_map(NodeOrToken::into_token).collect();
    for token in tokens.iter().rev().filter(|token| names_system(token)) {
        let range = token.text_range();
        let (from, to) = (usize::from(range.start()), usize::from(range.end()));
        text.replace_range(from - start..to - start, system);
    }
    text
}

/// Returns whether a token is the name of a system: a whole string, or an attribute.
fn names_system(token: &SyntaxToken) -> bool {
    let is_quote = |neighbour: Option<NodeOrToken<SyntaxNode, SyntaxToken>>, kind| {
        neighbour.is_some_and(|neighbour| neighbour.kind() == kind)
    };
    let is_place = match token.kind() {
        SyntaxKind::TOKEN_STRING_CONTENT => {
            is_quote(
                token.prev_sibling_or_token(),
                SyntaxKind::TOKEN_STRING_START,
            ) && is_quote(token.next_sibling_or_token(), SyntaxKind::TOKEN_STRING_END)
        }
        SyntaxKind::TOKEN_IDENT => {
            let parents = token.parent_ancestors();
            parents
                .take(2)
                .any(|node| node.kind() == SyntaxKind::NODE_ATTRPATH)
        }
        _ => false,
    };
    is_place && is_system(token.text())
}
