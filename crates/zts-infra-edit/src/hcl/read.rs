//! A file of HCL as a tree.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, FuncCall, Object};
use hcl_edit::structure::{Block, Body, Structure};

use super::expression::{key_name, strip_parentheses};
use crate::tree::{Item, Kind, Node};

/// Functions whose result has the items of their only argument that is an object.
const TRANSPARENT: [&str; 4] = ["merge", "tomap", "nonsensitive", "sensitive"];

/// Returns the attributes and the blocks of a body, a block's labels as keys around it.
pub(crate) fn read_body(body: &Body) -> Node {
    let items = body.iter().filter_map(|structure| match structure {
        Structure::Attribute(attribute) => {
            let (key, value) = (attribute.key.span()?, read_expression(&attribute.value)?);
            let name = Some(attribute.key.as_str().to_owned());
            Some(read_item(name, key, value))
        }
        Structure::Block(block) => read_block(block),
    });
    Node {
        range: body.span().unwrap_or_default(),
        kind: Kind::Section(items.collect()),
    }
}

fn read_block(block: &Block) -> Option<Item> {
    let place = block.ident.span()?;
    let mut inner = read_body(&block.body);
    for label in block.labels.iter().rev() {
        let item = read_item(Some(label.as_str().to_owned()), place.clone(), inner);
        inner = Node {
            range: item.range.clone(),
            kind: Kind::Section(vec![item]),
        };
    }
    Some(read_item(
        Some(block.ident.as_str().to_owned()),
        place,
        inner,
    ))
}

fn read_item(name: Option<String>, key: Range<usize>, value: Node) -> Item {
    Item {
        name,
        range: key.start..value.range.end.max(key.end),
        key,
        value,
    }
}

/// Returns an expression as a value; `None` if the parser does not give its place.
pub(crate) fn read_expression(expression: &Expression) -> Option<Node> {
    let range = expression.span()?;
    let value = strip_parentheses(expression);
    let kind = match value {
        Expression::Object(object) => match read_object(object) {
            Some(items) => return Some(inside(value, Kind::Map(items), &range)),
            None => computed(value),
        },
        Expression::Array(array) => match array.iter().map(read_expression).collect() {
            Some(values) => Kind::List(values),
            None => computed(value),
        },
        Expression::String(text) => Kind::Text(text.value().clone()),
        Expression::Number(number) => Kind::Literal(number.value().to_string()),
        Expression::Bool(truth) => Kind::Literal(truth.value().to_string()),
        Expression::Null(_) => Kind::Null,
        Expression::FuncCall(call) => match sole_object(call).and_then(read_expression) {
            Some(object) => return Some(object),
            None => computed(value),
        },
        _ => computed(value),
    };
    Some(inside(value, kind, &range))
}

/// Returns a value without the parentheses around it.
fn inside(value: &Expression, kind: Kind, outer: &Range<usize>) -> Node {
    let range = value.span().unwrap_or_else(|| outer.clone());
    Node { range, kind }
}

fn computed(value: &Expression) -> Kind {
    Kind::Computed(Box::new(value.clone()))
}

fn read_object(object: &Object) -> Option<Vec<Item>> {
    object
        .iter()
        .map(|(key, value)| {
            let (key_range, node) = (key.span()?, read_expression(value.expr())?);
            let end = value.expr().span()?.end;
            let item = read_item(key_name(key), key_range, node);
            Some(Item {
                range: item.key.start..end,
                ..item
            })
        })
        .collect()
}

/// Returns the only argument that is an object, of a function that hands its items on.
fn sole_object(call: &FuncCall) -> Option<&Expression> {
    let is_known = !call.name.is_namespaced() && TRANSPARENT.contains(&call.name.name.as_str());
    let mut objects = call
        .args
        .iter()
        .filter(|argument| matches!(strip_parentheses(argument), Expression::Object(_)));
    let first = objects.next().filter(|_| is_known)?;
    objects.next().is_none().then_some(first)
}
