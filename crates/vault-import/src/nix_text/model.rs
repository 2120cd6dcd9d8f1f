//! The moves of secrets, and the declarations of a file.

use std::collections::BTreeMap;

use crate::tool::Tool;

/// A declaration that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) tool: Tool,
    /// The name in `sops.secrets` or `age.secrets`.
    pub(crate) old: String,
    /// The name in `vault.secrets`.
    pub(crate) secret: String,
    /// The file in the secret's directory.
    pub(crate) file: String,
    /// Bindings that take the place of the removed declaration, such as
    /// `vault.secrets.app.links."/etc/x" = "password";`.
    pub(crate) replacement: Option<String>,
}

impl Move {
    /// Returns the reason for which the module does not take the new names.
    pub(crate) fn problem(&self) -> Option<String> {
        if !is_unit_name(&self.secret) {
            return Some(format!(
                "`{}` cannot be the name of a secret: letters, digits, `_`, `.` and `-` only, a \
                 letter or digit first",
                self.secret
            ));
        }
        let is_plain = !self.file.is_empty()
            && !matches!(self.file.as_str(), "." | "..")
            && !self
                .file
                .contains(|one: char| one == '/' || one.is_control());
        (!is_plain).then(|| format!("`{}` cannot be the name of a file", self.file))
    }
}

/// Returns whether a name can be that of a secret or a template, of which units are named.
pub(super) fn is_unit_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// The declarations of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileDeclarations {
    /// The secrets, in the order of their first definitions.
    pub(crate) secrets: Vec<Declaration>,
    /// The value of `sops.defaultSopsFile`.
    pub(crate) default_sops_file: Option<Attribute>,
    /// The templates, in the order of their first definitions.
    pub(crate) templates: Vec<TemplateName>,
    /// The secrets whose files are read before the network is up.
    pub(crate) early: Vec<(Tool, String)>,
    /// The definitions that cannot be read.
    pub(crate) unread: Vec<Left>,
    /// The names in `vault.secrets`.
    pub(crate) vault_secrets: Vec<String>,
    /// The names in `vault.templates`.
    pub(crate) vault_templates: Vec<String>,
}

/// The declaration of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declaration {
    pub(crate) tool: Tool,
    pub(crate) name: String,
    /// The line of its first definition.
    pub(crate) line: usize,
    /// The attributes by name; that of a nested set has dots, such as `generator.script`.
    pub(crate) attributes: BTreeMap<String, Attribute>,
    /// The definitions whose attributes cannot be read, such as `sops.secrets.x = common;`.
    pub(crate) unread: Vec<Left>,
}

/// An attribute of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) value: Value,
    pub(crate) line: usize,
    /// True if variables of the value may be defined inside of the declaration.
    pub(crate) is_local: bool,
}

/// A value, as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// A path as it is written, such as `./secrets.yaml`.
    Path(String),
    Bool(bool),
    Texts(Vec<String>),
    /// Any other expression as it is written.
    Expression(String),
}

/// A template of sops-nix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateName {
    pub(crate) name: String,
    /// The names of the secrets in it, as far as they can be read.
    pub(crate) secrets: Vec<String>,
    pub(crate) line: usize,
}

/// A part of a file that is left to the reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Left {
    pub(crate) line: usize,
    /// The line as it is, without its indentation.
    pub(crate) text: String,
    pub(crate) reason: String,
}
