//! The names of hosts in a list.

use rnix::ast::{self, HasEntry};

use super::expression::{call_parts, inner_expression, literal_string};
use super::name::{attribute_name, is_system};

/// Returns whether all elements of a list are names of hosts, or have one.
pub(super) fn lists_hosts(list: &ast::List) -> bool {
    let mut items = list.items().peekable();
    items.peek().is_some()
        && items.all(|item| {
            element_name(&item).is_some_and(|(name, _)| !is_system(&name) && !name.contains('/'))
        })
}

/// Returns the name of a host in a list, and its string: the element itself, its attribute `name`,
/// or the first string of a call.
pub(super) fn element_name(element: &ast::Expr) -> Option<(String, ast::Str)> {
    let string = match inner_expression(element) {
        ast::Expr::Str(string) => string,
        ast::Expr::AttrSet(set) => name_in_set(&set)?,
        ast::Expr::Apply(call) => first_name(&call).or_else(|| {
            let mut arguments = call_parts(&call).1.into_iter();
            arguments.find_map(|argument| match inner_expression(&argument) {
                ast::Expr::AttrSet(set) => name_in_set(&set),
                _ => None,
            })
        })?,
        _ => return None,
    };
    Some((literal_string(&string)?, string))
}

/// Returns the string of the attribute `name` and the like. That of a builder of Nix, in
/// `nix.buildMachines`, makes no host.
fn name_in_set(set: &ast::AttrSet) -> Option<ast::Str> {
    const KEYS: [&str; 4] = ["name", "hostname", "hostName", "host"];
    const OF_BUILDERS: [&str; 3] = ["maxJobs", "speedFactor", "publicHostKey"];
    let names = set.attrpath_values();
    let mut names = names.filter_map(|entry| attribute_name(&entry.attrpath()?.attrs().next()?));
    if names.any(|name| OF_BUILDERS.contains(&name.as_str())) {
        return None;
    }
    set.attrpath_values().find_map(|entry| {
        let mut attributes = entry.attrpath()?.attrs();
        let name = attribute_name(&attributes.next()?)?;
        match entry.value()? {
            ast::Expr::Str(string) if KEYS.contains(&name.as_str()) => Some(string),
            _ => None,
        }
    })
}

/// Returns the first string of a call that is not a system.
fn first_name(call: &ast::Apply) -> Option<ast::Str> {
    let is_name = |string: &ast::Str| !literal_string(string).is_some_and(|text| is_system(&text));
    let arguments = call_parts(call).1.into_iter();
    let mut strings = arguments.filter_map(|argument| match argument {
        ast::Expr::Str(string) => Some(string),
        _ => None,
    });
    strings.find(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nix::parse::{cast, parse_source};

    #[test]
    fn builders_are_no_hosts() {
        let name_of = |source: &str| {
            let root = parse_source(source).unwrap();
            let expression = cast::<ast::Root>(&root).and_then(|root| root.expr());
            expression.and_then(|element| Some(element_name(&element)?.0))
        };
        for (element, name) in [
            (
                "{ hostName = \"web01\"; system = \"x86_64-linux\"; }",
                Some("web01"),
            ),
            ("{ hostName = \"web01\"; maxJobs = 4; }", None),
            ("(mkHost \"web01\")", Some("web01")),
        ] {
            assert_eq!(name_of(element).as_deref(), name, "{element}");
        }
    }
}
