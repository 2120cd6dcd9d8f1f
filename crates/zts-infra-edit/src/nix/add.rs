//! Adds a host to an output of a flake.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::Wanted;
use super::discovery::{Discovery, find_discovery};
use super::expression::literal_string;
use super::files::{FleetFiles, SourceFile, Sources};
use super::flake_hosts::{FlakeHosts, HostEntry, HostSet, SetKind};
use super::insertion::{HostInsertion, choose_insertion};
use super::learn::learn_value;
use super::locate::{CONFIGURATIONS, locate_hosts};
use super::name::format_name;
use super::parse::{
    cast, node_range, parse_source, significant_tokens, sole_expression, string_ranges,
};
use super::plain::plain_value;
use super::search::Context;
use super::siblings::find_siblings;
use super::unsupported::cannot_add;
use crate::error::{Error, FileError, Language, Position};
use crate::text::reindent;

/// A host to add, and its value.
#[derive(Clone, Copy, Debug)]
pub struct NewHost<'a> {
    /// The name.
    pub name: &'a str,
    /// The text of the value; `None` to learn it from the other hosts.
    pub value: Option<&'a str>,
    /// The address with its prefix length, for the places where the other hosts have theirs.
    pub address: Option<&'a str>,
    /// The file or folder with the configuration of a flake's first host, from the fleet's root.
    pub module: &'a str,
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The host exists.
    Existing,
    /// The value was given.
    Given,
    /// The host is a name in a list.
    Name,
    /// The value is like that of this host.
    Learnt(String),
    /// The flake had no host.
    First,
    /// The flake finds its hosts in a folder, and needs no entry.
    Discovered(Discovery),
}

/// An edited file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// The path from the fleet's root.
    pub path: String,
    /// The new text.
    pub text: String,
}

/// The result of an addition.
#[derive(Clone, Debug)]
pub struct Addition {
    /// The edit; `None` if the host exists.
    pub edit: Option<FileEdit>,
    /// The text of the entry's value.
    pub value: String,
    /// The origin of the value.
    pub origin: Origin,
}

/// Locates the hosts in the output at the path `output`.
pub(super) fn open_output(
    sources: &Sources<'_>,
    flake: &str,
    output: &[&str],
) -> Result<(std::rc::Rc<SourceFile>, FlakeHosts), FileError> {
    let opened = sources.open(flake).unwrap_or_else(|| {
        let entry = "the file".to_owned();
        Err(Error::Missing { entry })
    });
    let file = opened.map_err(|error| FileError {
        file: flake.to_owned(),
        error,
    })?;
    let found = locate_hosts(&file, output, Context::new(sources));
    Ok((file, found))
}

/// Returns the folder in which the flake finds its hosts, if it has more of them than the flake has
/// entries.
pub(super) fn discover(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
    found: &FlakeHosts,
) -> Option<Discovery> {
    if output != [CONFIGURATIONS] {
        return None;
    }
    find_discovery(sources, flake, found)
        .filter(|discovery| found.sets.is_empty() || discovery.hosts.len() > found.hosts.len())
}

/// Adds a host to the output at the path `output`.
pub(super) fn add_to_output(
    files: &dyn FleetFiles,
    flake: &str,
    output: &[&str],
    host: &NewHost<'_>,
) -> Result<Addition, FileError> {
    let sources = Sources::new(files);
    let (file, found) = open_output(&sources, flake, output)?;
    let in_file = |node: &SyntaxNode| sources.file_of(node).unwrap_or_else(|| file.clone());
    let given = host.value.map(|text| NewValue::parse(host.name, text));
    let given = given.transpose().map_err(|error| at(&file, error))?;
    if let Some(existing) = found.find_host(host.name) {
        let place = in_file(&existing.entry);
        let learnt = || {
            let mut others = found.clone();
            others.hosts.retain(|other| other.name != host.name);
            choose_value(&sources, &file, &place, &others, output, host).map(|(value, _)| value)
        };
        let expected = given.map_or_else(learnt, Ok);
        return check_existing(existing, expected.ok().as_ref(), &place, output, host);
    }
    if let Some(discovery) = discover(&sources, &file, output, &found) {
        return Ok(Addition {
            edit: None,
            value: String::new(),
            origin: Origin::Discovered(discovery),
        });
    }
    let set = found.choose_set(given.is_some());
    let place = set.map_or_else(|| file.clone(), |set| in_file(&set.container));
    let (value, origin) = match given {
        Some(_) if set.is_some_and(|set| has_only_names(&found, set)) => {
            name_in_list(&place, host)?
        }
        Some(value) => (value, Origin::Given),
        None => choose_value(&sources, &file, &place, &found, output, host)?,
    };
    let refused = || {
        let node = found.obstacles.first().map(|obstacle| &obstacle.node);
        let place = node.map_or_else(|| file.clone(), in_file);
        at(
            &place,
            cannot_add(&place.text, &found, output, host.name, &value.text),
        )
    };
    let insertion = choose_insertion(&place.text, &found, set, host.name).ok_or_else(refused)?;
    let is_list = set.is_some_and(|set| set.kind == SetKind::List);
    let text = insert_value(&place.text, is_list, host.name, &value, &insertion);
    let edit = FileEdit {
        path: place.path.clone(),
        text,
    };
    verify_result(files, flake, output, host, &value, set, &edit)
        .then_some(())
        .ok_or_else(refused)?;
    Ok(Addition {
        edit: Some(edit),
        value: value.text,
        origin,
    })
}

