//! The definitions of the tools' options in a file, with their places.

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode};

use super::shape::{Condition, Shape};
use super::syntax::{
    attribute_name, cast, entry_attributes, entry_of_set, names_of, node_range, untyped,
};
use crate::tool::Tool;

/// Names below which modules are those of another system than the host, anywhere in a path.
const OTHER_SYSTEMS: [&str; 9] = [
    "darwin",
    "darwinConfigurations",
    "darwinModules",
    "hjem",
    "home-manager",
    "homeConfigurations",
    "homeManager",
    "homeManagerModules",
    "homeModules",
];
/// Options whose modules are those of another system than the host.
const SYSTEM_OPTIONS: [&str; 3] = ["containers", "microvm", "specialisation"];
/// Options below which no option of the tools is one of the host.
const OTHER_OPTIONS: [&str; 11] = [
    "boot",
    "environment",
    "hardware",
    "networking",
    "options",
    "programs",
    "security",
    "services",
    "systemd",
    "users",
    "virtualisation",
];
/// The number of names of a secret's attribute, such as `secrets.app.owner`.
const ATTRIBUTE: usize = 3;

/// The definition of an option of a tool.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) tool: Tool,
    /// The names behind `sops` or `age`.
    pub(super) names: Vec<String>,
    /// The entries from the one with `sops` or `age` on, each inside of the one before.
    pub(super) entries: Vec<Level>,
    /// The conditions from the first entry on, each with the number of names outside of it.
    pub(super) conditions: Vec<(Condition, usize)>,
    pub(super) content: Content,
    /// True if variables of the value may be defined inside of the first entry.
    pub(super) is_local: bool,
}

/// An entry of a definition.
#[derive(Clone, Debug)]
pub(super) struct Level {
    pub(super) entry: SyntaxNode,
    /// The number of names up to the end of its path.
    pub(super) reached: usize,
}

/// The right side of a definition.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Value(ast::Expr),
    EmptySet,
    /// A name of an `inherit`.
    Inherited(ast::Inherit),
    /// An entry whose next name is computed.
    Computed(SyntaxNode),
}

/// The definitions of a file.
#[derive(Default)]
pub(super) struct Definitions {
    pub(super) all: Vec<Definition>,
    /// Definitions of options that are not the host's, or that cannot be read: the place, and the
    /// reason.
    pub(super) foreign: Vec<(SyntaxNode, String)>,
}

impl Definition {
    /// Returns the entry with `sops` or `age`.
    pub(super) fn anchor(&self) -> Option<&SyntaxNode> {
        self.entries.first().map(|level| &level.entry)
    }

    /// Returns the outermost entry that reaches this number of names.
    pub(super) fn entry_reaching(&self, names: usize) -> Option<&SyntaxNode> {
        let mut levels = self.entries.iter();
        levels
            .find(|level| level.reached >= names)
            .map(|level| &level.entry)
    }

    /// Returns the name of the secret, or of a template.
    pub(super) fn name_in(&self, option: &str) -> Option<&str> {
        match self.names.as_slice() {
            [first, name, ..] if first == option => Some(name),
            _ => None,
        }
    }

    /// Returns the reason for which the definition cannot be read.
    pub(super) fn unread_reason(&self) -> Option<String> {
        let mut option = self.tool.option().to_owned();
        for name in &self.names {
            option.push('.');
            option.push_str(name);
        }
        match &self.content {
            Content::EmptySet => None,
            Content::Computed(_) => Some(format!("a name in `{option}` is computed")),
            Content::Inherited(_) => Some(format!("`{option}` is inherited")),
            Content::Value(value) if self.names.is_empty() && is_no_set(value) => None,
            Content::Value(_) => Some(format!("`{option}` is computed")),
        }
    }

    /// Returns the place of the definition.
    pub(super) fn offset(&self) -> usize {
        let node = match &self.content {
            Content::Inherited(inherit) => Some(untyped(inherit)),
            Content::Computed(entry) => Some(entry.clone()),
            // a part of a set
            Content::Value(value) if self.names.len() < 2 => Some(untyped(value)),
            _ => self.entries.last().map(|level| level.entry.clone()),
        };
        node.map_or(0, |node| node_range(&node).start)
    }
}

