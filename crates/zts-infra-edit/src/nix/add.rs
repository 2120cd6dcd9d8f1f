//! Adds a host to an output of a flake.

use std::rc::Rc;

use rnix::ast;
use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{MARK, Wanted, parse_ip, rename_segments};
use super::data::{add_to_data, find_data_file};
use super::expression::literal_string;
use super::files::{FleetFiles, Overlay, SourceFile, Sources};
use super::flake_hosts::{FlakeHosts, HostEntry, HostSet, SetKind};
use super::guess::{find_file_to_copy, find_folder_to_copy};
use super::insertion::{HostInsertion, choose_insertion};
use super::learn::learn_value;
use super::lesson::{Sibling, Unlearnt};
use super::locate::CONFIGURATIONS;
use super::name::format_name;
use super::new_host::{ANY_ADDRESS, Addition, FileEdit, NewHost};
use super::new_value::NewValue;
use super::open::{discover, open_output};
use super::origin::Origin;
use super::output::{COLMENA, HIVE};
use super::parse::{cast, node_range};
use super::plain::{plain_value, relative_path};
use super::scalars::list_scalars;
use super::siblings::{
    find_siblings, is_in_own_file, keep_like, prefer_sets_with_files, prefer_system, unify_tails,
};
use super::system::{replace_system, with_system};
use super::unsupported::{
    add_to_data_by_hand, cannot_add, copy_file_by_hand, copy_folder_by_hand, file_of_one_host,
    hosts_elsewhere,
};
use crate::error::{Error, FileError, ManualEdit, Position};
use crate::notice::check_notice;
use crate::text::reindent;

/// Adds a host to the output at the path `output`.
pub(super) fn add_to_output(
    files: &dyn FleetFiles,
    flake: &str,
    output: &[&str],
    host: &NewHost<'_>,
) -> Result<Addition, FileError> {
    let sources = Sources::new(files);
    let (file, found) = open_output(&sources, flake, output)?;
    let found = prefer_sets_with_files(&sources, prefer_system(found, host.system));
    let target = Target {
        sources: &sources,
        flake: &file,
        output,
        host,
    };
    let given = host.value.map(|text| NewValue::parse(host.name, text));
    let given = given.transpose().map_err(|error| at(&file, error))?;
    if let Some(existing) = found.find_host(host.name) {
        return target.check_existing(&found, existing, given);
    }
    if let Some(discovery) = discover(&sources, &file, output, &found) {
        return Ok(Addition {
            edit: None,
            file: String::new(),
            value: String::new(),
            origin: Origin::Discovered(discovery),
        });
    }
    if let (true, None, Some(data)) = (found.sets.is_empty(), &given, found.data.first()) {
        return add_to_data(files, data, host);
    }
    if let Some(other) = file_that_makes_hosts(&sources, &file, &found).filter(|_| given.is_none())
    {
        return Err(at(&other, hosts_elsewhere(host.name, output)));
    }
    target.add_to_set(&found, given)
}

/// The output that a host is added to.
pub(super) struct Target<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) flake: &'a Rc<SourceFile>,
    pub(super) output: &'a [&'a str],
    pub(super) host: &'a NewHost<'a>,
}

