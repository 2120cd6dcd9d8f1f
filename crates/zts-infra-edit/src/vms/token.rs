//! The attribute `vault_wrapped_token` of a VM.

use hcl_edit::Span;
use hcl_edit::expr::Expression;

use super::locate::{VmsObject, unsupported_shape};
use crate::error::Error;
use crate::hcl::{self, Item};
use crate::layout::{Insertion, Slot};
use crate::text::{splice, starts_line};

/// The attribute of a VM with its wrapping token.
pub const WRAPPING_TOKEN: &str = "vault_wrapped_token";

/// Returns the text of a string without templates.
pub(super) fn literal_text(value: &Expression) -> Option<String> {
    match hcl::strip_parentheses(value) {
        Expression::String(text) => Some(text.value().clone()),
        _ => None,
    }
}

/// Returns whether the attribute has a value, which may be computed.
pub(super) fn has_value(value: &Expression) -> bool {
    match hcl::strip_parentheses(value) {
        Expression::Null(_) => false,
        value => literal_text(value).is_none_or(|text| !text.is_empty()),
    }
}

/// See [`super::wrapping_token`].
pub(super) fn find_token(source: &str, host: &str) -> Result<Option<String>, Error> {
    let body = hcl::parse_file(source)?;
    let vms = VmsObject::locate(source, &body)?;
    let Some((_, item)) = vms.as_ref().and_then(|vms| vms.find_host(host)) else {
        return Err(missing_host(host));
    };
    let Expression::Object(object) = hcl::strip_parentheses(item.value) else {
        return Ok(None);
    };
    let items = hcl::list_items(object).unwrap_or_default();
    Ok(find_attribute(&items)
        .and_then(|item| literal_text(item.value))
        .filter(|token| !token.is_empty()))
}

/// See [`super::set_wrapping_token`].
pub(super) fn set_token(source: &str, host: &str, token: &str) -> Result<String, Error> {
    let body = hcl::parse_file(source)?;
    let vms = VmsObject::locate(source, &body)?;
    let Some((_, item)) = vms.as_ref().and_then(|vms| vms.find_host(host)) else {
        return Err(missing_host(host));
    };
    let refuse = |problem: String| unsupported_shape(source, item.range.start, &problem);
    let value = hcl::strip_parentheses(item.value);
    let object = match value {
        Expression::Object(object) => value.span().zip(hcl::list_items(object)),
        _ => None,
    };
    let Some((range, items)) = object else {
        return Err(refuse(format!(
            "the entry of `{host}` is computed, not written as an object"
        )));
    };
    let result = match find_attribute(&items) {
        Some(existing) => replace_value(source, existing, token).ok_or_else(|| {
            refuse(format!(
                "`{WRAPPING_TOKEN}` of `{host}` is computed, not written as a string"
            ))
        })?,
        None => append_attribute(source, &range, &items, token),
    };
    hcl::parse_file(&result)?;
    Ok(result)
}

fn missing_host(host: &str) -> Error {
    Error::Missing {
        entry: format!("`{host}` in `locals.vms`"),
    }
}

fn find_attribute<'a, 'b>(items: &'b [Item<'a>]) -> Option<&'b Item<'a>> {
    items
        .iter()
        .find(|item| item.name.as_deref() == Some(WRAPPING_TOKEN))
}

/// Replaces a literal value. A reference to another value belongs to the owner.
fn replace_value(source: &str, item: &Item<'_>, token: &str) -> Option<String> {
    let is_literal = matches!(
        item.value,
        Expression::String(_) | Expression::Null(_) | Expression::HeredocTemplate(_)
    );
    let range = item.value.span().filter(|_| is_literal)?;
    Some(splice(source, range, &[&hcl::quote_string(token)]))
}

fn append_attribute(
    source: &str,
    range: &std::ops::Range<usize>,
    items: &[Item<'_>],
    token: &str,
) -> String {
    let block = hcl::layout_block(source, range, items);
    let Some((last, index)) = items.last().zip(items.len().checked_sub(1)) else {
        let insertion = block.insertion(Slot::Empty, false);
        return insertion.insert(
            source,
            &format!("{WRAPPING_TOKEN} = {}", hcl::quote_string(token)),
        );
    };
    let mut insertion = block.insertion(Slot::After(index), false);
    let between = &source[last.key.end..last.range.end];
    let assignment = if between.trim_start().starts_with(':') {
        if between.starts_with(':') {
            ": ".to_owned()
        } else {
            " : ".to_owned()
        }
    } else {
        align_with(source, last, &mut insertion) + "= "
    };
    insertion.insert(
        source,
        &format!("{WRAPPING_TOKEN}{assignment}{}", hcl::quote_string(token)),
    )
}

/// Returns the blanks that align `=` with the attribute above. If that one's `=` is too far left, a
/// blank line separates the new attribute, so that `tofu fmt` has nothing to change.
fn align_with(source: &str, above: &Item<'_>, insertion: &mut Insertion) -> String {
    // `tofu fmt` aligns a line whose brackets are closed on it: a heredoc counts as one line, a
    // list of many lines does not.
    let one_line = matches!(above.value, Expression::HeredocTemplate(_))
        || !source[above.range.clone()].contains('\n');
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
