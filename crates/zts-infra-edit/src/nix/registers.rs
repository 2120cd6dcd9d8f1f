//! Adds a host to the sets that have an entry for each host, and removes it from them.

use std::collections::BTreeSet;
use std::rc::Rc;

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{Replacement, own_address, parse_ip, render_node};
use super::add::{Target, find_address, insert_value};
use super::expression::literal_string;
use super::files::{FleetFiles, Overlay, SourceFile, Sources};
use super::flake_hosts::FlakeHosts;
use super::individual::{is_image, is_of_machine};
use super::insertion::choose_insertion;
use super::name::format_name;
use super::network::is_of_other_network;
use super::new_host::{ANY_ADDRESS, NewHost};
use super::new_value::NewValue;
use super::origin::Origin;
use super::parse::{cast, node_range};
use super::register::{Register, Use, find_registers, list_in_file};
use super::register_values::{MissingValues, given_value, model_of};
use super::remove::Removal;
use super::scalars::{list_scalars, scalar_text};
use crate::error::{Error, FileError, ManualEdit, MissingValue, Position};
use crate::notice::{check_notice, check_notice_of_removal};
use crate::text::line_indent;

/// An entry that is like that of the most typical host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypicalEntry {
    /// The file with the set.
    pub file: String,
    /// The name of the set.
    pub set: String,
    /// The most typical host.
    pub like: String,
}

/// The result of the additions to registers.
#[derive(Default)]
pub(super) struct Completion {
    pub(super) typical: Vec<TypicalEntry>,
    /// The registers that nothing shows a need for: file and line.
    pub(super) others: BTreeSet<(String, usize)>,
}

/// Adds a host to the registers that an expression takes its entry of. `hosts` are the others.
pub(super) fn add_to_registers(
    files: &mut Overlay<'_>,
    flake: &str,
    hosts: &[String],
    host: &NewHost<'_>,
) -> Result<Completion, FileError> {
    let mut completion = Completion::default();
    let mut missing = MissingValues::default();
    loop {
        let edit = {
            let sources = Sources::new(files);
            let Some(Ok(flake)) = sources.open(flake) else {
                return Ok(completion);
            };
            let lacking = find_registers(&sources, hosts).into_iter();
            let lacking = lacking.filter(|one| one.found.find_host(host.name).is_none());
            let (needed, others): (Vec<_>, Vec<_>) =
                lacking.partition(|one| one.find_use(&sources, host.name) != Use::None);
            completion.others = others
                .iter()
                .map(|one| (one.file.path.clone(), one.line()))
                .collect();
            let Some(register) = needed.first() else {
                break;
            };
            let value = match learn_entry(&sources, &flake, register, host) {
                Ok((value, origin)) => {
                    completion.note_origin(register, origin);
                    value
                }
                Err(error) => missing.note(register, host.name, error)?,
            };
            insert(&sources, register, hosts, host, &value)?
        };
        files.edits.extend([edit]);
    }
    missing.into_result(host.name).map(|()| completion)
}

impl Completion {
    /// Notes the entry of a register that is like that of the most typical host.
    fn note_origin(&mut self, register: &Register, origin: Origin) {
        if let Origin::Typical { like, .. } = origin {
            self.typical.push(TypicalEntry {
                file: register.file.path.clone(),
                set: register.name().to_owned(),
                like,
            });
        }
    }
}

/// Learns the entry of a host in a register.
fn learn_entry(
    sources: &Sources<'_>,
    flake: &Rc<SourceFile>,
    register: &Register,
    host: &NewHost<'_>,
) -> Result<(NewValue, Origin), FileError> {
    let output = [register.name()];
    let learn = |host: &NewHost<'_>| {
        let target = Target {
            sources,
            flake,
            output: &output,
            host,
        };
        target.choose_value(&register.found, &register.file)
    };
    let learnt = learn(host);
    let asks = |failure: &FileError| matches!(failure.error, Error::Values { .. });
    if learnt.as_ref().map_or_else(asks, |_| true) {
        return learnt;
    }
    let at_register = |error: Error| FileError {
        file: register.file.path.clone(),
        error,
    };
    let with_address = NewHost {
        address: Some(ANY_ADDRESS),
        ..*host
    };
    if learn(&with_address).is_ok() {
        let (host, values) = (host.name.to_owned(), vec![MissingValue::address()]);
        return Err(at_register(Error::Values { host, values }));
    }
    let given = given_value(register, host);
    given
        .unwrap_or_else(|| Err(needs_entry(register, host.name, host.address)))
        .map_err(at_register)
}

/// Returns the error for a register whose entries have too little in common.
fn needs_entry(register: &Register, host: &str, address: Option<&str>) -> Error {
    let text = &register.file.text;
    let example = model_of(register).map_or_else(String::new, |model| {
        let indent = line_indent(text, node_range(&model.entry).start);
        let values = example_values((&model.entry, &register.file.path), address);
        render_node(&model.entry, &values, (&model.name, host), indent)
    });
    let set = register.found.sets.first();
    let start = set.map_or(0, |set| node_range(&set.container).start);
    let name = register.name();
    Error::Unsupported {
        problem: format!(
            "`{name}` has an entry for each host, and `{host}` needs one with values of its own"
        ),
        position: Position::at(text, start),
        manual_edit: ManualEdit::Other(format!(
            "add one such as this to `{name}` by hand, with the values of `{host}`, then run the same command \
             again:\n\n{example}"
        )),
    }
}

