//! Adds a host to a map of machines.

use super::locate::{NewItem, VmsObject, alignment};
use super::new_entry::{NewEntry, toml_path};
use super::place::{MapPlace, Notation};
use crate::error::{Error, ManualEdit, Position};
use crate::hcl;
use crate::notice::check_notice;
use crate::text::{indent_unit, is_blank, reindent};
use crate::toml;
use crate::tree::Item;
use crate::yaml;

/// See [`super::add_vm`].
pub(super) fn add_vm(
    source: &str,
    place: &MapPlace,
    host: &str,
    body: &str,
) -> Result<String, Error> {
    let found = VmsObject::locate(source, place);
    if let Err(error @ Error::Parse { .. }) = found {
        return Err(error);
    }
    let key = found.as_ref().ok().and_then(|vms| vms.as_ref()?.list_key);
    let new_entry = parse_entry(place, host, body, key)?;
    let vms = match found {
        Ok(Some(vms)) => vms,
        Ok(None) => return Err(missing_vms(place, host, &new_entry)),
        Err(error) => return Err(add_lines(error, place, host, &new_entry)),
    };
    if let Some((_, item)) = vms.find_host(host) {
        return if new_entry.is_in(&item.value) {
            Ok(source.to_owned())
        } else {
            Err(Error::Exists {
                entry: format!("`{host}` in {place}"),
                position: Position::at(source, item.range.start),
            })
        };
    }
    let entry = if place.notation == Notation::Toml {
        format!("[{}]\n{}", toml_path(place, host), new_entry.text())
    } else {
        assign(place, host, &new_entry.lines("", "  ", "\n"))
    };
    check_notice(source, &entry)?;
    let result = insert_entry(&vms, host, &new_entry);
    verify_result(&result, place, host, &new_entry)?;
    Ok(result)
}

/// Parses the text of a new entry. In a list, the name is added under `key`.
fn parse_entry(
    place: &MapPlace,
    host: &str,
    body: &str,
    key: Option<&str>,
) -> Result<NewEntry, Error> {
    let new_entry = NewEntry::parse(place, host, body)?;
    let Some(key) = key.filter(|key| !new_entry.has(key)) else {
        return Ok(new_entry);
    };
    let assignment = place.notation.assignment();
    let separator = match place.notation {
        Notation::Json if !new_entry.is_empty() => ",\n",
        _ => "\n",
    };
    let key = super::render::key(place.notation, key);
    let name = place.notation.quote(host);
    let body = [&key, assignment, &name, separator, new_entry.text()].concat();
    NewEntry::parse(place, host, &body)
}

/// Inserts the new entry, formatted like the existing ones.
fn insert_entry(vms: &VmsObject<'_>, host: &str, new_entry: &NewEntry) -> String {
    let notation = vms.place.notation;
    let key = match vms.list_key {
        Some(_) => String::new(),
        None => format_key(vms, host),
    };
    if vms.has_headers() {
        return insert_table(vms, host, &key, new_entry);
    }
    let mut items = vms.items().iter();
    let is_compact = items.all(|item| !vms.source[item.range.clone()].contains('\n'));
    let new = |is_one_line| NewItem {
        host,
        key_width: key.chars().count(),
        is_one_line,
    };
    let one_line = new_entry
        .one_line()
        .filter(|_| is_compact && (!vms.items().is_empty() || vms.insertion(&new(false)).0.inline));
    let is_one_line = one_line.is_some() || new_entry.is_empty();
    let (insertion, model) = vms.insertion(&new(is_one_line));
    let is_block = notation.is_block(vms.source, &vms.map.range);
    let assignment = match (notation, model) {
        _ if vms.list_key.is_some() => if is_block { "- " } else { "" }.to_owned(),
        (Notation::Hcl | Notation::Toml, Some(model)) => {
            format_assignment(vms.source, model, &key, is_one_line)
        }
        _ => notation.assignment().to_owned(),
    };
    let value = one_line.unwrap_or_else(|| {
        let unit = indent_unit(vms.source);
        let lines = new_entry.lines(&insertion.indent, &unit, &insertion.line_break);
        match vms.list_key {
            Some(_) if is_block => lines.trim_start().to_owned(), // after the dash
            _ => lines,
        }
    });
    insertion.insert(vms.source, &join_key(&key, &assignment, &value))
}

