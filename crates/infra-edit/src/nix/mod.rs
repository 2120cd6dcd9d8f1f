//! The hosts in a flake's `nixosConfigurations`.
//!
//! Read and edited are: a set (`nixosConfigurations = { … }`, also `rec`, empty, or on one line), dotted entries
//! (`nixosConfigurations.web01 = …`), both inside `let … in`, unions (`//`), the outputs of flake-parts
//! (`flake.nixosConfigurations`), and a set that is bound by `let` and used or inherited by name.
//!
//! Sets that a function computes (`genAttrs`, `mapAttrs`, a helper) are [`Error::Unsupported`]: the error names the line
//! and shows what to add by hand.

mod depth;
mod expression;
mod found;
mod locate;
mod name;
mod parse;
mod plan;
mod refuse;
mod remove;
mod scope;
mod search;

use rnix::{SyntaxKind, SyntaxNode, ast};

use crate::error::{Error, Language, Position};
use crate::text::reindent;
use locate::locate;

/// Whether `source` is a valid Nix expression; not whether it evaluates.
///
/// # Errors
///
/// [`Error::Parse`] with the place where it stops being valid.
pub fn check(source: &str) -> Result<(), Error> {
    parse::parse(source).map(|_| ())
}

/// The names of the hosts in `nixosConfigurations`, in the order of the file; none where the flake has no such output.
///
/// Of a union with a computed part, those that are written out.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] where all hosts are computed.
pub fn configurations(source: &str) -> Result<Vec<String>, Error> {
    let root = parse::parse(source)?;
    let found = locate(&root);
    if let (true, Some(obstacle)) = (found.sites.is_empty(), found.obstacles.first()) {
        return Err(refuse::reading(source, obstacle));
    }
    let mut names: Vec<String> = Vec::new();
    for host in found.hosts {
        if !names.contains(&host.name) {
            names.push(host.name);
        }
    }
    Ok(names)
}

/// The function that `value` calls, such as `mkHost`, where nothing in the source can have defined it: its name does not
/// occur there, no `with` may bring it, and it is none of Nix's own.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn undefined_function(source: &str, value: &str) -> Result<Option<String>, Error> {
    const OF_NIX: [&str; 7] = [
        "abort",
        "builtins",
        "derivation",
        "import",
        "map",
        "removeAttrs",
        "throw",
    ];
    let source = parse::parse(source)?;
    let value = parse::parse(value)?;
    let called = parse::cast::<ast::Root>(&value)
        .and_then(|root| root.expr())
        .and_then(|value| expression::first_variable(&value));
    let brings_more = |node: SyntaxNode| node.kind() == SyntaxKind::NODE_WITH;
    Ok(called.filter(|name| {
        !OF_NIX.contains(&name.as_str())
            && !expression::mentions(&source, name)
            && !source.descendants().any(brings_more)
    }))
}

/// The source with one more host in `nixosConfigurations`.
///
/// `value` is the text of a Nix expression, such as `mkHost "web01"`; it may have many lines, indented relative to column
/// 0. Sorted hosts stay sorted; otherwise the new one goes after the last. A host that is there with an equal value
/// (whatever its layout) gives the source back unchanged.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Invalid`] for a `value` that is no expression; [`Error::Exists`] for a host that is there
/// with another value; [`Error::Unsupported`] for a flake that cannot take an entry.
pub fn add_configuration(source: &str, host: &str, value: &str) -> Result<String, Error> {
    let root = parse::parse(source)?;
    let value = Value::parse(host, value)?;
    let found = locate(&root);
    if let Some(there) = found.host(host) {
        let equal = there
            .value
            .as_ref()
            .is_some_and(|node| parse::meaning(node) == value.meaning);
        return if equal {
            Ok(source.to_owned())
        } else {
            Err(Error::Exists {
                what: format!("`{host}` in `nixosConfigurations`"),
                position: Position::at(source, parse::range(&there.attribute).start),
            })
        };
    }
    let Some(plan) = plan::plan(source, &found, host) else {
        return Err(refuse::adding(source, &found, host, &value.text));
    };
    let text = reindent(
        &value.text,
        &plan.place.indent,
        &plan.place.line_break,
        &value.strings,
    );
    let entry = format!(
        "{}{} = {text};",
        plan.prefix,
        name::write(host, plan.quoted)
    );
    let result = plan.place.insert(source, &entry);
    verify(&result, host, &value)?;
    Ok(result)
}

/// The source without `host`; unchanged where the host is not there.
///
/// The entry goes with the comment on its line. What was added by [`add_configuration`] goes without a trace.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] for a host that is named in a part that a function computes.
pub fn remove_configuration(source: &str, host: &str) -> Result<String, Error> {
    remove::remove(source, host)
}

/// The expression that a new host gets.
struct Value {
    text: String,
    meaning: Vec<String>,
    strings: Vec<std::ops::Range<usize>>,
}

impl Value {
    fn parse(host: &str, text: &str) -> Result<Self, Error> {
        let invalid = |message: String| Error::Invalid {
            what: format!("the flake entry of `{host}`"),
            language: Language::Nix,
            message,
        };
        let text = text.trim();
        let root = parse::parse(text).map_err(|error| invalid(error.without_language()))?;
        let expression = parse::whole_expression(&root, text)
            .ok_or_else(|| invalid("it begins or ends with a comment".to_owned()))?;
        Ok(Self {
            text: text.to_owned(),
            meaning: parse::meaning(&expression),
            strings: parse::strings(&expression),
        })
    }
}

/// The last look before a result leaves: it parses, and the host is there with its value.
fn verify(result: &str, host: &str, value: &Value) -> Result<(), Error> {
    let root = parse::parse(result)?;
    let found = locate(&root);
    let there = found.host(host).and_then(|host| host.value.as_ref());
    if there.is_some_and(|node| parse::meaning(node) == value.meaning) {
        return Ok(());
    }
    Err(refuse::adding(result, &found, host, &value.text))
}
