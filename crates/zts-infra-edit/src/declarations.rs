//! The attributes and blocks of a file of OpenTofu, or of data that it reads.

use crate::error::{Error, Position};
use crate::hcl;
use crate::tree::{Kind, Node};
use crate::vms::Notation;

/// An attribute or a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The keys from the file's root, with the types and labels of blocks, such as `resource`,
    /// `vault_mount`, `secret`, `path`.
    pub path: Vec<String>,
    /// The text, or the texts of a list; none for any other value.
    pub texts: Vec<String>,
    /// The line of its key.
    pub line: usize,
}

impl Declaration {
    /// Returns whether the path is this one; `*` is any key.
    pub fn is_at(&self, path: &[&str]) -> bool {
        let mut pairs = self.path.iter().zip(path);
        self.path.len() == path.len() && pairs.all(|(key, wanted)| *wanted == "*" || key == wanted)
    }
}

/// Lists the attributes and blocks of a file, those inside of others as well.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn list_declarations(source: &str, notation: Notation) -> Result<Vec<Declaration>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let mut found = Vec::new();
    collect(text, &notation.parse(text)?, &mut Vec::new(), &mut found);
    Ok(found)
}

fn collect(source: &str, node: &Node, path: &mut Vec<String>, found: &mut Vec<Declaration>) {
    let (Kind::Map(items) | Kind::Section(items)) = &node.kind else {
        return;
    };
    for item in items {
        path.push(item.name.clone().unwrap_or_default());
        found.push(Declaration {
            path: path.clone(),
            texts: literal_texts(&item.value),
            line: Position::at(source, item.key.start).line,
        });
        collect(source, &item.value, path, found);
        path.pop();
    }
}

fn literal_texts(node: &Node) -> Vec<String> {
    match &node.kind {
        Kind::Text(text) | Kind::Literal(text) => vec![text.clone()],
        Kind::List(values) => values.iter().flat_map(literal_texts).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_blocks_are_listed_with_their_keys() {
        let source = r#"
            variable "vault_addr" {
              default = "https://bao:8200"
            }
            resource "vault_mount" "kv" {
              path    = "kv"
              options = { version = "2" }
            }
        "#;
        let found = list_declarations(source, Notation::Hcl).unwrap();
        let text = |path: &[&str]| {
            let declaration = found.iter().find(|declaration| declaration.is_at(path))?;
            Some((declaration.texts.join(" "), declaration.line))
        };
        let expected = |text: &str, line| Some((text.to_owned(), line));
        let address = text(&["variable", "vault_addr", "default"]);
        assert_eq!(address, expected("https://bao:8200", 3));
        assert_eq!(text(&["resource", "vault_mount", "*"]), expected("", 5));
        let version = text(&["resource", "vault_mount", "*", "options", "version"]);
        assert_eq!(version, expected("2", 7));
        let json = r#"{"hosts": {"web01": {"gateway": "10.0.0.1"}}}"#;
        let found = list_declarations(json, Notation::Json).unwrap();
        assert!(
            found
                .iter()
                .any(|one| one.is_at(&["hosts", "*", "gateway"]))
        );
    }
}
