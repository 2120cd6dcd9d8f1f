//! Parses policies in HCL, and in JSON, which OpenBao reads as HCL.

use hcl_edit::{
    expr::{Expression, ObjectKey},
    structure::{Block, BlockLabel, Body, Structure},
};
use serde_json::{Map, Value};

/// A `path` of a policy with its attributes.
pub(super) type Stanza = (String, Map<String, Value>);

/// Parses the text of a policy in either language.
pub(super) fn parse_stanzas(text: &str) -> Result<Vec<Stanza>, String> {
    if text.trim_start().starts_with('{') {
        parse_json(text)
    } else {
        parse_hcl(text)
    }
}

fn parse_hcl(text: &str) -> Result<Vec<Stanza>, String> {
    let body: Body = text
        .parse()
        .map_err(|error: hcl_edit::parser::Error| format_error(&error))?;
    let blocks = body.iter().filter_map(|structure| match structure {
        Structure::Block(block) => Some(block),
        Structure::Attribute(_) => None, // `name`, which OpenBao ignores
    });
    blocks.map(parse_block).collect()
}

fn format_error(error: &hcl_edit::parser::Error) -> String {
    let location = error.location();
    format!(
        "line {}, column {}: {}",
        location.line(),
        location.column(),
        error.message()
    )
}

fn parse_block(block: &Block) -> Result<Stanza, String> {
    let kind = block.ident.as_str();
    match (kind, block.labels.as_slice()) {
        ("path", [label]) => Ok((label_text(label).to_owned(), parse_attributes(&block.body)?)),
        _ => Err(format!("`{kind}` is not a `path` with its one path")),
    }
}

fn label_text(label: &BlockLabel) -> &str {
    match label {
        BlockLabel::Ident(ident) => ident.as_str(),
        BlockLabel::String(text) => text.as_str(),
    }
}

fn parse_attributes(body: &Body) -> Result<Map<String, Value>, String> {
    let pairs = body.iter().map(|structure| match structure {
        Structure::Attribute(attribute) => {
            let key = attribute.key.as_str().to_owned();
            let value = parse_value(&attribute.value)
                .ok_or_else(|| format!("the value of `{key}` is no plain value"))?;
            Ok((key, value))
        }
        Structure::Block(block) => Ok((
            block.ident.as_str().to_owned(),
            parse_attributes(&block.body)?.into(),
        )),
    });
    pairs.collect()
}

fn parse_value(expression: &Expression) -> Option<Value> {
    Some(match expression {
        Expression::Null(_) => Value::Null,
        Expression::Bool(bool) => (*bool.value()).into(),
        Expression::String(text) => text.as_str().into(),
        Expression::Number(number) => Value::String(number.value().to_string()),
        Expression::Array(items) => items.iter().map(parse_value).collect::<Option<_>>()?,
        Expression::Object(object) => {
            let pairs = object.iter().map(|(key, item)| {
                let key = match key {
                    ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                    ObjectKey::Expression(key) => parse_value(key)?.as_str()?.to_owned(),
                };
                Some((key, parse_value(item.expr())?))
            });
            Value::Object(pairs.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn parse_json(text: &str) -> Result<Vec<Stanza>, String> {
    let mut policy: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(paths) = policy.remove("path") else {
        return Ok(Vec::new());
    };
    let mut stanzas = Vec::new();
    for paths in objects("path", paths)? {
        for (path, attributes) in paths {
            let rules = objects(&path, attributes)?;
            stanzas.extend(rules.into_iter().map(|rule| (path.clone(), rule)));
        }
    }
    Ok(stanzas)
}

/// Returns the object, or the objects of an array: both are blocks.
fn objects(name: &str, value: Value) -> Result<Vec<Map<String, Value>>, String> {
    match value {
        Value::Object(object) => Ok(vec![object]),
        Value::Array(items) => {
            let nested = items.into_iter().map(|item| objects(name, item));
            Ok(nested.collect::<Result<Vec<_>, _>>()?.concat())
        }
        _ => Err(format!("`{name}` is no object")),
    }
}