/// Returns whether a value of an attribute with the name of a tool is surely not its options.
fn is_no_set(value: &ast::Expr) -> bool {
    match value {
        ast::Expr::Apply(_) | ast::Expr::Ident(_) => false,
        ast::Expr::Select(select) => {
            let text = untyped(select).to_string();
            text.starts_with("pkgs") || text.starts_with("inputs")
        }
        _ => true,
    }
}

/// Finds all definitions of a file.
pub(super) fn find_definitions(root: &SyntaxNode) -> Definitions {
    let mut found = Definitions::default();
    let mut end = 0;
    for node in root.descendants() {
        if let Some(tool) = inherited_tool(&node) {
            let reason = format!("`{}` is inherited", tool.option());
            found.foreign.push((node, reason));
            continue;
        }
        let range = node_range(&node);
        let Some((entry, tool, skipped)) = anchor_of(&node).filter(|_| range.start >= end) else {
            continue;
        };
        end = range.end;
        let mut walk = Walk {
            tool,
            found: Vec::new(),
        };
        walk.visit_entry(&entry, skipped, &Place::default());
        match foreign_option(&node) {
            None => found.all.append(&mut walk.found),
            Some(option)
                if walk
                    .found
                    .iter()
                    .any(|one| one.name_in("secrets").is_some()) =>
            {
                let reason = format!("it is inside of `{option}`, and not of the host");
                found.foreign.push((node, reason));
            }
            Some(_) => {}
        }
    }
    found
}

/// Returns the tool whose option a set inherits.
fn inherited_tool(node: &SyntaxNode) -> Option<Tool> {
    let inherit = cast::<ast::Inherit>(node)?;
    if node.parent()?.kind() != SyntaxKind::NODE_ATTR_SET {
        return None;
    }
    let from = inherit.from().map(|from| untyped(&from).to_string());
    if from.is_some_and(|from| from.contains("pkgs") || from.contains("inputs")) {
        return None;
    }
    let names: Vec<_> = inherit.attrs().collect();
    let names = names_of(&names);
    let is_named = |tool: &Tool| names.iter().flatten().any(|name| name == tool.option());
    Tool::ALL.into_iter().find(is_named)
}

/// Returns the entry whose path begins with an option of a tool, and the number of names up to it.
fn anchor_of(node: &SyntaxNode) -> Option<(ast::AttrpathValue, Tool, usize)> {
    let entry = entry_of_set(node)?;
    let names = names_of(&entry_attributes(&entry));
    let index = usize::from(names.first()?.as_deref() == Some("config"));
    let name = names.get(index)?.as_deref()?;
    let tool = Tool::ALL.into_iter().find(|tool| tool.option() == name)?;
    Some((entry, tool, index + 1))
}

/// Returns the option around an entry below which options are not those of the host.
pub(super) fn foreign_option(node: &SyntaxNode) -> Option<String> {
    let mut is_same_module = true;
    for ancestor in node.ancestors().skip(1) {
        match ancestor.kind() {
            SyntaxKind::NODE_LAMBDA | SyntaxKind::NODE_LIST | SyntaxKind::NODE_LET_IN => {
                is_same_module = false;
            }
            _ => {}
        }
        let Some(entry) = entry_of_set(&ancestor) else {
            continue;
        };
        let names = names_of(&entry_attributes(&entry));
        let mut names = names.iter().flatten();
        let first = names.clone().find(|name| *name != "config");
        let other = first.filter(|name| OTHER_OPTIONS.contains(&name.as_str()));
        let inner = first.filter(|name| SYSTEM_OPTIONS.contains(&name.as_str()));
        let system = names.find(|name| OTHER_SYSTEMS.contains(&name.as_str()));
        if let Some(option) = system.or(inner).or(other.filter(|_| is_same_module)) {
            return Some(option.clone());
        }
    }
    None
}

/// A walk over the value of one entry.
struct Walk {
    tool: Tool,
    found: Vec<Definition>,
}

