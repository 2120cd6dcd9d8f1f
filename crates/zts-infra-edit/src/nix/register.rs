//! Sets with an entry for each host beside the configurations, such as their addresses. A host
//! without an entry in one that is used fails to evaluate.

use std::rc::Rc;

use rnix::ast::{self, HasEntry};
use rnix::{SyntaxKind, SyntaxNode};

use super::call::function_name;
use super::context::Context;
use super::expression::{call_parts, function_body};
use super::files::{SourceFile, Sources, file_expression};
use super::flake_hosts::FlakeHosts;
use super::individual::is_image;
use super::name::attribute_name;
use super::parse::{cast, node_range, untyped};
use super::scope::entry_path;
use super::search::search_entries;
use crate::error::Position;

/// The limit of registers in one file.
const MAX_REGISTERS: usize = 20;

/// The outputs of flakes that have configurations, not values of hosts.
const OUTPUTS: [&str; 6] = [
    "nixosConfigurations",
    "darwinConfigurations",
    "homeConfigurations",
    "nodes",
    "colmena",
    "colmenaHive",
];

/// A set with an entry for each host.
pub(super) struct Register {
    pub(super) file: Rc<SourceFile>,
    /// Its place among the registers of the file.
    pub(super) index: usize,
    /// The entries, and nothing else.
    pub(super) found: FlakeHosts,
    /// The names that the fleet knows it by.
    pub(super) names: Vec<String>,
}

/// The use of a register for one host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// None is seen.
    None,
    /// An expression takes the entry of whichever host it is evaluated for.
    Any,
    /// An expression names the entry.
    Named,
}

impl Register {
    pub(super) fn line(&self) -> usize {
        let set = self.found.sets.first();
        let start = set.map_or(0, |set| node_range(&set.container).start);
        Position::at(&self.file.text, start).line
    }

    /// Returns the name that the fleet knows it by, for messages.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("the set", String::as_str)
    }

    /// Returns the use of the register for a host.
    pub(super) fn find_use(&self, sources: &Sources<'_>, host: &str) -> Use {
        let mut uses = Use::None;
        for name in &self.names {
            // parsing takes time in a large fleet
            let words = [
                format!("{name}.{host}"),
                format!("{name}.\""),
                format!("{name}.${{"),
                format!(").{host}"),
                ").${".to_owned(),
                "getAttr".to_owned(),
            ];
            let has_word = |text: &str| {
                text.contains(name.as_str()) && words.iter().any(|word| text.contains(word))
            };
            for file in sources.files_that(has_word) {
                let found = use_in_file(&file.root, name, host);
                uses = uses.max(found);
                if found == Use::None && is_used_by_function(sources, &file, name, host) {
                    uses = uses.max(Use::Named);
                }
            }
        }
        uses
    }
}

/// Finds the registers that have an entry for nearly each of these hosts.
pub(super) fn find_registers(sources: &Sources<'_>, hosts: &[String]) -> Vec<Register> {
    let hosts: Vec<&String> = hosts.iter().filter(|host| !is_image(host)).collect();
    if hosts.len() < 2 {
        return Vec::new();
    }
    let mut registers = Vec::new();
    let has_most = |text: &str| has_most(&hosts, |host| text.contains(host));
    for file in sources.files_that(has_most) {
        for (index, found) in list_in_file(sources, &file, &hosts).into_iter().enumerate() {
            let Some(set) = found.sets.first() else {
                continue;
            };
            let names = names_of(sources, &file, &set.container);
            if names.iter().any(|name| OUTPUTS.contains(&name.as_str())) {
                continue;
            }
            registers.push(Register {
                file: Rc::clone(&file),
                index,
                found,
                names,
            });
        }
    }
    registers
}

/// Returns whether a register has enough of the hosts: all, or three quarters of many.
fn has_most(hosts: &[&String], has: impl Fn(&str) -> bool) -> bool {
    const MANY: usize = 8;
    let count = hosts.iter().filter(|host| has(host)).count();
    count == hosts.len() || (hosts.len() >= MANY && count * 4 >= hosts.len() * 3)
}

/// Returns the sets of a file that have an entry for nearly each host.
pub(super) fn list_in_file(
    sources: &Sources<'_>,
    file: &SourceFile,
    hosts: &[&String],
) -> Vec<FlakeHosts> {
    let sets = file
        .root
        .descendants()
        .filter_map(|node| cast::<ast::AttrSet>(&node));
    let is_register = |set: &ast::AttrSet| {
        let names = list_names(set);
        has_most(hosts, |host| names.iter().any(|name| name == host))
    };
    let of_hosts = sets.filter(is_register).map(|set| {
        let node = untyped(&set);
        let mut found = search_entries(&node, &[], Context::new(sources));
        found.hosts.retain(|host| host.container == node);
        found.sets.retain(|set| set.container == node);
        found.obstacles.clear();
        found.into_argument()
    });
    of_hosts.take(MAX_REGISTERS).collect()
}

/// Returns the names of the entries with a value of their own.
fn list_names(set: &ast::AttrSet) -> Vec<String> {
    let entries = set.attrpath_values();
    let names = entries.filter_map(|entry| match entry_path(&entry).as_slice() {
        [(name, _)] => name.clone(),
        _ => None,
    });
    names.collect()
}

