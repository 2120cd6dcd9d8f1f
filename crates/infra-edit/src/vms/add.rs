//! Adds a host to `locals.vms`.

use super::locate::Vms;
use super::wanted::Wanted;
use crate::error::{Error, Position};
use crate::hcl::{self, Item};
use crate::layout::Place;
use crate::text::{indent_unit, is_blank, starts_line};

/// See [`super::add`].
pub(super) fn add(source: &str, host: &str, body: &str) -> Result<String, Error> {
    let parsed = hcl::parse(source)?;
    let wanted = Wanted::parse(host, body)?;
    let vms = match Vms::locate(source, &parsed) {
        Ok(Some(vms)) => vms,
        Ok(None) => return Err(without_vms(host, &wanted)),
        Err(error) => return Err(with_lines(error, host, &wanted)),
    };
    if let Some((_, item)) = vms.host(host) {
        return if wanted.is_in(item.value) {
            Ok(source.to_owned())
        } else {
            Err(Error::Exists {
                what: format!("`{host}` in `locals.vms`"),
                position: Position::at(source, item.range.start),
            })
        };
    }
    let (place, model) = vms.place(host);
    let result = place.insert(source, &entry(&vms, host, &wanted, &place, model));
    verify(&result, host, &wanted)?;
    Ok(result)
}

/// The text of the new entry, in the style of those that are there.
fn entry(
    vms: &Vms<'_>,
    host: &str,
    wanted: &Wanted,
    place: &Place,
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
        hcl::quote(host)
    };
    let compact = match model {
        Some(_) => vms
            .items
            .iter()
            .all(|item| !text(&item.range).contains('\n')),
        None => place.inline,
    };
    let one_line = wanted.one_line().filter(|_| compact);
    let assignment = model.map_or_else(
        || " = ".to_owned(),
        |model| assignment(vms.source, model, &key, one_line.is_some()),
    );
    let value = one_line.unwrap_or_else(|| {
        wanted.lines(&place.indent, &indent_unit(vms.source), &place.line_break)
    });
    key + &assignment + &value
}

/// What stands between the key and the value: as at `model`, and below its `=` if both entries have one line.
fn assignment(source: &str, model: &Item<'_>, key: &str, one_line: bool) -> String {
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

fn verify(result: &str, host: &str, wanted: &Wanted) -> Result<(), Error> {
    let body = hcl::parse(result)?;
    let vms = Vms::locate(result, &body)?;
    let there = vms.as_ref().and_then(|vms| vms.host(host));
    match there {
        Some((_, item)) if wanted.is_in(item.value) => Ok(()),
        _ => Err(without_vms(host, wanted)),
    }
}

fn without_vms(host: &str, wanted: &Wanted) -> Error {
    let entry = format!(
        "{} = {}",
        hcl::quote(host),
        wanted.lines("    ", "  ", "\n")
    );
    Error::Unsupported {
        what: format!("cannot add `{host}`: there is no `vms` in a `locals` block"),
        position: Position { line: 1, column: 1 },
        lines_to_add: format!("locals {{\n  vms = {{\n    {entry}\n  }}\n}}"),
        place: "at the top level of the file".to_owned(),
    }
}

fn with_lines(error: Error, host: &str, wanted: &Wanted) -> Error {
    match error {
        Error::Unsupported { what, position, .. } => Error::Unsupported {
            what: format!("cannot add `{host}`: {what}"),
            position,
            lines_to_add: format!("{} = {}", hcl::quote(host), wanted.lines("", "  ", "\n")),
            place: "to the object that `locals.vms` is made from".to_owned(),
        },
        other => other,
    }
}
