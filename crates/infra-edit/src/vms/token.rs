//! The attribute `vault_wrapped_token` of a VM.

use hcl_edit::Span;
use hcl_edit::expr::Expression;

use super::WRAPPING_TOKEN;
use super::locate::{Vms, unsupported};
use crate::error::Error;
use crate::hcl::{self, Item};
use crate::layout::{Place, Slot};
use crate::text::{splice, starts_line};

/// The text of a string without templates.
pub(super) fn literal(value: &Expression) -> Option<String> {
    match hcl::peel(value) {
        Expression::String(text) => Some(text.value().clone()),
        _ => None,
    }
}

/// Whether the attribute holds something: a computed value counts.
pub(super) fn is_set(value: &Expression) -> bool {
    match hcl::peel(value) {
        Expression::Null(_) => false,
        value => literal(value).is_none_or(|text| !text.is_empty()),
    }
}

/// See [`super::wrapping_token`].
pub(super) fn get(source: &str, host: &str) -> Result<Option<String>, Error> {
    let body = hcl::parse(source)?;
    let vms = Vms::locate(source, &body)?;
    let Some((_, item)) = vms.as_ref().and_then(|vms| vms.host(host)) else {
        return Err(missing(host));
    };
    let Expression::Object(object) = hcl::peel(item.value) else {
        return Ok(None);
    };
    let items = hcl::items(object).unwrap_or_default();
    Ok(find(&items)
        .and_then(|item| literal(item.value))
        .filter(|token| !token.is_empty()))
}

/// See [`super::set_wrapping_token`].
pub(super) fn set(source: &str, host: &str, token: &str) -> Result<String, Error> {
    let body = hcl::parse(source)?;
    let vms = Vms::locate(source, &body)?;
    let Some((_, item)) = vms.as_ref().and_then(|vms| vms.host(host)) else {
        return Err(missing(host));
    };
    let refuse = |what: String| unsupported(source, item.range.start, &what);
    let value = hcl::peel(item.value);
    let object = match value {
        Expression::Object(object) => value.span().zip(hcl::items(object)),
        _ => None,
    };
    let Some((range, items)) = object else {
        return Err(refuse(format!(
            "the entry of `{host}` is computed, not written as an object"
        )));
    };
    let result = match find(&items) {
        Some(there) => replace(source, there, token).ok_or_else(|| {
            refuse(format!(
                "`{WRAPPING_TOKEN}` of `{host}` is computed, not written as a string"
            ))
        })?,
        None => append(source, &range, &items, token),
    };
    hcl::parse(&result)?;
    Ok(result)
}

fn missing(host: &str) -> Error {
    Error::Missing {
        what: format!("`{host}` in `locals.vms`"),
    }
}

fn find<'a, 'b>(items: &'b [Item<'a>]) -> Option<&'b Item<'a>> {
    items
        .iter()
        .find(|item| item.name.as_deref() == Some(WRAPPING_TOKEN))
}

/// Replaces a value that was written by hand or by an earlier run; a reference to something else is its owner's.
fn replace(source: &str, item: &Item<'_>, token: &str) -> Option<String> {
    let is_literal = matches!(
        item.value,
        Expression::String(_) | Expression::Null(_) | Expression::HeredocTemplate(_)
    );
    let range = item.value.span().filter(|_| is_literal)?;
    Some(splice(source, range, &[&hcl::quote(token)]))
}

fn append(source: &str, range: &std::ops::Range<usize>, items: &[Item<'_>], token: &str) -> String {
    let block = hcl::block(source, range, items);
    let Some((last, index)) = items.last().zip(items.len().checked_sub(1)) else {
        let place = block.place(Slot::Empty, false);
        return place.insert(source, &format!("{WRAPPING_TOKEN} = {}", hcl::quote(token)));
    };
    let mut place = block.place(Slot::After(index), false);
    let between = &source[last.key.end..last.range.end];
    let assignment = if between.trim_start().starts_with(':') {
        if between.starts_with(':') {
            ": ".to_owned()
        } else {
            " : ".to_owned()
        }
    } else {
        blanks_to_align(source, last, &mut place) + "= "
    };
    place.insert(
        source,
        &format!("{WRAPPING_TOKEN}{assignment}{}", hcl::quote(token)),
    )
}

/// The blanks before `=` that put it below the one above; where that one stands too far left, a blank line sets the new
/// attribute apart, so that `tofu fmt` need not move anything.
fn blanks_to_align(source: &str, above: &Item<'_>, place: &mut Place) -> String {
    // `tofu fmt` aligns a line if its brackets are closed on it: a heredoc counts as one line, a list of many does not.
    let one_line = matches!(above.value, Expression::HeredocTemplate(_))
        || !source[above.range.clone()].contains('\n');
    if place.inline || !one_line || !starts_line(source, above.range.start) {
        return " ".to_owned();
    }
    let between = &source[above.key.end..above.range.end];
    let before = between.len() - between.trim_start_matches([' ', '\t']).len();
    let column = source[above.key.clone()].chars().count() + before;
    if column <= WRAPPING_TOKEN.len() {
        place.before.insert_str(0, &place.line_break);
    }
    " ".repeat(column.saturating_sub(WRAPPING_TOKEN.len()).max(1))
}