/// Returns the replacements of the values of one machine: its address by that of the host, and
/// others, such as keys, by a word.
fn example_values((entry, file): (&SyntaxNode, &str), address: Option<&str>) -> Vec<Replacement> {
    let strings = entry.descendants().filter(|node| {
        let string = cast::<ast::Str>(node);
        let text = string.and_then(|string| literal_string(&string));
        text.is_some_and(|text| is_of_machine(&text))
    });
    let replace = |node: SyntaxNode| {
        let text = literal_string(&cast::<ast::Str>(&node)?)?;
        let addresses: Vec<_> = parse_ip(&text).into_iter().collect();
        let is_own =
            !addresses.is_empty() && !is_of_other_network((&node, file), &addresses, address);
        let own = own_address(text.contains('/'), address).filter(|_| is_own);
        Some(Replacement {
            range: node_range(&node),
            text: format!("\"{}\"", own.as_deref().unwrap_or("VALUE")),
        })
    };
    strings.filter_map(replace).collect()
}

/// Inserts the entry, and checks the result.
fn insert(
    sources: &Sources<'_>,
    register: &Register,
    hosts: &[String],
    host: &NewHost<'_>,
    value: &NewValue,
) -> Result<(String, String), FileError> {
    let (file, found) = (&register.file, &register.found);
    let entry = format!("{} = {};", format_name(host.name, false), value.text);
    check_notice(&file.text, &entry).map_err(|error| FileError {
        file: file.path.clone(),
        error,
    })?;
    let insertion = choose_insertion(&file.text, found, found.sets.first(), host.name);
    let text = insertion.map(|place| insert_value(&file.text, false, host.name, value, &place));
    let is_valid = |text: &String| {
        let overlay = Overlay {
            below: sources.files,
            edits: [(file.path.clone(), text.clone())].into(),
        };
        let sources = Sources::new(&overlay);
        let again = find_again(&sources, &file.path, register.index, hosts);
        again.is_some_and(|found| {
            let added = found.find_host(host.name);
            added.is_some_and(|added| value.is_value_of(added))
        })
    };
    match text.filter(is_valid) {
        Some(text) => Ok((file.path.clone(), text)),
        None => Err(FileError {
            file: file.path.clone(),
            error: needs_entry(register, host.name, host.address),
        }),
    }
}

/// Finds a register again by its place among those of its file.
fn find_again(
    sources: &Sources<'_>,
    path: &str,
    index: usize,
    hosts: &[String],
) -> Option<FlakeHosts> {
    let file = sources.open(path)?.ok()?;
    let hosts: Vec<&String> = hosts.iter().filter(|host| !is_image(host)).collect();
    list_in_file(sources, &file, &hosts).into_iter().nth(index)
}

/// Returns the registers that have a host, and that an expression takes an entry of: files and
/// places. `hosts` are the others.
pub(super) fn list_used(
    files: &dyn FleetFiles,
    hosts: &[String],
    host: &str,
) -> BTreeSet<(String, usize)> {
    let sources = Sources::new(files);
    let registers = find_registers(&sources, hosts).into_iter();
    let is_used = |register: &Register| {
        let mut names = hosts.iter().map(String::as_str).chain([host]);
        names.any(|name| register.find_use(&sources, name) != Use::None)
    };
    let with_host = registers.filter(|one| one.found.find_host(host).is_some());
    let used = with_host.filter(is_used);
    used.map(|one| (one.file.path.clone(), one.index)).collect()
}

/// Removes the entries of a host from these registers that are as an addition would make them.
/// `hosts` are the others.
pub(super) fn remove_from_registers(
    files: &mut Overlay<'_>,
    flake: &str,
    hosts: &[String],
    host: &str,
    mut used: BTreeSet<(String, usize)>,
) {
    while !used.is_empty() {
        let edit = {
            let sources = Sources::new(files);
            let Some(Ok(flake)) = sources.open(flake) else {
                return;
            };
            let registers = find_registers(&sources, hosts).into_iter();
            let mut with_host = registers.filter(|one| {
                let place = (one.file.path.clone(), one.index);
                one.found.find_host(host).is_some() && used.contains(&place)
            });
            let Some(register) = with_host.next() else {
                return;
            };
            let place = (register.file.path.clone(), register.index);
            let removed = remove(&sources, files, &flake, &register, hosts, host);
            removed.ok_or(place)
        };
        match edit {
            Ok(edit) => files.edits.extend([edit]),
            Err(place) => drop(used.remove(&place)),
        }
    }
}

fn remove(
    sources: &Sources<'_>,
    files: &Overlay<'_>,
    flake: &Rc<SourceFile>,
    register: &Register,
    hosts: &[String],
    host: &str,
) -> Option<(String, String)> {
    let entry = register.found.find_host(host)?;
    check_notice_of_removal(&register.file.text, host).ok()?;
    let mut others = register.found.clone();
    others.hosts.retain(|other| other.name != host);
    let without = Register {
        file: Rc::clone(&register.file),
        found: others,
        names: register.names.clone(),
        ..*register
    };
    let address = find_address(entry);
    let mut own = entry.value.as_ref().map(list_scalars).unwrap_or_default();
    let whole = entry.value.as_ref().and_then(scalar_text);
    own.extend(whole.map(|text| (register.name().to_owned(), text)));
    let new = NewHost {
        name: host,
        value: None,
        address: address.as_deref(),
        like: &[],
        system: None,
        module: "",
        values: &own,
    };
    let (value, _) = learn_entry(sources, flake, &without, &new).ok()?;
    if !value.is_value_of(entry) {
        return None;
    }
    let search =
        |sources: &Sources<'_>| find_again(sources, &register.file.path, register.index, hosts);
    let removal = Removal {
        files,
        search: &search,
        found: &register.found,
        host: entry,
        place: &register.file,
    };
    Some((register.file.path.clone(), removal.remove_entry()?))
}
