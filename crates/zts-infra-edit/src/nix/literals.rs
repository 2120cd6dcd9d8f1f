//! The literal values of attributes, wherever they are in a file.

use rnix::ast;

use super::expression::literal_string;
use super::name::attribute_name;
use super::parse::{cast, node_range, parse_source, untyped};
use crate::error::{Error, Position};

/// A text, or a list of texts, that an attribute has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The names of the attribute and of those around it.
    pub path: Vec<String>,
    /// The text, or the texts of the list.
    pub texts: Vec<String>,
    /// The line of the attribute.
    pub line: usize,
}

impl Literal {
    /// Returns whether the path ends with these names; `*` is any name.
    pub fn is_named(&self, names: &[&str]) -> bool {
        let start = self.path.len().checked_sub(names.len());
        start.is_some_and(|start| {
            let pairs = self.path[start..].iter().zip(names);
            pairs
                .into_iter()
                .all(|(name, wanted)| *wanted == "*" || name == wanted)
        })
    }
}

/// Lists the attributes of a source whose values are texts or lists of texts, without computed
/// ones.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn list_literals(source: &str) -> Result<Vec<Literal>, Error> {
    let root = parse_source(source)?;
    let entries = root
        .descendants()
        .filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let literal = |entry: ast::AttrpathValue| {
        let texts = literal_texts(&entry.value()?)?;
        Some(Literal {
            path: full_path(&entry),
            texts,
            line: Position::at(source, node_range(&untyped(&entry)).start).line,
        })
    };
    Ok(entries.filter_map(literal).collect())
}

fn literal_texts(value: &ast::Expr) -> Option<Vec<String>> {
    match value {
        ast::Expr::Str(string) => Some(vec![literal_string(string)?]),
        ast::Expr::List(list) => {
            let text = |item: ast::Expr| match item {
                ast::Expr::Str(string) => literal_string(&string),
                _ => None,
            };
            list.items().map(text).collect()
        }
        _ => None,
    }
}

/// Returns the names of an attribute and of those around it. A computed name is empty.
fn full_path(entry: &ast::AttrpathValue) -> Vec<String> {
    let node = untyped(entry);
    let mut around: Vec<ast::AttrpathValue> = node
        .ancestors()
        .filter_map(|node| cast::<ast::AttrpathValue>(&node))
        .collect();
    around.reverse();
    let names = |entry: ast::AttrpathValue| -> Vec<String> {
        let path = entry.attrpath().into_iter();
        path.flat_map(|path| path.attrs())
            .map(|attribute| attribute_name(&attribute).unwrap_or_default())
            .collect()
    };
    around.into_iter().flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_at_any_depth() {
        let source = r#"
            { config, ... }:
            {
              networking = { domain = "example.org"; nameservers = [ "10.0.0.1" "10.0.0.2" ]; };
              systemd.network.networks."10-lan".gateway = [ "10.0.0.1" ];
              networking.hostName = "web-${config.x}";
              modules = [ { vault.address = "https://bao:8200"; } ];
            }
        "#;
        let literals = list_literals(source).unwrap();
        let find = |names: &[&str]| {
            let found = literals.iter().find(|literal| literal.is_named(names));
            found.map(|literal| (literal.texts.join(" "), literal.line))
        };
        let expected = |text: &str, line| Some((text.to_owned(), line));
        assert_eq!(find(&["networking", "domain"]), expected("example.org", 4));
        assert_eq!(
            find(&["networking", "nameservers"]),
            expected("10.0.0.1 10.0.0.2", 4)
        );
        assert_eq!(find(&["networks", "*", "gateway"]), expected("10.0.0.1", 5));
        assert_eq!(find(&["vault", "address"]), expected("https://bao:8200", 7));
        assert_eq!(find(&["networking", "hostName"]), None);
        assert!(list_literals("{ a = ").is_err());
    }
}