impl Target<'_> {
    fn file_of(&self, node: &SyntaxNode) -> Rc<SourceFile> {
        let file = self.sources.file_of(node);
        file.unwrap_or_else(|| Rc::clone(self.flake))
    }

    /// Adds the host to the set with the other hosts. Learns its value if none is given.
    fn add_to_set(
        &self,
        found: &FlakeHosts,
        given: Option<NewValue>,
    ) -> Result<Addition, FileError> {
        let set = found.choose_set(given.is_some());
        let place = set.map_or_else(|| self.flake.clone(), |set| self.file_of(&set.container));
        let name = self.host.name;
        let is_new = |set: &&HostSet| {
            let path = &self.file_of(&set.container).path;
            rename_segments(path, name, MARK) != *path
        };
        // a file of the new host, which is not there yet, is no model
        let other = || found.sets.iter().find(|set| !is_new(set));
        if let Some(model) = set.filter(|set| !is_new(set)).or_else(other) {
            let file = self.file_of(&model.container);
            if let Some(error) = file_of_one_host(found, model, &file, name) {
                return Err(at(&file, error));
            }
        }
        let (value, origin) = match given {
            Some(_) if set.is_some_and(|set| has_only_names(found, set)) => {
                name_in_list(&place, self.host)?
            }
            Some(value) => (value, Origin::Given),
            None => self.choose_value(found, &place)?,
        };
        let edit = self.insert(found, set, &place, &value)?;
        Ok(Addition {
            file: edit.path.clone(),
            edit: Some(edit),
            value: value.text,
            origin,
        })
    }

    /// Accepts an existing host whose value is the given one, or the one that would be learnt.
    fn check_existing(
        &self,
        found: &FlakeHosts,
        existing: &HostEntry,
        given: Option<NewValue>,
    ) -> Result<Addition, FileError> {
        let place = self.file_of(&existing.entry);
        let expected = given.or_else(|| self.learn_anew(found, existing, &place));
        let is_name = matches!(
            existing.entry.kind(),
            SyntaxKind::NODE_STRING | SyntaxKind::NODE_PATH_REL
        );
        let is_known = is_name || is_in_own_file(self.sources, existing);
        if is_known || expected.is_some_and(|value| value.is_value_of(existing)) {
            return Ok(Addition {
                edit: None,
                file: place.path.clone(),
                value: existing
                    .value
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string),
                origin: Origin::Existing,
            });
        }
        let error = Error::Exists {
            entry: format!("`{}` in `{}`", self.host.name, self.output.join(".")),
            position: Position::at(&place.text, node_range(&existing.attribute).start),
        };
        Err(at(&place, error))
    }

    /// Learns the value of an existing host from the others, as if it did not exist.
    fn learn_anew(
        &self,
        found: &FlakeHosts,
        existing: &HostEntry,
        place: &SourceFile,
    ) -> Option<NewValue> {
        let mut others = found.clone();
        others.hosts.retain(|other| other.name != self.host.name);
        let address = find_address(existing);
        let is_any = self.host.address == Some(ANY_ADDRESS);
        let mut values = existing
            .value
            .as_ref()
            .map(list_scalars)
            .unwrap_or_default();
        values.extend(self.host.values.clone());
        let host = NewHost {
            address: address.as_deref().filter(|_| is_any).or(self.host.address),
            values: &values,
            ..*self.host
        };
        let target = Target {
            host: &host,
            ..*self
        };
        let value = target.choose_value(&others, place);
        value.ok().map(|(value, _)| value)
    }

    /// Inserts the host in the file `place`, and checks the result.
    fn insert(
        &self,
        found: &FlakeHosts,
        set: Option<&HostSet>,
        place: &SourceFile,
        value: &NewValue,
    ) -> Result<FileEdit, FileError> {
        let name = self.host.name;
        let is_edited = set.is_some() || found.obstacles.is_empty();
        if is_edited {
            let entry = format!("{} = {};", format_name(name, false), value.text);
            check_notice(&place.text, &entry).map_err(|error| at(place, error))?;
        }
        let edit = choose_insertion(&place.text, found, set, name).map(|insertion| {
            let is_list = set.is_some_and(|set| set.kind == SetKind::List);
            FileEdit {
                path: place.path.clone(),
                text: insert_value(&place.text, is_list, name, value, &insertion),
            }
        });
        edit.filter(|edit| self.is_valid(edit, value))
            .ok_or_else(|| {
                let node = found.obstacles.first().map(|obstacle| &obstacle.node);
                let place = node.map_or_else(|| Rc::clone(self.flake), |node| self.file_of(node));
                let mut error = cannot_add(&place.text, found, self.output, name, &value.text);
                let by_hand = node.and_then(|node| self.find_edit_by_hand(found, node));
                if let (Some(edit), Error::Unsupported { manual_edit, .. }) = (by_hand, &mut error)
                {
                    *manual_edit = edit;
                }
                at(&place, error)
            })
    }

    /// Returns the instruction for hosts that an expression has from a file of data or a folder.
    fn find_edit_by_hand(&self, found: &FlakeHosts, node: &SyntaxNode) -> Option<ManualEdit> {
        if let Some(data) = find_data_file(self.sources, node) {
            return Some(add_to_data_by_hand(&data));
        }
        let is_main = self.output == [CONFIGURATIONS] && found.hosts.is_empty();
        let host = self.host.name;
        let file = find_file_to_copy(self.sources, host).filter(|_| is_main);
        if let Some(copy) = find_folder_to_copy(self.sources).filter(|_| is_main) {
            return Some(copy_folder_by_hand(&copy, file.as_ref(), host));
        }
        let (like, copy) = file?;
        Some(copy_file_by_hand(&like, &copy, host))
    }

    /// Returns whether the result parses, and the host has its value.
    fn is_valid(&self, edit: &FileEdit, value: &NewValue) -> bool {
        let edits = [(edit.path.clone(), edit.text.clone())].into();
        let overlay = Overlay {
            below: self.sources.files,
            edits,
        };
        let sources = Sources::new(&overlay);
        open_output(&sources, &self.flake.path, self.output).is_ok_and(|(_, found)| {
            let host = found.find_host(self.host.name);
            host.is_some_and(|host| value.is_value_of(host))
        })
    }

    /// Learns the value from the other hosts, or makes that of a first host.
    pub(super) fn choose_value(
        &self,
        found: &FlakeHosts,
        place: &SourceFile,
    ) -> Result<(NewValue, Origin), FileError> {
        let host = self.host;
        let set = found.choose_set(false);
        if set.is_some_and(|set| has_only_names(found, set)) {
            return name_in_list(place, host);
        }
        let siblings = keep_like(find_siblings(self.sources, found, set), host.like);
        let siblings = unify_tails(siblings);
        let siblings = with_system(siblings, host.system);
        let parse = |text: &str| NewValue::parse(host.name, text).map_err(|error| at(place, error));
        if let Some(text) = self.first_value(found, set, &siblings, place) {
            let own = host
                .system
                .and_then(|system| replace_system(&text, system).ok());
            return Ok((parse(&own.unwrap_or(text))?, Origin::First));
        }
        let wanted = Wanted {
            name: host.name,
            address: host.address,
            module: &relative_path(&place.path, host.module),
            is_file: false,
            is_data: false,
            file: &place.path,
            values: host.values,
        };
        let node = set.map_or(&place.root, |set| &set.container);
        let lesson = learn_value(&siblings, wanted).map_err(|obstacle| {
            let error = match obstacle {
                Unlearnt::Values(values) => Error::Values {
                    host: host.name.to_owned(),
                    values,
                },
                Unlearnt::Individual(candidates) => Error::Individual {
                    set: self.output.join("."),
                    position: Position::at(&place.text, node_range(node).start),
                    candidates,
                },
            };
            at(place, error)
        })?;
        let mut value = parse(&lesson.text)?;
        let tail = siblings.first().map(|one| one.tail.clone());
        value.tail = tail.unwrap_or_default();
        Ok((value, lesson.origin))
    }

    /// Returns the value of a first host, or an example for hosts that cannot be edited.
    fn first_value(
        &self,
        found: &FlakeHosts,
        set: Option<&HostSet>,
        siblings: &[Sibling],
        place: &SourceFile,
    ) -> Option<String> {
        let plain = || plain_value(self.flake, place, self.host.module);
        if set.is_none() && !found.obstacles.is_empty() {
            return Some(plain().unwrap_or_else(|| "nixpkgs.lib.nixosSystem { }".to_owned()));
        }
        let is_argument = set.is_some_and(|set| set.is_argument);
        if !siblings.is_empty() || self.output != [CONFIGURATIONS] || is_argument {
            return None;
        }
        plain()
    }
}

