//! The removal of entries with their lines.

use std::ops::Range;

use rnix::ast::{self, HasEntry};
use rnix::{NodeOrToken, SyntaxKind, SyntaxNode};

use super::definitions::Definition;
use super::layout::{
    Edit, indent_of, is_blank_line, is_first_on_line, is_last_on_line, lay_out, line_break,
    line_end, line_start, start_with_comments,
};
use super::shape::Shape;
use super::syntax::{entry_of_set, node_range, untyped};

/// Returns the entries to remove: these, without those inside of others, and sets that are empty
/// without them.
pub(super) fn with_emptied_sets(
    source: &str,
    units: Vec<SyntaxNode>,
    definitions: &[&Definition],
) -> Vec<SyntaxNode> {
    let mut removed = units;
    for definition in definitions {
        for level in definition.entries.iter().rev() {
            let value = entry_of_set(&level.entry).and_then(|entry| entry.value());
            if !removed.contains(&level.entry)
                && level.reached < 2
                && value.is_some_and(|value| is_emptied(source, &value, &removed))
            {
                removed.push(level.entry.clone());
            }
        }
    }
    let all = removed.clone();
    removed.retain(|entry| {
        !entry
            .ancestors()
            .skip(1)
            .any(|around| all.contains(&around))
    });
    removed
}

/// Returns whether an expression has only sets, and these only removed entries.
fn is_emptied(source: &str, value: &ast::Expr, removed: &[SyntaxNode]) -> bool {
    match Shape::of(value) {
        Shape::Set(set) => {
            let mut entries = set.entries().map(|entry| untyped(&entry));
            entries.all(|entry| removed.contains(&entry))
                && !has_own_comment(source, &untyped(&set), removed)
        }
        Shape::Parts(parts) => parts
            .iter()
            .all(|part| is_emptied(source, &part.value, removed)),
        Shape::Other => false,
    }
}

/// Returns whether a set has a comment that goes with none of its entries.
fn has_own_comment(source: &str, set: &SyntaxNode, removed: &[SyntaxNode]) -> bool {
    let ranges: Vec<Range<usize>> = removed
        .iter()
        .filter(|entry| entry.parent().as_ref() == Some(set))
        .map(|entry| removal_range(source, entry))
        .collect();
    let mut comments = set
        .children_with_tokens()
        .filter_map(NodeOrToken::into_token)
        .filter(|token| token.kind() == SyntaxKind::TOKEN_COMMENT);
    comments.any(|comment| {
        let start = usize::from(comment.text_range().start());
        !ranges.iter().any(|range| range.contains(&start))
    })
}

/// Returns the range of an entry: whole lines with the comments directly above them, or the entry
/// with the blanks before it.
pub(super) fn removal_range(source: &str, entry: &SyntaxNode) -> Range<usize> {
    let range = node_range(entry);
    let is_first = is_first_on_line(source, range.start);
    if is_first && is_last_on_line(source, range.end) {
        let start = line_start(source, start_with_comments(source, entry));
        return start..line_end(source, range.end);
    }
    if is_first {
        let rest = &source[range.end..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        return range.start..range.end + blanks;
    }
    source[..range.start].trim_end().len()..range.end
}

/// Returns the edits that put bindings in the places of entries; they may be empty.
pub(super) fn remove_entries(source: &str, entries: &[(SyntaxNode, String)]) -> Vec<Edit> {
    let mut ranges: Vec<(Range<usize>, String, String)> = entries
        .iter()
        .map(|(entry, bindings)| {
            let indent = indent_of(source, node_range(entry).start).to_owned();
            (removal_range(source, entry), indent, bindings.clone())
        })
        .collect();
    ranges.sort_by_key(|(range, ..)| (range.start, range.end));
    let mut merged: Vec<(Range<usize>, String, String)> = Vec::new();
    for (range, indent, bindings) in ranges {
        match merged.last_mut() {
            Some((before, _, all)) if joins(source, before, &range) => {
                before.end = before.end.max(range.end);
                if !bindings.is_empty() && !all.is_empty() {
                    all.push('\n');
                }
                all.push_str(&bindings);
            }
            _ => merged.push((range, indent, bindings)),
        }
    }
    let edit = |(range, indent, bindings): (Range<usize>, String, String)| {
        removal_edit(source, range, &indent, &bindings)
    };
    merged.into_iter().map(edit).collect()
}

/// Returns whether nothing but blanks is between two ranges.
fn joins(source: &str, before: &Range<usize>, after: &Range<usize>) -> bool {
    after.start <= before.end || source[before.end..after.start].trim().is_empty()
}

fn removal_edit(source: &str, range: Range<usize>, indent: &str, bindings: &str) -> Edit {
    let range = whole_lines(source, range);
    let is_whole = range.start == line_start(source, range.start)
        && (range.end == line_start(source, range.end) || range.end == source.len());
    let text = lay_out(source, bindings, indent);
    match (bindings.is_empty(), is_whole) {
        (true, true) => Edit {
            range: without_double_blank(source, range),
            text: String::new(),
        },
        (true, false) => Edit {
            range,
            text: String::new(),
        },
        (false, true) => Edit {
            range,
            text: format!("{indent}{text}{}", line_break(source)),
        },
        (false, false) if is_first_on_line(source, range.start) => Edit {
            range,
            text: format!("{text} "),
        },
        (false, false) => Edit {
            range,
            text: format!(" {text}"),
        },
    }
}

/// Extends a range to whole lines, if nothing else is on them.
fn whole_lines(source: &str, range: Range<usize>) -> Range<usize> {
    let end = line_end(source, range.end);
    let is_at_start = range.end == line_start(source, range.end) && range.end > range.start;
    let has_rest = !is_at_start && !source[range.end..end].trim().is_empty();
    if !is_first_on_line(source, range.start) || has_rest {
        return range;
    }
    let start = line_start(source, range.start);
    if is_at_start {
        start..range.end
    } else {
        start..end
    }
}

/// Extends the range of whole lines by a blank line that would be a second one, or the first or
/// last of a set.
fn without_double_blank(source: &str, range: Range<usize>) -> Range<usize> {
    let before = range
        .start
        .checked_sub(1)
        .map(|end| line_start(source, end));
    let line_before = before.map_or("", |start| source[start..range.start].trim());
    let has_blank_before = before.is_some() && line_before.is_empty();
    let is_first = line_before.ends_with(['{', '[', '(']);
    let line_after = source[range.end..line_end(source, range.end)].trim();
    let is_last = line_after.starts_with(['}', ']', ')']);
    if is_blank_line(source, range.end) && (has_blank_before || is_first) {
        return range.start..line_end(source, range.end);
    }
    match before {
        Some(start) if has_blank_before && is_last => start..range.end,
        _ => range,
    }
}
