//! The declarations of a file.

use std::collections::BTreeMap;

use rnix::ast;

use super::content::find_placeholders;
use super::definitions::{Content, Definition, find_definitions};
use super::model::{Attribute, Declaration, FileDeclarations, TemplateName, Value};
use super::own::list_own;
use super::syntax::{
    SyntaxError, cast, left_at, line_at, literal_string, node_range, parse_source, untyped,
};
use super::uses::early_secrets;
use crate::tool::Tool;

/// Lists the secrets and templates that a module file declares.
///
/// # Errors
/// The source is not valid Nix.
pub(crate) fn declarations(source: &str) -> Result<FileDeclarations, SyntaxError> {
    let root = parse_source(source)?;
    let definitions = find_definitions(&root);
    let own = list_own(&root);
    let mut file = FileDeclarations {
        vault_secrets: own.secrets,
        vault_templates: own.templates,
        early: early_secrets(&root),
        ..FileDeclarations::default()
    };
    for definition in &definitions.all {
        add_definition(&mut file, source, definition);
    }
    for (node, reason) in definitions.foreign {
        let left = left_at(source, node_range(&node).start, reason);
        file.unread.push(left);
    }
    file.unread.sort();
    Ok(file)
}

fn add_definition(file: &mut FileDeclarations, source: &str, definition: &Definition) {
    let names: Vec<&str> = definition.names.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["secrets", name, attribute @ ..] => {
            let declaration = declaration_of(file, source, definition, name);
            add_attribute(declaration, source, definition, &attribute.join("."));
        }
        ["templates", name, ..] if definition.tool == Tool::SopsNix => {
            add_template(file, source, definition, name);
        }
        ["defaultSopsFile"] => {
            let read = attribute_of(source, definition);
            file.default_sops_file = file.default_sops_file.take().or(read);
        }
        [] | ["secrets" | "templates"] => {
            let reason = definition.unread_reason();
            let left = reason.map(|reason| left_at(source, definition.offset(), reason));
            file.unread.extend(left);
        }
        _ => {}
    }
}

fn add_template(file: &mut FileDeclarations, source: &str, definition: &Definition, name: &str) {
    let known = file.templates.iter().position(|known| known.name == *name);
    let index = known.unwrap_or(file.templates.len());
    if known.is_none() {
        file.templates.push(TemplateName {
            name: name.to_owned(),
            secrets: Vec::new(),
            line: line_at(source, definition.offset()),
        });
    }
    let entries = definition.entries.last();
    let placeholders = entries.map(|level| find_placeholders(&level.entry));
    let secrets = placeholders.into_iter().flatten();
    file.templates[index]
        .secrets
        .extend(secrets.filter_map(|placeholder| placeholder.secret));
}

fn declaration_of<'a>(
    file: &'a mut FileDeclarations,
    source: &str,
    definition: &Definition,
    name: &str,
) -> &'a mut Declaration {
    let tool = definition.tool;
    let known = file
        .secrets
        .iter()
        .position(|one| one.tool == tool && one.name == name);
    let index = known.unwrap_or(file.secrets.len());
    if known.is_none() {
        let entry = definition.entry_reaching(2);
        let offset = entry.map_or(definition.offset(), |entry| node_range(entry).start);
        file.secrets.push(Declaration {
            tool,
            name: name.to_owned(),
            line: line_at(source, offset),
            attributes: BTreeMap::new(),
            unread: Vec::new(),
        });
    }
    &mut file.secrets[index]
}

fn add_attribute(
    declaration: &mut Declaration,
    source: &str,
    definition: &Definition,
    attribute: &str,
) {
    let read = attribute_of(source, definition).filter(|_| !attribute.is_empty());
    let Some(read) = read else {
        let reason = definition.unread_reason();
        let left = reason.map(|reason| left_at(source, definition.offset(), reason));
        declaration.unread.extend(left);
        return;
    };
    let known = declaration.attributes.get(attribute);
    if known.is_some_and(|known| known.value != read.value) {
        let reason = format!("`{attribute}` has another value before");
        let left = left_at(source, definition.offset(), reason);
        declaration.unread.push(left);
    }
    declaration
        .attributes
        .entry(attribute.to_owned())
        .or_insert(read);
}

fn attribute_of(source: &str, definition: &Definition) -> Option<Attribute> {
    let value = match &definition.content {
        Content::Value(value) => value_of(value),
        Content::EmptySet => Value::Expression("{ }".to_owned()),
        Content::Inherited(inherit) => {
            let name = definition.names.last()?;
            let from = inherit.from().and_then(|from| from.expr());
            Value::Expression(match from {
                Some(from @ (ast::Expr::Ident(_) | ast::Expr::Select(_))) => {
                    format!("{from}.{name}")
                }
                Some(from) => format!("({from}).{name}"),
                None => name.clone(),
            })
        }
        Content::Computed(_) => return None,
    };
    Some(Attribute {
        value,
        line: line_at(source, definition.offset()),
        is_local: definition.is_local,
    })
}

fn value_of(value: &ast::Expr) -> Value {
    let text = untyped(value).to_string();
    match value {
        ast::Expr::Str(string) => {
            literal_string(string).map_or(Value::Expression(text), Value::Text)
        }
        ast::Expr::PathAbs(_)
        | ast::Expr::PathRel(_)
        | ast::Expr::PathHome(_)
        | ast::Expr::PathSearch(_)
            if !text.contains("${") =>
        {
            Value::Path(text)
        }
        ast::Expr::List(list) => {
            let item = |item: ast::Expr| literal_string(&cast::<ast::Str>(&untyped(&item))?);
            let items: Option<Vec<String>> = list.items().map(item).collect();
            items.map_or(Value::Expression(text), Value::Texts)
        }
        _ => match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Expression(text),
        },
    }
}