fn at(file: &SourceFile, error: Error) -> FileError {
    FileError {
        file: file.path.clone(),
        error,
    }
}

/// Returns another file that makes hosts, for a flake without a host: a first one could hide them.
fn file_that_makes_hosts(
    sources: &Sources<'_>,
    flake: &SourceFile,
    found: &FlakeHosts,
) -> Option<Rc<SourceFile>> {
    if !found.hosts.is_empty() || !found.obstacles.is_empty() {
        return None;
    }
    let computed = [HIVE, COLMENA].into_iter().find_map(|output| {
        let (file, found) = open_output(sources, &flake.path, output).ok()?;
        let obstacle = found.obstacles.first()?;
        Some(sources.file_of(&obstacle.node).unwrap_or(file))
    });
    if computed.is_some() {
        return computed;
    }
    let mut files = sources.files_with("nixosSystem").into_iter();
    files.find(|file| file.path != flake.path)
}

/// Returns the first address in the value of a host.
pub(super) fn find_address(host: &HostEntry) -> Option<String> {
    let mut strings = host
        .entry
        .descendants()
        .filter_map(|node| literal_string(&cast::<ast::Str>(&node)?));
    strings.find(|text| parse_ip(text).is_some())
}

pub(super) fn insert_value(
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
        let name = format_name(name, place.quoted);
        format!("{}{name}{} = {text};", place.prefix, value.tail)
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
