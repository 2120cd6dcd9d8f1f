//! The settings of a module of NixOS, in the files of its host.

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::expression::{concatenated_lists, inner_expression};
use super::parse::{cast, parse_source, untyped};
use super::scope::entry_path;

/// Returns whether a setting is about the disks of a machine.
pub(super) fn is_of_disks(key: &str) -> bool {
    const SETTINGS: [&str; 4] = ["fileSystems", "swapDevices", "disko", "boot.initrd.luks"];
    SETTINGS.iter().any(|setting| {
        key.strip_prefix(setting)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Returns whether a value is that of a setting, which a host may lack: no part of the module's
/// frame, and no argument of a call.
pub(super) fn is_setting(value: &SyntaxNode) -> bool {
    let entry = value.parent().filter(|entry| {
        let set = entry.parent().map(|set| set.kind());
        entry.kind() == SyntaxKind::NODE_ATTRPATH_VALUE && set == Some(SyntaxKind::NODE_ATTR_SET)
    });
    let mut around = value.ancestors().skip(1);
    let is_argument = around.any(|node| node.kind() == SyntaxKind::NODE_APPLY);
    entry.is_some() && !is_frame(value.kind()) && !is_argument
}

/// Returns whether a value of this kind is a part of a module's frame.
fn is_frame(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        SyntaxKind::NODE_LAMBDA
            | SyntaxKind::NODE_ATTR_SET
            | SyntaxKind::NODE_LET_IN
            | SyntaxKind::NODE_WITH
            | SyntaxKind::NODE_LIST
    )
}

/// Returns whether a value is that of `imports`.
pub(super) fn is_imports(value: &SyntaxNode) -> bool {
    attribute_of(value).as_deref() == Some("imports")
}

/// Returns whether a value is that of the name of a host.
pub(super) fn is_host_name(value: &SyntaxNode) -> bool {
    attribute_of(value).is_some_and(|name| name.to_lowercase() == "hostname")
}

/// Returns whether a value is a node of deploy-rs or of colmena, not a configuration.
pub(super) fn is_deployed(value: &SyntaxNode) -> bool {
    let text = value.text().to_string();
    ["profiles", "deployment"]
        .iter()
        .any(|word| text.contains(word))
}

/// Returns whether the attribute of a value is the address of a host.
pub(super) fn is_address_of_host(value: &SyntaxNode) -> bool {
    const KEYS: [&str; 9] = [
        "ip",
        "ipv4",
        "ipv6",
        "addr",
        "address",
        "ipaddress",
        "hostname",
        "host",
        "targethost",
    ];
    attribute_of(value).is_some_and(|name| KEYS.contains(&name.to_lowercase().as_str()))
}

/// Returns the last name of the attribute with a value.
fn attribute_of(value: &SyntaxNode) -> Option<String> {
    let entry = cast::<ast::AttrpathValue>(&value.parent()?)?;
    entry_path(&entry).pop()?.0
}

/// Returns the lists that `++` joins, also those of a `with`.
pub(super) fn joined_lists(value: &SyntaxNode) -> Vec<SyntaxNode> {
    let mut lists = Vec::new();
    if let Some(value) = cast::<ast::Expr>(value) {
        collect_lists(&value, &mut lists);
    }
    lists
}

fn collect_lists(value: &ast::Expr, lists: &mut Vec<SyntaxNode>) {
    let value = inner_expression(value);
    if let Some((left, right)) = concatenated_lists(&value) {
        collect_lists(&left, lists);
        collect_lists(&right, lists);
        return;
    }
    match &value {
        ast::Expr::List(list) => lists.push(untyped(list)),
        ast::Expr::With(with) => {
            if let Some(body) = with.body() {
                collect_lists(&body, lists);
            }
        }
        _ => {}
    }
}

/// Returns whether a text sets anything: an attribute with a value that is neither a set, a
/// function nor an empty list.
pub(super) fn sets_anything(text: &str) -> bool {
    let Ok(root) = parse_source(text) else {
        return false;
    };
    let entries = root.descendants();
    let entries = entries.filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let mut values = entries.filter_map(|entry| entry.value());
    values.any(|value| match &value {
        ast::Expr::AttrSet(_) | ast::Expr::Lambda(_) | ast::Expr::LetIn(_) => false,
        ast::Expr::List(_) | ast::Expr::With(_) | ast::Expr::BinOp(_) => {
            let lists = joined_lists(&untyped(&value));
            lists.is_empty() || lists.iter().any(|list| list.children().next().is_some())
        }
        _ => true,
    })
}
