//! Adds a host to `locals.vms`.

use super::locate::VmsObject;
use super::new_entry::NewEntry;
use crate::error::{Error, ManualEdit, Position};
use crate::hcl::{self, Item};
use crate::layout::Insertion;
use crate::text::{indent_unit, is_blank, starts_line};

/// See [`super::add_vm`].
pub(super) fn add_vm(source: &str, host: &str, body: &str) -> Result<String, Error> {
    let parsed = hcl::parse_file(source)?;
    let new_entry = NewEntry::parse(host, body)?;
    let vms = match VmsObject::locate(source, &parsed) {
        Ok(Some(vms)) => vms,
        Ok(None) => return Err(missing_vms(host, &new_entry)),
        Err(error) => return Err(add_lines(error, host, &new_entry)),
    };
    if let Some((_, item)) = vms.find_host(host) {
        return if new_entry.is_in(item.value) {
            Ok(source.to_owned())
        } else {
            Err(Error::Exists {
                entry: format!("`{host}` in `locals.vms`"),
                position: Position::at(source, item.range.start),
            })
        };
    }
    let (insertion, model) = vms.insertion(host);
    let entry = format_entry(&vms, host, &new_entry, &insertion, model);
    let result = insertion.insert(source, &entry);
    verify_result(&result, host, &new_entry)?;
    Ok(result)
}

/// Formats the new entry like the existing ones.
fn format_entry(
    vms: &VmsObject<'_>,
    host: &str,
    new_entry: &NewEntry,
    insertion: &Insertion,
    model: Option<&Item<'_>>,
) -> String {
    let text = |range: &std::ops::Range<usize>| &vms.source[range.clone()];
    let bare = model.is_some()
        && hcl::is_identifier(host)
        && vms
            .items
            .iter()
            .all(|item| !text(&item.key).starts_with('"'));
    let key = if bare {
        host.to_owned()
    } else {
        hcl::quote_string(host)
    };
    let compact = match model {
        Some(_) => vms
            .items
            .iter()
            .all(|item| !text(&item.range).contains('\n')),
        None => insertion.inline,
    };
    let one_line = new_entry.one_line().filter(|_| compact);
    let assignment = model.map_or_else(
        || " = ".to_owned(),
        |model| format_assignment(vms.source, model, &key, one_line.is_some()),
    );
    let value = one_line.unwrap_or_else(|| {
        new_entry.lines(
            &insertion.indent,
            &indent_unit(vms.source),
            &insertion.line_break,
        )
    });
    key + &assignment + &value
}

/// Formats the text between key and value as in `model`, and aligned with it if both entries have
/// one line.
fn format_assignment(source: &str, model: &Item<'_>, key: &str, one_line: bool) -> String {
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
    let mut before = before.to_owned();
    if one_line && starts_line(source, model.key.start) && before.len() > 1 {
        let width = source[model.key.clone()].chars().count() + before.len();
        before = " ".repeat(width.saturating_sub(key.chars().count()).max(1));
    } else {
        before.truncate(1);
    }
    format!("{before}{operator}{after}")
}

/// Checks that the result parses, and that the host has its values.
fn verify_result(result: &str, host: &str, new_entry: &NewEntry) -> Result<(), Error> {
    let body = hcl::parse_file(result)?;
    let vms = VmsObject::locate(result, &body)?;
    let found = vms.as_ref().and_then(|vms| vms.find_host(host));
    match found {
        Some((_, item)) if new_entry.is_in(item.value) => Ok(()),
        _ => Err(missing_vms(host, new_entry)),
    }
}

fn missing_vms(host: &str, new_entry: &NewEntry) -> Error {
    let entry = format!(
        "{} = {}",
        hcl::quote_string(host),
        new_entry.lines("    ", "  ", "\n")
    );
    Error::Unsupported {
        problem: format!("cannot add `{host}`: there is no `vms` in a `locals` block"),
        position: Position { line: 1, column: 1 },
        manual_edit: ManualEdit::Add {
            lines: format!("locals {{\n  vms = {{\n    {entry}\n  }}\n}}"),
            place: "at the top level of the file".to_owned(),
        },
    }
}

fn add_lines(error: Error, host: &str, new_entry: &NewEntry) -> Error {
    match error {
        Error::Unsupported {
            problem, position, ..
        } => Error::Unsupported {
            problem: format!("cannot add `{host}`: {problem}"),
            position,
            manual_edit: ManualEdit::Add {
                lines: format!(
                    "{} = {}",
                    hcl::quote_string(host),
                    new_entry.lines("", "  ", "\n")
                ),
                place: "to the object that `locals.vms` is made from".to_owned(),
            },
        },
        other => other,
    }
}