/// The place of an expression in a walk.
#[derive(Clone, Default)]
struct Place {
    names: Vec<String>,
    entries: Vec<Level>,
    conditions: Vec<(Condition, usize)>,
    is_local: bool,
}

impl Walk {
    fn visit_entry(&mut self, entry: &ast::AttrpathValue, skipped: usize, place: &Place) {
        let mut inner = place.clone();
        for attribute in entry_attributes(entry).iter().skip(skipped) {
            match attribute_name(attribute) {
                Some(name) => inner.names.push(name),
                None => return self.record(Content::Computed(untyped(entry)), inner),
            }
        }
        let known = ["secrets", "templates", "defaultSopsFile"];
        if inner
            .names
            .first()
            .is_some_and(|name| !known.contains(&name.as_str()))
        {
            return;
        }
        inner.entries.push(Level {
            entry: untyped(entry),
            reached: inner.names.len(),
        });
        if let Some(value) = entry.value() {
            self.visit_value(&value, inner);
        }
    }

    fn visit_value(&mut self, value: &ast::Expr, place: Place) {
        let is_attribute = place.names.len() >= ATTRIBUTE;
        match Shape::of(value) {
            Shape::Set(set) => self.visit_set(&set, place),
            Shape::Parts(parts) if !is_attribute => {
                for part in parts {
                    let mut inner = place.clone();
                    let depth = inner.names.len();
                    inner
                        .conditions
                        .extend(part.condition.map(|one| (one, depth)));
                    inner.is_local |= part.is_local;
                    self.visit_value(&part.value, inner);
                }
            }
            _ => match shared_attributes(value).filter(|_| is_secret(&place.names)) {
                Some(set) => self.visit_set(&set, place),
                None => self.record(Content::Value(value.clone()), place),
            },
        }
    }

    fn visit_set(&mut self, set: &ast::AttrSet, mut place: Place) {
        place.is_local |= set.rec_token().is_some();
        let mut is_empty = true;
        for entry in set.entries() {
            is_empty = false;
            match entry {
                ast::Entry::AttrpathValue(entry) => self.visit_entry(&entry, 0, &place),
                ast::Entry::Inherit(inherit) => self.visit_inherit(&inherit, &place),
            }
        }
        if is_empty {
            self.record(Content::EmptySet, place);
        }
    }

    fn visit_inherit(&mut self, inherit: &ast::Inherit, place: &Place) {
        for attribute in inherit.attrs() {
            let mut inner = place.clone();
            inner.names.extend(attribute_name(&attribute));
            self.record(Content::Inherited(inherit.clone()), inner);
        }
    }

    fn record(&mut self, content: Content, place: Place) {
        self.found.push(Definition {
            tool: self.tool,
            names: place.names,
            entries: place.entries,
            conditions: place.conditions,
            content,
            is_local: place.is_local,
        });
    }
}

fn is_secret(names: &[String]) -> bool {
    matches!(names, [option, _] if option == "secrets")
}

/// Returns the set of a variable that a `let` of the file defines.
fn shared_attributes(value: &ast::Expr) -> Option<ast::AttrSet> {
    let ast::Expr::Ident(variable) = value else {
        return None;
    };
    let name = variable.to_string();
    for scope in untyped(variable).ancestors() {
        let is_argument = cast::<ast::Lambda>(&scope)
            .and_then(|lambda| lambda.param())
            .is_some_and(|param| {
                let text = untyped(&param).to_string();
                let mut words = text.split(|one: char| !one.is_alphanumeric() && one != '_');
                words.any(|word| word == name)
            });
        if is_argument {
            return None;
        }
        let entries = cast::<ast::LetIn>(&scope).into_iter();
        let mut entries = entries.flat_map(|scope| scope.attrpath_values().collect::<Vec<_>>());
        let defined = entries.find(|entry| {
            let path = names_of(&entry_attributes(entry));
            path.first()
                .is_some_and(|first| first.as_ref() == Some(&name))
        });
        if let Some(entry) = defined {
            let is_whole = entry_attributes(&entry).len() == 1;
            return match entry.value() {
                Some(ast::Expr::AttrSet(set)) if is_whole => Some(set),
                _ => None,
            };
        }
    }
    None
}
