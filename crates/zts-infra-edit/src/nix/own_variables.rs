//! The variables of one host beside its entry: `let web01Modules = [ … ]; in { web01 = …; }`.

use rnix::SyntaxNode;
use rnix::{NodeOrToken, SyntaxKind, ast};

use super::members::indent_of;
use super::parse::{cast, node_range, parse_source, sole_expression, untyped};
use super::scope::{Binding, resolve_variable, value_of};

/// The limit of definitions inside of definitions.
const MAX_DEPTH: usize = 3;

/// Returns a value with the definitions of the variables that are named after its host in their
/// place, because a new host has no such variables.
pub(super) fn with_own_variables(value: SyntaxNode, host: &str) -> SyntaxNode {
    let own = |node: &SyntaxNode| definition_of(node, host).is_some();
    if !value.descendants().any(|node| own(&node)) {
        return value;
    }
    let text = render(&value, host, MAX_DEPTH);
    let root = parse_source(&text).ok();
    let inlined = root.and_then(|root| sole_expression(&root, &text));
    inlined.unwrap_or(value)
}

fn render(value: &SyntaxNode, host: &str, depth: usize) -> String {
    let definition = definition_of(value, host).filter(|_| depth > 0);
    if let Some(definition) = definition {
        let text = render(&definition, host, depth - 1);
        let outer = format!("\n{}", indent_of(value));
        let text = text.replace(&format!("\n{}", indent_of(&definition)), &outer);
        return if needs_parentheses(value, &definition) {
            format!("({text})")
        } else {
            text
        };
    }
    let parts = value.children_with_tokens().map(|part| match part {
        NodeOrToken::Node(node) => render(&node, host, depth),
        NodeOrToken::Token(token) => token.text().to_owned(),
    });
    parts.collect()
}

/// Returns the definition of a variable in the same file that is named after the host.
fn definition_of(node: &SyntaxNode, host: &str) -> Option<SyntaxNode> {
    const NAMES: [SyntaxKind; 4] = [
        SyntaxKind::NODE_ATTRPATH,
        SyntaxKind::NODE_INHERIT,
        SyntaxKind::NODE_PAT_ENTRY,
        SyntaxKind::NODE_IDENT_PARAM,
    ];
    let variable = cast::<ast::Ident>(node)?.to_string();
    let is_name = variable == host;
    if NAMES.contains(&node.parent()?.kind()) || !(is_name || is_named_after(&variable, host)) {
        return None;
    }
    let Binding::Entry(scope) = resolve_variable(&variable, node) else {
        return None;
    };
    // in a recursive set, it is the host itself
    if is_name && scope.kind() != SyntaxKind::NODE_LET_IN {
        return None;
    }
    let definition = untyped(&value_of(&scope, &variable)?);
    // `nixosSystem` is no variable of a host that is called `nixos`
    if definition.kind() == SyntaxKind::NODE_LAMBDA {
        return None;
    }
    // a variable that is defined by itself
    let is_inside = node_range(&definition).contains(&node_range(node).start);
    (!is_inside).then_some(definition)
}

/// Returns whether a variable has the name of a host as a part, in any case and without its
/// hyphens: `worker1Modules` and `modulesWorker1` of `worker-1`.
fn is_named_after(variable: &str, host: &str) -> bool {
    const SHORTEST: usize = 3;
    let host: String = host.chars().filter(|letter| is_letter(*letter)).collect();
    let starts = variable.char_indices().map(|(start, _)| start);
    let mut ends = starts.filter_map(|start| Some((start, end_of_name(variable, start, &host)?)));
    host.len() >= SHORTEST && ends.any(|(start, end)| end - start < variable.len())
}

/// Returns the end of a host's name that starts a word of a variable there.
fn end_of_name(variable: &str, start: usize, host: &str) -> Option<usize> {
    let (before, rest) = (&variable[..start], &variable[start..]);
    let begins = !before.ends_with(is_letter) || rest.starts_with(|one: char| one.is_uppercase());
    let mut wanted = host.chars();
    let mut next = wanted.next();
    for (index, letter) in rest.char_indices() {
        match next {
            None => {
                let continues = letter.is_ascii_lowercase() || letter.is_ascii_digit();
                return (begins && !continues).then_some(start + index);
            }
            Some(one) if one.eq_ignore_ascii_case(&letter) => next = wanted.next(),
            Some(_) if index > 0 && !is_letter(letter) => {}
            Some(_) => return None,
        }
    }
    (begins && next.is_none()).then_some(variable.len())
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
}

/// Returns whether a definition needs parentheses in the place of its variable.
fn needs_parentheses(variable: &SyntaxNode, definition: &SyntaxNode) -> bool {
    let is_alone = variable.parent().is_none_or(|parent| {
        matches!(
            parent.kind(),
            SyntaxKind::NODE_ATTRPATH_VALUE | SyntaxKind::NODE_PAREN
        )
    });
    let is_closed = matches!(
        definition.kind(),
        SyntaxKind::NODE_ATTR_SET
            | SyntaxKind::NODE_IDENT
            | SyntaxKind::NODE_LIST
            | SyntaxKind::NODE_PAREN
            | SyntaxKind::NODE_PATH_REL
            | SyntaxKind::NODE_SELECT
            | SyntaxKind::NODE_STRING
    );
    !is_alone && !is_closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_after_hosts_with_word_borders() {
        assert!(is_named_after("worker1Modules", "worker-1"));
        assert!(is_named_after("modulesWorker1", "worker-1"));
        assert!(is_named_after("web_modules", "web"));
        assert!(!is_named_after("worker11Modules", "worker1"));
        assert!(!is_named_after("website", "web"));
        assert!(!is_named_after("web", "web"));
    }
}
