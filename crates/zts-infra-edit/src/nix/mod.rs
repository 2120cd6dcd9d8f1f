//! The hosts in a flake's `nixosConfigurations`.
//!
//! These shapes can be read and edited: a set (`nixosConfigurations = { … }`, also `rec`, empty, or
//! on one line), dotted entries (`nixosConfigurations.web01 = …`), both inside `let … in`, unions
//! (`//`), the outputs of flake-parts (`flake.nixosConfigurations`), and a set that is bound by
//! `let` and used or inherited by name.
//!
//! A set that a function computes (`genAttrs`, `mapAttrs`, a helper) is [`Error::Unsupported`]. The
//! error names the line and the lines to add by hand.

mod expression;
mod flake_hosts;
mod insertion;
mod locate;
mod name;
mod nesting;
mod parse;
mod remove;
mod scope;
mod search;
mod unsupported;

use rnix::{SyntaxKind, SyntaxNode, ast};

use crate::error::{Error, Language, Position};
use crate::text::reindent;
use expression::{first_variable, mentions_name};
use insertion::choose_insertion;
use locate::locate_hosts;
use name::format_name;
use parse::{cast, node_range, parse_source, significant_tokens, sole_expression, string_ranges};
use unsupported::{cannot_add, cannot_list};

/// Checks that `source` is a valid Nix expression, without evaluating it.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn check_syntax(source: &str) -> Result<(), Error> {
    parse_source(source).map(drop)
}

/// Lists the hosts in `nixosConfigurations`, in the order of the file; none if the flake has no
/// such output.
///
/// Of a union with a computed part, only the literal hosts are listed.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if all hosts are computed.
pub fn list_configurations(source: &str) -> Result<Vec<String>, Error> {
    let root = parse_source(source)?;
    let found = locate_hosts(&root);
    if let (true, Some(obstacle)) = (found.sets.is_empty(), found.obstacles.first()) {
        return Err(cannot_list(source, obstacle));
    }
    let mut names: Vec<String> = Vec::new();
    for host in found.hosts {
        if !names.contains(&host.name) {
            names.push(host.name);
        }
    }
    Ok(names)
}

/// Returns the function that `value` calls, such as `mkHost`, if it cannot be defined: its name
/// does not occur in the source, no `with` can bring it into scope, and it is not a builtin.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn undefined_function(source: &str, value: &str) -> Result<Option<String>, Error> {
    const BUILTINS: [&str; 7] = [
        "abort",
        "builtins",
        "derivation",
        "import",
        "map",
        "removeAttrs",
        "throw",
    ];
    let source = parse_source(source)?;
    let value = parse_source(value)?;
    let called = cast::<ast::Root>(&value)
        .and_then(|root| root.expr())
        .and_then(|value| first_variable(&value));
    let is_with = |node: SyntaxNode| node.kind() == SyntaxKind::NODE_WITH;
    Ok(called.filter(|name| {
        !BUILTINS.contains(&name.as_str())
            && !mentions_name(&source, name)
            && !source.descendants().any(is_with)
    }))
}

/// Adds a host to `nixosConfigurations`, and returns the new source.
///
/// `value` is the text of a Nix expression, such as `mkHost "web01"`. It may have several lines,
/// indented relative to column 0. Sorted hosts stay sorted; otherwise the new one follows the last.
/// The source stays unchanged if the host exists with an equal value, in any layout.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Invalid`] for a `value` that is not an expression; [`Error::Exists`]
/// for a host that exists with another value; [`Error::Unsupported`] for a flake that cannot take
/// an entry.
pub fn add_configuration(source: &str, host: &str, value: &str) -> Result<String, Error> {
    let root = parse_source(source)?;
    let value = NewValue::parse(host, value)?;
    let found = locate_hosts(&root);
    if let Some(existing) = found.find_host(host) {
        let is_equal = existing
            .value
            .as_ref()
            .is_some_and(|node| significant_tokens(node) == value.tokens);
        return if is_equal {
            Ok(source.to_owned())
        } else {
            Err(Error::Exists {
                entry: format!("`{host}` in `nixosConfigurations`"),
                position: Position::at(source, node_range(&existing.attribute).start),
            })
        };
    }
    let Some(place) = choose_insertion(source, &found, host) else {
        return Err(cannot_add(source, &found, host, &value.text));
    };
    let text = reindent(
        &value.text,
        &place.insertion.indent,
        &place.insertion.line_break,
        &value.strings,
    );
    let entry = format!(
        "{}{} = {text};",
        place.prefix,
        format_name(host, place.quoted)
    );
    let result = place.insertion.insert(source, &entry);
    verify_result(&result, host, &value)?;
    Ok(result)
}

/// Removes `host`, and returns the new source; the same one if the host does not exist.
///
/// The comment on the entry's line is removed, too. The removal reverts [`add_configuration`]
/// exactly.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] for a host that a computed part of the flake names.
pub fn remove_configuration(source: &str, host: &str) -> Result<String, Error> {
    remove::remove_configuration(source, host)
}

/// The value of a new host.
struct NewValue {
    text: String,
    tokens: Vec<String>,
    strings: Vec<std::ops::Range<usize>>,
}

impl NewValue {
    fn parse(host: &str, text: &str) -> Result<Self, Error> {
        let invalid = |message: String| Error::Invalid {
            value: format!("the flake entry of `{host}`"),
            language: Language::Nix,
            message,
        };
        let text = text.trim();
        let root = parse_source(text).map_err(|error| invalid(error.message_without_language()))?;
        let expression = sole_expression(&root, text)
            .ok_or_else(|| invalid("it begins or ends with a comment".to_owned()))?;
        Ok(Self {
            text: text.to_owned(),
            tokens: significant_tokens(&expression),
            strings: string_ranges(&expression),
        })
    }
}

/// Checks that the result parses, and that the host has its value.
fn verify_result(result: &str, host: &str, value: &NewValue) -> Result<(), Error> {
    let root = parse_source(result)?;
    let found = locate_hosts(&root);
    let actual = found.find_host(host).and_then(|host| host.value.as_ref());
    if actual.is_some_and(|node| significant_tokens(node) == value.tokens) {
        return Ok(());
    }
    Err(cannot_add(result, &found, host, &value.text))
}