/// Inserts a table of TOML, whose header is written like those of the others.
fn insert_table(vms: &VmsObject<'_>, host: &str, key: &str, new_entry: &NewEntry) -> String {
    let new = NewItem {
        host,
        key_width: key.chars().count(),
        is_one_line: false,
    };
    let (insertion, model) = vms.insertion(&new);
    let header = match model {
        Some(_) if vms.list_key.is_some() => {
            let names: Vec<String> = vms
                .place
                .path
                .iter()
                .map(|name| toml::quote_key(name))
                .collect();
            format!("[[{}]]", names.join("."))
        }
        Some(model) => {
            let end = vms.source[model.key.end..]
                .find(']')
                .map_or(model.key.end, |end| model.key.end + end + 1);
            let before = &vms.source[model.range.start..model.key.start];
            [before, key, &vms.source[model.key.end..end]].concat()
        }
        None => format!("[{}]", toml_path(vms.place, host)),
    };
    let lines = [header.as_str(), new_entry.text()].join("\n");
    let text = reindent(
        lines.trim_end(),
        &insertion.indent,
        &insertion.line_break,
        &[],
    );
    insertion.insert(vms.source, &text)
}

/// Quotes the key if the others are quoted, or if it needs quotes.
fn format_key(vms: &VmsObject<'_>, host: &str) -> String {
    let notation = vms.place.notation;
    let is_plain = match notation {
        Notation::Hcl => !vms.items().is_empty() && hcl::is_identifier(host),
        Notation::Json => false,
        Notation::Toml => toml::quote_key(host) == host,
        Notation::Yaml => yaml::is_plain(host),
    };
    let mut keys = vms.items().iter().map(|item| &vms.source[item.key.clone()]);
    if is_plain && keys.all(|key| !key.starts_with(['"', '\''])) {
        host.to_owned()
    } else {
        notation.quote(host)
    }
}

/// Formats the text between key and value as in `model`, and aligned with it if both entries have
/// one line.
fn format_assignment(source: &str, model: &Item, key: &str, one_line: bool) -> String {
    let between = &source[model.key.end..model.range.end];
    let Some(operator) = between.find(['=', ':']) else {
        return " = ".to_owned();
    };
    let (before, rest) = between.split_at(operator);
    let (operator, after) = rest.split_at(1);
    let after = &after[..after.len() - after.trim_start_matches([' ', '\t']).len()];
    if !is_blank(before) {
        return format!(" {operator} ");
    }
    let column = alignment(source, model).filter(|_| one_line);
    let before = match column {
        Some(column) => " ".repeat(column.saturating_sub(key.chars().count()).max(1)),
        None => before.chars().take(1).collect(),
    };
    format!("{before}{operator}{after}")
}

/// Checks that the result parses, and that the host has its values.
fn verify_result(
    result: &str,
    place: &MapPlace,
    host: &str,
    new_entry: &NewEntry,
) -> Result<(), Error> {
    let vms = VmsObject::locate(result, place)?;
    let found = vms.as_ref().and_then(|vms| vms.find_host(host));
    match found {
        Some((_, item)) if new_entry.is_in(&item.value) => Ok(()),
        _ => Err(missing_vms(place, host, new_entry)),
    }
}

fn missing_vms(place: &MapPlace, host: &str, new_entry: &NewEntry) -> Error {
    let notation = place.notation;
    let (problem, lines) = match (notation, place.path.as_slice()) {
        (Notation::Hcl, [block, name]) if block == "locals" => {
            let entry = assign(place, host, &new_entry.lines("    ", "  ", "\n"));
            (
                format!("there is no `{name}` in a `locals` block"),
                format!("locals {{\n  {name} = {{\n    {entry}\n  }}\n}}"),
            )
        }
        _ => (
            format!("there is no map {place}"),
            assign(place, host, &new_entry.lines("", "  ", "\n")),
        ),
    };
    let place = match notation {
        Notation::Hcl if place.path.first().is_some_and(|block| block == "locals") => {
            "at the top level of the file".to_owned()
        }
        _ => format!("to a map {place}"),
    };
    Error::Unsupported {
        problem: format!("cannot add `{host}`: {problem}"),
        position: Position { line: 1, column: 1 },
        manual_edit: ManualEdit::Add { lines, place },
    }
}

fn assign(place: &MapPlace, host: &str, value: &str) -> String {
    let notation = place.notation;
    if notation == Notation::Toml {
        return format!("[{}]\n{value}", toml_path(place, host));
    }
    join_key(&notation.quote(host), notation.assignment(), value)
}

/// Joins key and value. A block of YAML begins on the next line.
fn join_key(key: &str, assignment: &str, value: &str) -> String {
    let is_block = value.starts_with(['\r', '\n']);
    let assignment = if is_block {
        assignment.trim_end()
    } else {
        assignment
    };
    [key, assignment, value].concat()
}

fn add_lines(error: Error, place: &MapPlace, host: &str, new_entry: &NewEntry) -> Error {
    match error {
        Error::Unsupported {
            problem, position, ..
        } => Error::Unsupported {
            problem: format!("cannot add `{host}`: {problem}"),
            position,
            manual_edit: ManualEdit::Add {
                lines: assign(place, host, &new_entry.lines("", "  ", "\n")),
                place: format!("to the object that {place} is made from"),
            },
        },
        other => other,
    }
}
