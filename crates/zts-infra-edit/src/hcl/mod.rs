//! HCL, for the editors of OpenTofu files: parsing, names, strings.

mod equality;
mod string;

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::Body;

use crate::error::{Error, Language, Position};
use crate::layout::{Block, Syntax};

pub(crate) use equality::are_equal;
pub(crate) use string::{is_identifier, quote_string};

const SYNTAX: Syntax = Syntax {
    empty: "",
    commas: true,
};

/// Splits the byte order mark off a source. OpenTofu reads files that begin with one, `hcl-edit`
/// does not.
pub(crate) fn split_byte_order_mark(source: &str) -> (&str, &str) {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    source.split_at(source.len() - text.len())
}

/// Parses a whole file, without its byte order mark.
pub(crate) fn parse_file(source: &str) -> Result<Body, Error> {
    hcl_edit::parser::parse_body(source).map_err(|error| Error::Parse {
        language: Language::Hcl,
        position: Position::at(source, error.location().offset()),
        message: error.message().to_owned(),
    })
}

/// Returns the name of a key; `None` if it is computed.
pub(crate) fn key_name(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(identifier) => Some(identifier.value().to_string()),
        ObjectKey::Expression(Expression::String(text)) => Some(text.value().clone()),
        ObjectKey::Expression(Expression::Number(number)) => Some(number.value().to_string()),
        ObjectKey::Expression(_) => None,
    }
}

/// A `key = value` of an object.
pub(crate) struct Item<'a> {
    /// `None` if the key is computed.
    pub(crate) name: Option<String>,
    pub(crate) key: Range<usize>,
    pub(crate) value: &'a Expression,
    /// The range from the key to the end of the value, without a comma.
    pub(crate) range: Range<usize>,
}

/// Returns the items of an object in order; `None` if the parser does not give the place of one.
pub(crate) fn list_items(object: &Object) -> Option<Vec<Item<'_>>> {
    object
        .iter()
        .map(|(key, value)| {
            let (start, end) = (key.span()?, value.expr().span()?);
            Some(Item {
                name: key_name(key),
                range: start.start..end.end,
                key: start,
                value: value.expr(),
            })
        })
        .collect()
}

/// Returns the layout of the object at `range`, braces included.
pub(crate) fn layout_block<'a>(
    source: &'a str,
    range: &Range<usize>,
    items: &[Item<'_>],
) -> Block<'a> {
    Block {
        source,
        inner: range.start + 1..range.end - 1,
        entries: items.iter().map(|item| item.range.clone()).collect(),
        syntax: SYNTAX,
    }
}

/// Returns the expression inside parentheses.
pub(crate) fn strip_parentheses(expression: &Expression) -> &Expression {
    let mut inner = expression;
    while let Expression::Parenthesis(parenthesis) = inner {
        inner = parenthesis.inner();
    }
    inner
}
