//! Policies in HCL.

use hcl_edit::{
    expr::{Expression, ObjectKey},
    structure::{Block, BlockLabel, Body, Structure},
};
use serde_json::{Map, Value};

use super::Stanza;

pub(super) fn stanzas(text: &str) -> Result<Vec<Stanza>, String> {
    let body: Body = text
        .parse()
        .map_err(|error: hcl_edit::parser::Error| one_line(&error))?;
    let blocks = body.iter().filter_map(|structure| match structure {
        Structure::Block(block) => Some(block),
        Structure::Attribute(_) => None, // `name`, which OpenBao ignores
    });
    blocks.map(stanza).collect()
}

fn one_line(error: &hcl_edit::parser::Error) -> String {
    let location = error.location();
    format!(
        "line {}, column {}: {}",
        location.line(),
        location.column(),
        error.message()
    )
}

fn stanza(block: &Block) -> Result<Stanza, String> {
    let kind = block.ident.as_str();
    match (kind, block.labels.as_slice()) {
        ("path", [label]) => Ok((text(label).to_owned(), attributes(&block.body)?)),
        _ => Err(format!("`{kind}` is not a `path` with its one path")),
    }
}

fn text(label: &BlockLabel) -> &str {
    match label {
        BlockLabel::Ident(ident) => ident.as_str(),
        BlockLabel::String(text) => text.as_str(),
    }
}

fn attributes(body: &Body) -> Result<Map<String, Value>, String> {
    let pairs = body.iter().map(|structure| match structure {
        Structure::Attribute(attribute) => {
            let key = attribute.key.as_str().to_owned();
            let value = value(&attribute.value)
                .ok_or_else(|| format!("the value of `{key}` is no plain value"))?;
            Ok((key, value))
        }
        Structure::Block(block) => Ok((
            block.ident.as_str().to_owned(),
            attributes(&block.body)?.into(),
        )),
    });
    pairs.collect()
}

fn value(expression: &Expression) -> Option<Value> {
    Some(match expression {
        Expression::Null(_) => Value::Null,
        Expression::Bool(bool) => (*bool.value()).into(),
        Expression::String(text) => text.as_str().into(),
        Expression::Number(number) => Value::String(number.value().to_string()),
        Expression::Array(items) => items.iter().map(value).collect::<Option<_>>()?,
        Expression::Object(object) => {
            let pairs = object.iter().map(|(key, item)| {
                let key = match key {
                    ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                    ObjectKey::Expression(key) => value(key)?.as_str()?.to_owned(),
                };
                Some((key, value(item.expr())?))
            });
            Value::Object(pairs.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