/// Returns the names that a set is known by: that of the attribute or the variable that it is the
/// value of, and for a file's only set those that other files bind it to.
fn names_of(sources: &Sources<'_>, file: &SourceFile, set: &SyntaxNode) -> Vec<String> {
    const GENERAL: [&str; 4] = ["default", "value", "config", "content"];
    let around = set.ancestors().skip(1);
    let mut entries = around.filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let name = entries.find_map(|entry| {
        let (name, _) = entry_path(&entry).pop()?;
        name.filter(|name| !GENERAL.contains(&name.as_str()))
    });
    let is_whole = file_expression(file).is_some_and(|file| untyped(&function_body(&file)) == *set);
    if !is_whole {
        return name.into_iter().collect();
    }
    let path = file.path.trim_end_matches("/default.nix");
    let stem = path.rsplit('/').next().unwrap_or(path);
    let mut names = Vec::new();
    let is_named = |text: &str| text.contains("import") && text.contains(&format!("/{stem}"));
    for other in sources.files_that(is_named) {
        let entries = other.root.descendants();
        for entry in entries.filter_map(|node| cast::<ast::AttrpathValue>(&node)) {
            let is_import = entry
                .value()
                .is_some_and(|value| imports(sources, &value, file));
            let name = entry_path(&entry).pop().and_then(|(name, _)| name);
            names.extend(name.filter(|name| is_import && !GENERAL.contains(&name.as_str())));
        }
    }
    names.push(stem.trim_end_matches(".nix").to_owned());
    names.dedup();
    names
}

/// Returns whether an expression imports a file.
fn imports(sources: &Sources<'_>, value: &ast::Expr, file: &SourceFile) -> bool {
    let ast::Expr::Apply(call) = value else {
        return false;
    };
    let (function, arguments) = call_parts(call);
    let is_import = function_name(&function).is_some_and(|name| name == "import");
    let opened = arguments.first().filter(|_| is_import);
    let opened = opened.and_then(|path| sources.open_import(path));
    opened.is_some_and(|opened| opened.is_ok_and(|opened| opened.path == file.path))
}

/// Returns the use of the set `name` for a host, in one file.
fn use_in_file(root: &SyntaxNode, name: &str, host: &str) -> Use {
    let mut uses = Use::None;
    for node in root.descendants() {
        let found = match node.kind() {
            SyntaxKind::NODE_SELECT => cast(&node).and_then(|node| use_of(&node, name, host)),
            SyntaxKind::NODE_APPLY => cast(&node).and_then(|node| use_of_get(&node, name)),
            _ => None,
        };
        uses = uses.max(found.unwrap_or(Use::None));
    }
    uses
}

/// Returns whether a function of a file takes the entry with the name that it gets, and is called
/// with the host's: `address = name: hosts.${name}.ip` and `address "web01"`.
fn is_used_by_function(sources: &Sources<'_>, file: &SourceFile, set: &str, host: &str) -> bool {
    let selects = file.root.descendants();
    let selects = selects.filter_map(|node| cast::<ast::Select>(&node));
    let mut functions = selects.filter_map(|select| {
        let is_set = last_name(&select.expr()?).as_deref() == Some(set);
        let key = untyped(&select.attrpath()?.attrs().next()?);
        let key = key.text().to_string();
        let variable = key.strip_prefix("${")?.strip_suffix('}')?;
        let of_argument = |node: SyntaxNode| {
            let lambda = cast::<ast::Lambda>(&node)?;
            let is_argument = lambda.param()?.to_string() == variable;
            let entry = cast::<ast::AttrpathValue>(&node.parent().filter(|_| is_argument)?)?;
            entry_path(&entry).pop()?.0
        };
        let function = untyped(&select).ancestors().find_map(of_argument)?;
        (is_set && select.default_expr().is_none()).then_some(function)
    });
    functions.any(|function| {
        let call = format!("{function} \"{host}\"");
        !sources.files_that(|text| text.contains(&call)).is_empty()
    })
}

/// Returns the use of the set by a selection such as `hosts.web01.ip` or `hosts.${hostname}`.
fn use_of(select: &ast::Select, name: &str, host: &str) -> Option<Use> {
    if select.default_expr().is_some() {
        return None;
    }
    let first = last_name(&select.expr()?);
    let attributes: Vec<ast::Attr> = select.attrpath()?.attrs().collect();
    let mut before = first;
    for attribute in attributes {
        let text = attribute_name(&attribute);
        if before.as_deref() == Some(name) {
            match &text {
                Some(text) if text == host => return Some(Use::Named),
                None if is_host_name(&untyped(&attribute)) => return Some(Use::Any),
                _ => {}
            }
        }
        before = text;
    }
    None
}

/// Returns the use of the set by `getAttr hostname hosts`.
fn use_of_get(call: &ast::Apply, name: &str) -> Option<Use> {
    let (function, arguments) = call_parts(call);
    let [key, set] = arguments.as_slice() else {
        return None;
    };
    let is_get = function_name(&function)? == "getAttr" && last_name(set)? == name;
    (is_get && is_host_name(&untyped(key))).then_some(Use::Any)
}

fn last_name(expression: &ast::Expr) -> Option<String> {
    match expression {
        ast::Expr::Paren(paren) => last_name(&paren.expr()?),
        ast::Expr::Apply(call) => match call_parts(call).1.as_slice() {
            [ast::Expr::PathRel(path)] => {
                let text = path.to_string();
                let text = text
                    .trim_end_matches("/default.nix")
                    .trim_end_matches(".nix");
                text.rsplit('/').next().map(str::to_owned)
            }
            _ => None,
        },
        other => function_name(other),
    }
}

/// Returns whether a computed name is that of the host that is evaluated.
fn is_host_name(key: &SyntaxNode) -> bool {
    let text = key.text().to_string().to_lowercase();
    text.contains("hostname") || text.contains("host.name") || text.contains("networking.host")
}
