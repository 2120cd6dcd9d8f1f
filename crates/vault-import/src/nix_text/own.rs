//! The declarations of OpenBao's secrets and templates that a file has already.

use rnix::SyntaxNode;
use rnix::ast::{self, HasEntry};

use super::shape::Shape;
use super::syntax::{entry_attributes, entry_of_set, names_of};

/// The names in `vault.secrets` and `vault.templates`.
#[derive(Default)]
pub(super) struct Own {
    pub(super) secrets: Vec<String>,
    pub(super) templates: Vec<String>,
}

/// Lists the names of a file.
pub(super) fn list_own(root: &SyntaxNode) -> Own {
    let mut own = Own::default();
    for node in root.descendants() {
        let Some(entry) = entry_of_set(&node) else {
            continue;
        };
        let names = names_of(&entry_attributes(&entry));
        let mut names = names.iter().map(|name| name.as_deref()).peekable();
        names.next_if_eq(&Some("config"));
        if names.next_if_eq(&Some("vault")).is_some() {
            let names: Vec<_> = names.collect();
            add_names(&mut own, &names, entry.value().as_ref());
        }
    }
    own
}

fn add_names(own: &mut Own, names: &[Option<&str>], value: Option<&ast::Expr>) {
    match names {
        [Some("secrets"), Some(name), ..] => push_new(&mut own.secrets, name),
        [Some("templates"), Some(name), ..] => push_new(&mut own.templates, name),
        [] | [Some("secrets" | "templates")] => match value.map(Shape::of) {
            Some(Shape::Set(set)) => {
                for entry in set.attrpath_values() {
                    let inner = names_of(&entry_attributes(&entry));
                    let inner = inner.iter().map(Option::as_deref);
                    let all: Vec<_> = names.iter().copied().chain(inner).collect();
                    add_names(own, &all, entry.value().as_ref());
                }
            }
            Some(Shape::Parts(parts)) => {
                for part in parts {
                    add_names(own, names, Some(&part.value));
                }
            }
            _ => {}
        },
        _ => {}
    }
}

fn push_new(names: &mut Vec<String>, name: &str) {
    if names.iter().all(|known| known != name) {
        names.push(name.to_owned());
    }
}
