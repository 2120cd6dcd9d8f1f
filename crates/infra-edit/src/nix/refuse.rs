//! The errors for flakes that cannot be edited safely, with what to do by hand.

use rnix::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::expression::has_token;
use super::found::{Found, Obstacle};
use super::locate::CONFIGURATIONS;
use super::name;
use super::parse::range;
use crate::error::{Error, Position};
use crate::text::reindent;

/// The hosts cannot be listed.
pub(super) fn reading(source: &str, obstacle: &Obstacle) -> Error {
    let mut error = shape(
        source,
        &obstacle.node,
        &format!("cannot read `{CONFIGURATIONS}`: {}", obstacle.what),
    );
    if let Error::Unsupported { place, .. } = &mut error {
        "write the hosts out as a set".clone_into(place);
    }
    error
}

/// A shape that cannot be edited, without lines to add.
pub(super) fn shape(source: &str, node: &SyntaxNode, what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        position: Position::at(source, range(node).start),
        lines_to_add: String::new(),
        place: "edit it by hand".to_owned(),
    }
}

/// `host` cannot be added; shows the lines that do it.
pub(super) fn adding(source: &str, found: &Found, host: &str, value: &str) -> Error {
    let Some(obstacle) = found.obstacles.first() else {
        return Error::Unsupported {
            what: format!(
                "cannot add `{host}` to `{CONFIGURATIONS}`: no set is found that can take it"
            ),
            position: Position { line: 1, column: 1 },
            lines_to_add: entry(host, value, &format!("{CONFIGURATIONS}."), ""),
            place: "to the set of outputs".to_owned(),
        };
    };
    let (lines_to_add, place) = by_hand(source, obstacle, host, value);
    Error::Unsupported {
        what: format!(
            "cannot add `{host}` to `{CONFIGURATIONS}`: {}",
            obstacle.what
        ),
        position: Position::at(source, range(&obstacle.node).start),
        lines_to_add,
        place,
    }
}

/// The lines that add a host in spite of the obstacle, and where they go.
fn by_hand(source: &str, obstacle: &Obstacle, host: &str, value: &str) -> (String, String) {
    let end = Position::at(source, range(&obstacle.node).end);
    match &obstacle.prefix {
        None => (
            String::new(),
            "write it as `{ outputs = inputs: { … }; }`".to_owned(),
        ),
        // `//` replaces an inner set as a whole, so it is right for the hosts themselves only.
        Some(prefix) if !prefix.is_empty() => {
            let start = Position::at(source, range(&obstacle.node).start).line;
            (
                entry(host, value, prefix, ""),
                format!("to the set that the expression in line {start} makes"),
            )
        }
        Some(_) if takes_update(&obstacle.node) => {
            let lines = entry(host, value, "", "  ");
            (
                format!("// {{\n  {lines}\n}}"),
                format!("after the expression that ends at {end}"),
            )
        }
        Some(_) => {
            let place = format!("to the set that `{CONFIGURATIONS}` is made from");
            (entry(host, value, "", ""), place)
        }
    }
}

/// The text of an entry, its further lines after `indent`.
fn entry(host: &str, value: &str, prefix: &str, indent: &str) -> String {
    let value = reindent(value, indent, "\n", &[]);
    format!("{prefix}{} = {value};", name::write(host, false))
}

/// Whether `//` can follow the expression as it stands.
fn takes_update(node: &SyntaxNode) -> bool {
    matches!(
        node.kind(),
        SyntaxKind::NODE_APPLY
            | SyntaxKind::NODE_IDENT
            | SyntaxKind::NODE_SELECT
            | SyntaxKind::NODE_PAREN
            | SyntaxKind::NODE_ATTR_SET
    )
}

/// `host` is not among the hosts that can be read, but named where hosts are computed.
pub(super) fn removing(source: &str, found: &Found, host: &str) -> Option<Error> {
    let obstacle = found
        .obstacles
        .iter()
        .find(|obstacle| names(&obstacle.node, host))?;
    let what = format!(
        "cannot remove `{host}` from `{CONFIGURATIONS}`: {}",
        obstacle.what
    );
    let mut error = shape(source, &obstacle.node, &what);
    if let Error::Unsupported { place, .. } = &mut error {
        *place = format!("take `{host}` out of this expression by hand");
    }
    Some(error)
}

/// Whether `host` stands in `node` as a string or as the name of an attribute; a variable of that name is not the host.
fn names(node: &SyntaxNode, host: &str) -> bool {
    has_token(node, host, |token| match token.kind() {
        SyntaxKind::TOKEN_STRING_CONTENT => true,
        SyntaxKind::TOKEN_IDENT => is_attribute(token),
        _ => false,
    })
}

/// Whether an identifier is the name of an attribute that is defined or inherited.
fn is_attribute(identifier: &SyntaxToken) -> bool {
    let around: Vec<SyntaxKind> = identifier
        .parent_ancestors()
        .skip(1)
        .take(2)
        .map(|node| node.kind())
        .collect();
    matches!(
        around.as_slice(),
        [SyntaxKind::NODE_INHERIT, ..]
            | [SyntaxKind::NODE_ATTRPATH, SyntaxKind::NODE_ATTRPATH_VALUE]
    )
}
