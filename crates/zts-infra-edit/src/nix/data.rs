//! Hosts in a file of data that the flake reads, such as `hosts.toml`.

use std::collections::BTreeSet;

use rnix::SyntaxNode;
use rnix::ast;

use super::call::function_name;
use super::expression::{call_parts, literal_string};
use super::files::{FleetFiles, Overlay, Sources};
use super::flake_hosts::DataHosts;
use super::new_host::{ANY_ADDRESS, Addition, FileEdit, NewHost};
use super::origin::Origin;
use super::parse::{cast, untyped};
use super::scope::{Binding, resolve_variable, value_of};
use super::unsupported::add_to_data_by_hand;
use crate::error::{Error, FileError, Position};
use crate::vms::{self, Learnt, MapPlace, NewMachine, Notation};

/// Returns the hosts at a path in the file that a call reads, such as `builtins.fromTOML
/// (builtins.readFile ./hosts.toml)`; `None` for any other call.
pub(super) fn read_hosts(
    sources: &Sources<'_>,
    call: &ast::Apply,
    path: &[&str],
) -> Option<Result<DataHosts, FileError>> {
    let (file, notation) = file_of_call(sources, call)?;
    let text = sources.files.read(&file)?;
    let place = MapPlace {
        notation,
        path: path.iter().map(|name| (*name).to_owned()).collect(),
    };
    Some(match vms::list_vms(&text, &place) {
        Ok(hosts) => Ok(DataHosts {
            file,
            place,
            names: hosts.into_iter().map(|host| host.name).collect(),
            words: Vec::new(),
        }),
        Err(error) => Err(FileError { file, error }),
    })
}

/// Selects the hosts as the predicate of `filterAttrs` does, if the call is one of it.
pub(super) fn filter_hosts(sources: &Sources<'_>, call: &ast::Apply, data: &mut [DataHosts]) {
    let (function, arguments) = call_parts(call);
    let is_filter = function_name(&function).is_some_and(|name| name == "filterAttrs");
    if let Some(predicate) = arguments.first().filter(|_| is_filter) {
        for one in data {
            select_hosts(sources, one, &untyped(predicate));
        }
    }
}

/// Keeps the hosts whose entries have the words of a predicate, such as `"nixos"` of `lib.elem
/// "nixos" host.roles`.
fn select_hosts(sources: &Sources<'_>, data: &mut DataHosts, predicate: &SyntaxNode) {
    let strings = predicate
        .descendants()
        .filter_map(|node| cast::<ast::Str>(&node));
    let words = strings.filter_map(|string| literal_string(&string));
    data.words.extend(words);
    let text = sources.files.read(&data.file).unwrap_or_default();
    let has_words = |name: &String| has_words(&text, data, name);
    let names = data.names.iter().filter(|name| has_words(name)).cloned();
    data.names = names.collect();
}

/// Returns whether the entry of a host has the words that the flake selects it by.
fn has_words(text: &str, data: &DataHosts, name: &str) -> bool {
    let entry = vms::entry_text(text, &data.place, name).unwrap_or_default();
    data.words.iter().all(|word| entry.contains(word.as_str()))
}

/// Returns the file of data that an expression has its hosts from.
pub(super) fn find_data_file(sources: &Sources<'_>, node: &SyntaxNode) -> Option<String> {
    let here = first_file(sources, node);
    here.or_else(|| {
        let mut variables = node
            .descendants()
            .filter_map(|node| cast::<ast::Ident>(&node));
        variables.find_map(|variable| {
            let name = variable.to_string();
            match resolve_variable(&name, &untyped(&variable)) {
                Binding::Entry(scope) => first_file(sources, &untyped(&value_of(&scope, &name)?)),
                Binding::Argument | Binding::Unknown => None,
            }
        })
    })
}

fn first_file(sources: &Sources<'_>, node: &SyntaxNode) -> Option<String> {
    let mut calls = node
        .descendants()
        .filter_map(|node| cast::<ast::Apply>(&node));
    calls.find_map(|call| Some(file_of_call(sources, &call)?.0))
}

