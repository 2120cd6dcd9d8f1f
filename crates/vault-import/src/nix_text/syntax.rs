//! Parsing of a source, and the names and strings in it.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::model::Left;
use zts_infra_edit::nix;
pub(super) use zts_infra_edit::nix::{attribute_name, cast, literal_string, node_range, untyped};

/// The error of a source that is not valid Nix.
pub(crate) use zts_infra_edit::Error as SyntaxError;

/// Parses a source that is one expression, and returns its root.
pub(super) fn parse_source(source: &str) -> Result<SyntaxNode, SyntaxError> {
    nix::check_syntax(source)?;
    Ok(rnix::Root::parse(source).syntax())
}

/// Returns the entry if a node is one of a set, and not of a `let`.
pub(super) fn entry_of_set(node: &SyntaxNode) -> Option<ast::AttrpathValue> {
    let entry = cast::<ast::AttrpathValue>(node)?;
    let parent = node.parent()?;
    (parent.kind() == SyntaxKind::NODE_ATTR_SET).then_some(entry)
}

/// Returns the attributes of an entry's path.
pub(super) fn entry_attributes(entry: &ast::AttrpathValue) -> Vec<ast::Attr> {
    let path = entry.attrpath().into_iter();
    path.flat_map(|path| path.attrs()).collect()
}

/// Returns the names of attributes; a computed one is `None`.
pub(super) fn names_of(attributes: &[ast::Attr]) -> Vec<Option<String>> {
    attributes.iter().map(attribute_name).collect()
}

/// Returns whether a string is one between pairs of single quotes.
pub(super) fn is_indented_string(string: &SyntaxNode) -> bool {
    string
        .first_token()
        .is_some_and(|token| token.text() == "''")
}

/// Returns the function and the arguments of a call.
pub(super) fn call_parts(call: &ast::Apply) -> (ast::Expr, Vec<ast::Expr>) {
    let mut function = ast::Expr::Apply(call.clone());
    let mut arguments = Vec::new();
    while let ast::Expr::Apply(call) = &function {
        let Some(next) = call.lambda() else { break };
        arguments.extend(call.argument());
        function = next;
    }
    arguments.reverse();
    (function, arguments)
}

/// Escapes a text for a string between double quotes.
pub(super) fn escape_string(text: &str) -> String {
    let quoted = nix::format_name(text, true);
    quoted[1..quoted.len() - 1].to_owned()
}

/// Returns the number of the line of an offset.
pub(super) fn line_at(source: &str, offset: usize) -> usize {
    source[..offset].matches('\n').count() + 1
}

/// Returns a report of the line of an offset.
pub(super) fn left_at(source: &str, offset: usize, reason: impl Into<String>) -> Left {
    let start = source[..offset].rfind('\n').map_or(0, |index| index + 1);
    let text = source[start..].lines().next().unwrap_or_default();
    Left {
        line: line_at(source, offset),
        text: text.trim().to_owned(),
        reason: reason.into(),
    }
}
