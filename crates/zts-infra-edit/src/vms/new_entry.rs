//! The attributes of a new host.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object};
use hcl_edit::visit::{Visit, visit_expr};

use crate::error::{Error, Language};
use crate::hcl::{self, Item};
use crate::text::{Piece, reindent, split_trivia};

/// The lines between the braces of a new entry.
pub(super) struct NewEntry {
    text: String,
    object: Object,
    /// The ranges of strings in `text`, whose lines keep their indentation.
    strings: Vec<Range<usize>>,
}

/// The text before the lines when they are parsed.
const OPENING: &str = "{\n";

impl NewEntry {
    /// Parses lines of attributes, indented relative to column 0.
    pub(super) fn parse(host: &str, body: &str) -> Result<Self, Error> {
        let invalid = |message: String| Error::Invalid {
            value: format!("the VM entry of `{host}`"),
            language: Language::Hcl,
            message,
        };
        let text = trim_lines(body).to_owned();
        let source = format!("{OPENING}{text}\n}}");
        let parsed = hcl_edit::parser::parse_expr(&source).map_err(|error| {
            // The user's text lacks the line with the opening brace.
            invalid(format!(
                "line {}: {}",
                error.location().line().saturating_sub(1),
                error.message()
            ))
        })?;
        let strings = find_multi_line_strings(&parsed, &source);
        let Expression::Object(object) = parsed else {
            return Err(invalid("it is not a list of attributes".to_owned()));
        };
        let names: Option<Vec<_>> =
            hcl::list_items(&object).map(|items| items.into_iter().map(|item| item.name).collect());
        match names {
            Some(names) if are_unique(&names) => Ok(Self {
                text,
                object,
                strings,
            }),
            _ => Err(invalid("a name is computed, or appears twice".to_owned())),
        }
    }

    /// Returns whether an entry has each of the attributes with an equal value. It may have more.
    pub(super) fn is_in(&self, value: &Expression) -> bool {
        let Expression::Object(existing) = hcl::strip_parentheses(value) else {
            return false;
        };
        let (Some(existing), Some(wanted)) =
            (hcl::list_items(existing), hcl::list_items(&self.object))
        else {
            return false;
        };
        wanted.iter().all(|item| {
            let same_name = existing.iter().find(|other| other.name == item.name);
            same_name.is_some_and(|other| hcl::are_equal(other.value, item.value))
        })
    }

    /// Formats the object on several lines, indented by `indent`.
    pub(super) fn lines(&self, indent: &str, unit: &str, line_break: &str) -> String {
        if self.text.is_empty() {
            return "{}".to_owned();
        }
        let inner = format!("{indent}{unit}");
        let text = reindent(&self.text, &inner, line_break, &self.strings);
        format!("{{{line_break}{inner}{text}{line_break}{indent}}}")
    }

    /// Formats the object on one line; `None` if it has a comment or a value of several lines.
    pub(super) fn one_line(&self) -> Option<String> {
        let items = hcl::list_items(&self.object)?;
        let simple = !self.has_comment(&items) && self.strings.is_empty();
        let texts: Vec<String> = items.iter().map(|item| self.item_text(item)).collect();
        if !simple || texts.iter().any(|text| text.contains('\n')) {
            return None;
        }
        Some(if texts.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", texts.join(", "))
        })
    }

    fn item_text(&self, item: &Item<'_>) -> String {
        let of = |range: Range<usize>| {
            &self.text[range.start - OPENING.len()..range.end - OPENING.len()]
        };
        let value = item.value.span().unwrap_or(item.range.clone());
        format!("{} = {}", of(item.key.clone()), of(value))
    }

    fn has_comment(&self, items: &[Item<'_>]) -> bool {
        let mut end = 0;
        let mut gaps = Vec::new();
        for item in items {
            gaps.push(end..item.range.start - OPENING.len());
            end = item.range.end - OPENING.len();
        }
        gaps.push(end..self.text.len());
        let mut pieces = gaps
            .into_iter()
            .flat_map(|gap| split_trivia(&self.text, gap));
        pieces.any(|(piece, _)| piece == Piece::Comment)
    }
}

/// Removes the blank lines at the start and the end of `text`.
fn trim_lines(text: &str) -> &str {
    let text = text.trim_end();
    let first = text.len() - text.trim_start().len();
    &text[text[..first].rfind('\n').map_or(0, |index| index + 1)..]
}

fn are_unique(names: &[Option<String>]) -> bool {
    let mut seen = std::collections::HashSet::new();
    names
        .iter()
        .all(|name| name.as_ref().is_some_and(|name| seen.insert(name)))
}

fn find_multi_line_strings(expression: &Expression, source: &str) -> Vec<Range<usize>> {
    struct Strings<'a>(&'a str, Vec<Range<usize>>);
    impl Visit for Strings<'_> {
        fn visit_expr(&mut self, node: &Expression) {
            let is_string = matches!(
                node,
                Expression::String(_)
                    | Expression::StringTemplate(_)
                    | Expression::HeredocTemplate(_)
            );
            if let Some(range) = node
                .span()
                .filter(|range| is_string && self.0[range.clone()].contains('\n'))
            {
                self.1
                    .push(range.start - OPENING.len()..range.end - OPENING.len());
            }
            visit_expr(self, node);
        }
    }
    let mut strings = Strings(source, Vec::new());
    strings.visit_expr(expression);
    strings.1
}