fn at(file: &SourceFile, error: Error) -> FileError {
    FileError {
        file: file.path.clone(),
        error,
    }
}

/// Accepts an existing host whose value is the expected one.
fn check_existing(
    existing: &HostEntry,
    expected: Option<&NewValue>,
    place: &SourceFile,
    output: &[&str],
    host: &NewHost<'_>,
) -> Result<Addition, FileError> {
    let is_name = cast::<ast::Str>(&existing.entry).is_some();
    let tokens = existing.value.as_ref().map(significant_tokens);
    if is_name || (tokens.is_some() && tokens.as_ref() == expected.map(|value| &value.tokens)) {
        return Ok(Addition {
            edit: None,
            value: existing
                .value
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            origin: Origin::Existing,
        });
    }
    let error = Error::Exists {
        entry: format!("`{}` in `{}`", host.name, output.join(".")),
        position: Position::at(&place.text, node_range(&existing.attribute).start),
    };
    Err(at(place, error))
}

/// Learns the value from the other hosts, or makes that of a first host.
fn choose_value(
    sources: &Sources<'_>,
    flake: &SourceFile,
    place: &SourceFile,
    found: &FlakeHosts,
    output: &[&str],
    host: &NewHost<'_>,
) -> Result<(NewValue, Origin), FileError> {
    let set = found.choose_set(false);
    if set.is_some_and(|set| has_only_names(found, set)) {
        return name_in_list(place, host);
    }
    let siblings = find_siblings(sources, found, set);
    let new = |text: &str| NewValue::parse(host.name, text).map_err(|error| at(place, error));
    if set.is_none() && !found.obstacles.is_empty() {
        let text = plain_value(flake, place, host.module);
        let text = text.unwrap_or_else(|| "nixpkgs.lib.nixosSystem { }".to_owned());
        return Ok((new(&text)?, Origin::First));
    }
    let wanted = Wanted {
        name: host.name,
        address: host.address,
    };
    let is_first = siblings.is_empty() && !set.is_some_and(|set| set.is_argument);
    let plain = is_first.then(|| plain_value(flake, place, host.module));
    if let Some(text) = plain.flatten() {
        return Ok((new(&text)?, Origin::First));
    }
    let node = set.map_or(&place.root, |set| &set.container);
    let lesson = learn_value(&siblings, wanted).map_err(|candidates| {
        let error = Error::Individual {
            set: output.join("."),
            position: Position::at(&place.text, node_range(node).start),
            candidates,
        };
        at(place, error)
    })?;
    Ok((new(&lesson.text)?, Origin::Learnt(lesson.like)))
}

fn insert_value(
    source: &str,
    is_list: bool,
    name: &str,
    value: &NewValue,
    place: &HostInsertion,
) -> String {
    let insertion = &place.insertion;
    let text = reindent(
        &value.text,
        &insertion.indent,
        &insertion.line_break,
        &value.strings,
    );
    let entry = if is_list {
        text
    } else {
        format!(
            "{}{} = {text};",
            place.prefix,
            format_name(name, place.quoted)
        )
    };
    insertion.insert(source, &entry)
}

/// Returns whether a set is a list of nothing but names.
fn has_only_names(found: &FlakeHosts, set: &HostSet) -> bool {
    let mut elements = found
        .hosts
        .iter()
        .filter(|host| host.container == set.container);
    set.kind == SetKind::List && elements.all(|host| host.value.is_none())
}

fn name_in_list(place: &SourceFile, host: &NewHost<'_>) -> Result<(NewValue, Origin), FileError> {
    let name = format_name(host.name, true);
    let value = NewValue::parse(host.name, &name).map_err(|error| at(place, error))?;
    Ok((value, Origin::Name))
}

/// A parsed value of a new host.
pub(super) struct NewValue {
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

/// Returns whether the result parses, and the host has its value.
fn verify_result(
    files: &dyn FleetFiles,
    flake: &str,
    output: &[&str],
    host: &NewHost<'_>,
    value: &NewValue,
    set: Option<&HostSet>,
    edit: &FileEdit,
) -> bool {
    let edits = [(edit.path.clone(), edit.text.clone())].into();
    let overlay = super::files::Overlay {
        below: files,
        edits,
    };
    let sources = Sources::new(&overlay);
    let Ok((_, found)) = open_output(&sources, flake, output) else {
        return false;
    };
    let Some(host) = found.find_host(host.name) else {
        return false;
    };
    let is_value = |node: &SyntaxNode| significant_tokens(node) == value.tokens;
    let is_name = || {
        let string = cast::<ast::Str>(&host.entry);
        string.and_then(|string| literal_string(&string)).is_some()
    };
    host.value.as_ref().map_or_else(
        || set.is_some_and(|set| set.kind == SetKind::List) && is_name(),
        is_value,
    )
}
