//! The hosts in a flake's `nixosConfigurations`.
//!
//! These shapes can be read and edited: a set (`nixosConfigurations = { … }`, also `rec`, empty, or
//! on one line), dotted entries (`nixosConfigurations.web01 = …`), unions (`//`), the outputs and
//! the imported modules of flake-parts, and a set that is bound by `let` or imported from another
//! file of the fleet. The hosts may also be the argument of a function: the set of `mapAttrs` or of
//! a fleet's own function, the list of `genAttrs` and `listToAttrs`, `hosts` of flake-utils-plus,
//! lite-config and easy-hosts.
//!
//! The value of a new host is given, or learnt from the other hosts. A flake that finds its hosts
//! by reading a folder needs no entry ([`Origin::Discovered`]).
//!
//! Any other computed set is [`Error::Unsupported`]. The error names the line and the lines to add
//! by hand.

mod abstraction;
mod add;
mod asked_values;
mod call;
mod common_text;
mod context;
mod data;
mod definers;
mod discovery;
mod elements;
mod expression;
mod files;
mod flake_hosts;
mod flake_parts;
mod folders;
mod guess;
mod head;
mod host_files;
mod imports;
mod individual;
mod insertion;
mod learn;
mod lesson;
mod like_paths;
mod literals;
mod locate;
mod members;
mod merge;
mod merge_sets;
mod missing_files;
mod module;
mod name;
mod nesting;
mod network;
mod new_host;
mod new_value;
mod only_host;
mod open;
mod origin;
mod output;
mod own_files;
mod own_variables;
mod parse;
mod paths;
mod places;
mod plain;
mod register;
mod register_groups;
mod register_values;
mod registers;
mod registry;
mod remove;
mod scalars;
mod scope;
mod search;
mod settings;
mod short_names;
mod siblings;
mod system;
mod undefined;
mod unsupported;

use rnix::{SyntaxKind, SyntaxNode, ast};

use crate::error::{Error, FileError};
use expression::{first_variable, mentions_name};
use files::{SingleFile, Sources};
use open::{discover, open_output};
use parse::parse_source;
use places::{displace_host, main_output, place_host};
use unsupported::cannot_list;

pub use abstraction::rename_path;
pub use definers::is_module;
pub use discovery::Discovery;
pub use expression::literal_string;
pub use files::{FleetFiles, is_nix_file};
pub use head::{Head, attribute_paths, called_files, read_head};
pub use imports::{CommonImport, common_imports};
pub use literals::{Literal, list_literals};
pub use name::{attribute_name, format_name};
pub use new_host::{ANY_ADDRESS, FileEdit, NewHost};
pub use origin::Origin;
pub use own_files::{OwnFiles, learn_data_file, learn_own_files};
pub use parse::{cast, node_range, untyped};
pub use paths::{ends_path, is_flake, named_paths, resolve_path, text_paths};
pub use places::{Placement, Removal, add_import};
pub use registers::TypicalEntry;
pub use short_names::short_names;
pub use system::replace_system;
pub use undefined::{UndefinedEntry, undefined_entries};

/// Checks that `source` is a valid Nix expression, without evaluating it.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn check_syntax(source: &str) -> Result<(), Error> {
    parse_source(source).map(drop)
}

/// Lists the hosts in `nixosConfigurations`, in the order of the search; none if the flake has no
/// such output.
///
/// Of a union with a computed part, only the literal hosts are listed.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if all hosts are computed.
pub fn list_hosts(files: &dyn FleetFiles, flake: &str) -> Result<Vec<String>, FileError> {
    let output = main_output(files, flake)?;
    let sources = Sources::new(files);
    let (file, found) = open_output(&sources, flake, output)?;
    if let Some(discovery) = discover(&sources, &file, output, &found) {
        return Ok(discovery.hosts);
    }
    let is_read = !found.sets.is_empty() || !found.data.is_empty();
    if let (false, Some(obstacle)) = (is_read, found.obstacles.first()) {
        let place = sources.file_of(&obstacle.node).unwrap_or(file);
        return Err(FileError {
            error: cannot_list(&place.text, output, obstacle),
            file: place.path.clone(),
        });
    }
    Ok(found.names())
}

/// Lists the hosts of a flake without other files. See [`list_hosts`].
///
/// # Errors
///
/// As [`list_hosts`]
pub fn list_configurations(source: &str) -> Result<Vec<String>, Error> {
    list_hosts(&SingleFile(source), SingleFile::PATH).map_err(|error| error.error)
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

/// Adds a host to `nixosConfigurations`, in the file of `files` where its hosts are, and to the
/// outputs that have an entry for at least half of the hosts: `deploy.nodes`, the nodes of colmena,
/// the machines of a clan.
///
/// Sorted hosts stay sorted; otherwise the new one follows the last. Nothing is edited if the host
/// exists with an equal value, in any layout.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Invalid`] for a value that is not an expression; [`Error::Exists`]
/// for a host that exists with another value; [`Error::Individual`] if no value can be learnt;
/// [`Error::Unsupported`] for a flake that cannot take an entry.
pub fn add_host(
    files: &dyn FleetFiles,
    flake: &str,
    host: &NewHost<'_>,
) -> Result<Placement, FileError> {
    place_host(files, flake, host)
}

/// Adds a host to a flake without other files, and returns the new source. See [`add_host`].
///
/// `value` is the text of a Nix expression, such as `mkHost "web01"`. It may have several lines,
/// indented relative to column 0.
///
/// # Errors
///
/// As [`add_host`]
pub fn add_configuration(source: &str, host: &str, value: &str) -> Result<String, Error> {
    let host = NewHost {
        name: host,
        value: Some(value),
        address: None,
        like: &[],
        system: None,
        module: "",
        values: new_host::NO_VALUES,
    };
    let added = add_host(&SingleFile(source), SingleFile::PATH, &host);
    let edits = added.map_err(|error| error.error)?.edits;
    Ok(sole_text(source, edits))
}

/// Removes `host` from `nixosConfigurations` and the other outputs; no file is edited if the host
/// does not exist.
///
/// The comment on the entry's line is removed, too. The removal reverts [`add_host`] exactly.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] for a host that a computed part of the flake names.
pub fn remove_host(files: &dyn FleetFiles, flake: &str, host: &str) -> Result<Removal, FileError> {
    displace_host(files, flake, host)
}

/// Removes `host` from a flake without other files, and returns the new source. See
/// [`remove_host`].
///
/// # Errors
///
/// As [`remove_host`]
pub fn remove_configuration(source: &str, host: &str) -> Result<String, Error> {
    let removed = remove_host(&SingleFile(source), SingleFile::PATH, host);
    let edits = removed.map_err(|error| error.error)?.edits;
    Ok(sole_text(source, edits))
}

fn sole_text(source: &str, mut edits: Vec<FileEdit>) -> String {
    edits
        .pop()
        .map_or_else(|| source.to_owned(), |edit| edit.text)
}
