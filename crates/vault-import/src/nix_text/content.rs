//! The text of a template: its placeholders, and braces in it.

use std::collections::BTreeMap;
use std::ops::Range;

use rnix::ast;
use rnix::{NodeOrToken, SyntaxKind, SyntaxNode, SyntaxToken};

use super::aliases::{Alias, find_aliases};
use super::layout::Edit;
use super::references::{Reference, read_reference};
use super::syntax::{cast, escape_string, is_indented_string, names_of, node_range};

/// The placeholders of vault-secrets, by the names of the secrets of sops-nix.
pub(super) type Replacements = BTreeMap<String, String>;

/// A placeholder of sops-nix.
pub(super) struct Placeholder {
    /// The range of its expression; in a string that of the interpolation.
    pub(super) range: Range<usize>,
    /// True if it is an interpolation of this string.
    in_string: Option<SyntaxNode>,
    /// The name of the secret; `None` if it cannot be read.
    pub(super) secret: Option<String>,
}

/// Finds the placeholders in an entry.
pub(super) fn find_placeholders(entry: &SyntaxNode) -> Vec<Placeholder> {
    let root = entry.ancestors().last();
    let mut aliases = root.map_or(Vec::new(), |root| find_aliases(&root, &[]));
    aliases.retain(|alias| alias.is_placeholder_at(entry));
    let mut found = Vec::new();
    let mut read: Vec<Range<usize>> = Vec::new();
    for node in entry.descendants() {
        let select = cast::<ast::Select>(&node);
        if let Some(name) = select.and_then(|select| secret_of(&select, &aliases)) {
            read.push(node_range(&node));
            found.push(placeholder_at(&node, Some(name)));
        } else if is_named_placeholder(&node, &aliases) {
            let range = node_range(&node);
            let is_read = read
                .iter()
                .any(|read| read.start <= range.start && range.end <= read.end);
            if !is_read {
                found.push(placeholder_at(&node, None));
            }
        }
    }
    found
}

/// Returns the secret of `config.sops.placeholder."a/b"`, also through a variable.
fn secret_of(select: &ast::Select, aliases: &[Alias]) -> Option<String> {
    if select.default_expr().is_some() {
        return None;
    }
    if let Some(ast::Expr::Ident(variable)) = select.expr()
        && aliases
            .iter()
            .any(|alias| alias.name == variable.to_string())
    {
        let attributes: Vec<_> = select.attrpath()?.attrs().collect();
        return match names_of(&attributes).as_slice() {
            [Some(name)] => Some(name.clone()),
            _ => None,
        };
    }
    let Reference {
        is_of_config,
        names,
        ..
    } = read_reference(select)?;
    match names.as_slice() {
        [Some(option), Some(name)] if option == "placeholder" => is_of_config.then(|| name.clone()),
        _ => None,
    }
}

fn is_named_placeholder(node: &SyntaxNode, aliases: &[Alias]) -> bool {
    node.kind() == SyntaxKind::NODE_IDENT
        && (node.text() == "placeholder"
            || aliases
                .iter()
                .any(|alias| node.text() == alias.name.as_str()))
}

fn placeholder_at(node: &SyntaxNode, secret: Option<String>) -> Placeholder {
    let interpolation = node
        .parent()
        .filter(|parent| parent.kind() == SyntaxKind::NODE_INTERPOL);
    let string = interpolation
        .as_ref()
        .and_then(SyntaxNode::parent)
        .filter(|parent| parent.kind() == SyntaxKind::NODE_STRING);
    let outer = interpolation.filter(|_| string.is_some());
    Placeholder {
        range: node_range(outer.as_ref().unwrap_or(node)),
        in_string: string,
        secret,
    }
}

/// Returns the edits that write placeholders of vault-secrets in an entry.
pub(super) fn replace_placeholders(entry: &SyntaxNode, replacements: &Replacements) -> Vec<Edit> {
    let edit = |placeholder: Placeholder| {
        let text = replacements.get(placeholder.secret.as_ref()?)?;
        let text = match &placeholder.in_string {
            Some(string) if is_indented_string(string) => text.clone(),
            Some(_) => escape_string(text),
            None => format!("\"{}\"", escape_string(text)),
        };
        Some(Edit {
            range: placeholder.range,
            text,
        })
    };
    find_placeholders(entry)
        .into_iter()
        .filter_map(edit)
        .collect()
}

/// Returns the edits that write braces of the text, which are no placeholders, in an entry.
pub(super) fn escape_braces(entry: &SyntaxNode) -> Vec<Edit> {
    let placeholders = find_placeholders(entry);
    let starts: Vec<usize> = placeholders.iter().map(|one| one.range.start).collect();
    let tokens = entry
        .descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
        .filter(|token| token.kind() == SyntaxKind::TOKEN_STRING_CONTENT);
    tokens
        .flat_map(|token| braces_of(&token, &starts))
        .collect()
}

fn braces_of(token: &SyntaxToken, placeholders: &[usize]) -> Vec<Edit> {
    let text = token.text();
    let offset = usize::from(token.text_range().start());
    let is_indented = token
        .parent()
        .is_some_and(|string| is_indented_string(&string));
    let quote = if is_indented { "\"" } else { "\\\"" };
    let mut edits = Vec::new();
    let mut end = 0;
    while let Some(found) = text[end..].find('{') {
        let start = end + found;
        end = start + text[start..].len() - text[start..].trim_start_matches('{').len();
        let is_before_placeholder = placeholders.contains(&(offset + end));
        if end - start > 1 || is_before_placeholder {
            let braces = &text[start..end];
            edits.push(Edit {
                range: offset + start..offset + end,
                text: format!("{{{{ {quote}{braces}{quote} }}}}"),
            });
        }
    }
    edits
}
