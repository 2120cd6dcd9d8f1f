//! The attribute `vault_wrapped_token` of a VM.

use std::ops::Range;

use super::locate::{VmsObject, unsupported_shape};
use super::place::{MapPlace, Notation};
use crate::error::Error;
use crate::layout::{Insertion, Slot};
use crate::text::{splice, starts_line};
use crate::tree::{Item, Kind, Node};

/// The attribute of a VM with its wrapping token.
pub const WRAPPING_TOKEN: &str = "vault_wrapped_token";

/// See [`super::wrapping_token`].
pub(super) fn find_token(
    source: &str,
    place: &MapPlace,
    host: &str,
) -> Result<Option<String>, Error> {
    let vms = VmsObject::locate(source, place)?;
    let Some((_, item)) = vms.as_ref().and_then(|vms| vms.find_host(host)) else {
        return Err(missing_host(place, host));
    };
    let token = item.value.get(WRAPPING_TOKEN);
    let token = token.and_then(|token| token.value.text());
    Ok(token.filter(|token| !token.is_empty()).map(str::to_owned))
}

/// See [`super::set_wrapping_token`].
pub(super) fn set_token(
    source: &str,
    place: &MapPlace,
    host: &str,
    token: &str,
) -> Result<String, Error> {
    let vms = VmsObject::locate(source, place)?;
    let Some((_, item)) = vms.as_ref().and_then(|vms| vms.find_host(host)) else {
        return Err(missing_host(place, host));
    };
    let refuse = |problem: String| unsupported_shape(source, item.range.start, &problem);
    let Some(items) = item.value.items() else {
        return Err(refuse(match item.value.kind {
            Kind::Computed(_) => {
                format!("the entry of `{host}` is computed, not written as an object")
            }
            _ => format!(
                "the entry of `{host}` is not an object, which could have `{WRAPPING_TOKEN}`"
            ),
        }));
    };
    let result = match item.value.get(WRAPPING_TOKEN) {
        Some(existing) => {
            replace_value(source, place.notation, existing, token).ok_or_else(|| {
                refuse(format!(
                    "`{WRAPPING_TOKEN}` of `{host}` is computed, not written as a string"
                ))
            })?
        }
        None => append_attribute(source, place.notation, &item.value, items, token),
    };
    place.notation.parse(&result)?;
    Ok(result)
}

fn missing_host(place: &MapPlace, host: &str) -> Error {
    Error::Missing {
        entry: format!("`{host}` in {place}"),
    }
}

/// Replaces a literal value. A reference to another value belongs to the owner.
fn replace_value(source: &str, notation: Notation, item: &Item, token: &str) -> Option<String> {
    let is_literal = matches!(item.value.kind, Kind::Text(_) | Kind::Null);
    let range: Range<usize> = item.value.range.clone();
    let blank = if range.is_empty() { " " } else { "" };
    (is_literal || item.value.is_heredoc())
        .then(|| splice(source, range, &[blank, &notation.quote(token)]))
}

fn append_attribute(
    source: &str,
    notation: Notation,
    entry: &Node,
    items: &[Item],
    token: &str,
) -> String {
    let block = notation.layout(source, &entry.range, items);
    let name = match notation {
        Notation::Json => notation.quote(WRAPPING_TOKEN),
        Notation::Hcl | Notation::Toml | Notation::Yaml => WRAPPING_TOKEN.to_owned(),
    };
    let value = notation.quote(token);
    let Some((last, index)) = items.last().zip(items.len().checked_sub(1)) else {
        let insertion = block.insertion(Slot::Empty, false);
        return insertion.insert(source, &(name + notation.assignment() + &value));
    };
    let mut insertion = block.insertion(Slot::After(index), false);
    let between = &source[last.key.end..last.range.end];
    let assignment = match notation {
        Notation::Json | Notation::Toml | Notation::Yaml => notation.assignment().to_owned(),
        Notation::Hcl if between.starts_with(':') => ": ".to_owned(),
        Notation::Hcl if between.trim_start().starts_with(':') => " : ".to_owned(),
        Notation::Hcl => align_with(source, last, &mut insertion) + "= ",
    };
    insertion.insert(source, &(name + &assignment + &value))
}

/// Returns the blanks that align `=` with the attribute above. If that one's `=` is too far left, a
/// blank line separates the new attribute, so that `tofu fmt` has nothing to change.
fn align_with(source: &str, above: &Item, insertion: &mut Insertion) -> String {
    // `tofu fmt` aligns a line whose brackets are closed on it: a heredoc counts as one line, a
    // list of many lines does not.
    let one_line = above.value.is_heredoc() || !source[above.range.clone()].contains('\n');
    if insertion.inline || !one_line || !starts_line(source, above.range.start) {
        return " ".to_owned();
    }
    let between = &source[above.key.end..above.range.end];
    let before = between.len() - between.trim_start_matches([' ', '\t']).len();
    let column = source[above.key.clone()].chars().count() + before;
    if column <= WRAPPING_TOKEN.len() {
        insertion.before.insert_str(0, &insertion.line_break);
    }
    " ".repeat(column.saturating_sub(WRAPPING_TOKEN.len()).max(1))
}