/// Returns the file that a call reads as data, if it names one.
pub(super) fn file_of_call(sources: &Sources<'_>, call: &ast::Apply) -> Option<(String, Notation)> {
    let notation = match function_name(&call_parts(call).0)?.as_str() {
        "fromTOML" | "importTOML" => Notation::Toml,
        "fromJSON" | "importJSON" => Notation::Json,
        // Nix reads no YAML itself: each fleet has a function of its own
        name if name.to_lowercase().contains("yaml") => Notation::Yaml,
        _ => return None,
    };
    let mut paths = untyped(call)
        .descendants()
        .filter_map(|node| cast::<ast::PathRel>(&node));
    let path = sources.literal_path(&ast::Expr::PathRel(paths.next()?))?;
    Some((path, notation))
}

/// Adds a host to a file of data, with an entry like those of the others.
pub(super) fn add_to_data(
    files: &dyn FleetFiles,
    data: &DataHosts,
    host: &NewHost<'_>,
) -> Result<Addition, FileError> {
    if data.names.iter().any(|name| name == host.name) {
        return Ok(Addition {
            edit: None,
            file: data.file.clone(),
            value: String::new(),
            origin: Origin::Existing,
        });
    }
    let text = files.read(&data.file).unwrap_or_default();
    let is_any = host.address == Some(ANY_ADDRESS);
    let (body, assumed) = match learn_entry(&text, data, host)? {
        Learnt::Body(body, assumed) => (body, assumed),
        Learnt::Missing(values) if !is_any => {
            let host = host.name.to_owned();
            return Err(at(data, Error::Values { host, values }));
        }
        Learnt::Missing(_) | Learnt::NoModel => (String::new(), Vec::new()),
    };
    let text =
        vms::add_vm(&text, &data.place, host.name, &body).map_err(|error| at(data, error))?;
    if !is_any && !has_words(&text, data, host.name) {
        return Err(at(data, not_selected(host.name, data)));
    }
    Ok(Addition {
        edit: Some(FileEdit {
            path: data.file.clone(),
            text,
        }),
        file: data.file.clone(),
        value: String::new(),
        origin: Origin::Data(assumed),
    })
}

fn at(data: &DataHosts, error: Error) -> FileError {
    FileError {
        file: data.file.clone(),
        error,
    }
}

/// Learns the entry of a host from those of the others in the text of the file.
fn learn_entry(text: &str, data: &DataHosts, host: &NewHost<'_>) -> Result<Learnt, FileError> {
    let like = match host.like {
        [] if !data.words.is_empty() => data.names.as_slice(),
        like => like,
    };
    let elsewhere: BTreeSet<String> = host.values.keys().cloned().collect();
    let new = NewMachine {
        host: host.name,
        address: host.address,
        values: host.values,
        elsewhere: &elsewhere,
        like,
        joins_lists: true,
    };
    vms::learn_entry(text, &data.place, &new).map_err(|mut error| {
        if let Error::Unsupported { manual_edit, .. } = &mut error {
            *manual_edit = add_to_data_by_hand(&data.file);
        }
        at(data, error)
    })
}

/// Returns the error for an entry that the flake would not take as a host.
fn not_selected(host: &str, data: &DataHosts) -> Error {
    let words: Vec<String> = data.words.iter().map(|word| format!("`{word}`")).collect();
    Error::Unsupported {
        problem: format!(
            "cannot add `{host}`: the flake takes only entries with {}, and none of the other hosts shows where",
            words.join(" and ")
        ),
        position: Position { line: 1, column: 1 },
        manual_edit: add_to_data_by_hand(&data.file),
    }
}

/// Removes a host from the files of data, in the edits of `files`.
pub(super) fn remove_from_data(
    files: &mut Overlay<'_>,
    data: &[DataHosts],
    host: &str,
) -> Result<(), FileError> {
    for data in data {
        let text = files.read(&data.file).unwrap_or_default();
        let rest = vms::remove_vm(&text, &data.place, host).map_err(|error| at(data, error))?;
        if rest != text {
            files.edits.insert(data.file.clone(), rest);
        }
    }
    Ok(())
}
