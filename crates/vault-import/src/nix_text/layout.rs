//! Lines, indentation, and edits of a source.

use std::ops::Range;

use rnix::{NodeOrToken, SyntaxKind, SyntaxNode};

use super::syntax::{is_indented_string, node_range, parse_source};

/// The replacement of a range by a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Applies edits that do not overlap. Insertions at one place keep their order.
pub(super) fn apply_edits(source: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut text = String::new();
    let mut end = 0;
    for edit in edits
        .iter()
        .filter(|edit| edit.range.start <= edit.range.end)
    {
        let Some(kept) = source.get(end..edit.range.start) else {
            continue; // inside of an edit before it
        };
        text.push_str(kept);
        text.push_str(&edit.text);
        end = edit.range.end;
    }
    text.push_str(&source[end..]);
    text
}

/// Returns the line break of a file.
pub(super) fn line_break(source: &str) -> &'static str {
    let first = source.find('\n');
    if first.is_some_and(|at| source[..at].ends_with('\r')) {
        "\r\n"
    } else {
        "\n"
    }
}

/// Returns the start of the line of an offset.
pub(super) fn line_start(source: &str, offset: usize) -> usize {
    source[..offset].rfind('\n').map_or(0, |index| index + 1)
}

/// Returns the start of the next line.
pub(super) fn line_end(source: &str, offset: usize) -> usize {
    source[offset..]
        .find('\n')
        .map_or(source.len(), |index| offset + index + 1)
}

/// Returns the blanks at the beginning of the line of an offset.
pub(super) fn indent_of(source: &str, offset: usize) -> &str {
    let line = &source[line_start(source, offset)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Returns whether the line is blank up to the offset.
pub(super) fn is_first_on_line(source: &str, offset: usize) -> bool {
    source[line_start(source, offset)..offset].trim().is_empty()
}

/// Returns whether nothing but a comment follows on the line.
pub(super) fn is_last_on_line(source: &str, offset: usize) -> bool {
    let end = line_end(source, offset);
    let rest = source[offset..end].trim();
    let is_comment = rest.is_empty() || rest.starts_with('#');
    let is_block = rest.starts_with("/*") && rest.find("*/") == Some(rest.len().wrapping_sub(2));
    source[..end].ends_with('\n') && (is_comment || is_block)
}

/// Returns whether the line that begins at an offset is blank.
pub(super) fn is_blank_line(source: &str, start: usize) -> bool {
    start < source.len() && source[start..line_end(source, start)].trim().is_empty()
}

/// Returns the start of an entry with the lines of comments directly above it.
pub(super) fn start_with_comments(source: &str, entry: &SyntaxNode) -> usize {
    let mut start = node_range(entry).start;
    let mut before = entry.prev_sibling_or_token();
    while let Some(NodeOrToken::Token(token)) = before {
        let offset = usize::from(token.text_range().start());
        match token.kind() {
            SyntaxKind::TOKEN_WHITESPACE if token.text().matches('\n').count() < 2 => {}
            SyntaxKind::TOKEN_COMMENT if is_first_on_line(source, offset) => start = offset,
            _ => break,
        }
        before = token.prev_sibling_or_token();
    }
    start
}

/// Returns the edit that puts bindings behind an entry.
pub(super) fn insert_behind(source: &str, entry: &SyntaxNode, bindings: &str) -> Edit {
    let range = node_range(entry);
    let indent = indent_of(source, range.start);
    if !is_last_on_line(source, range.end) {
        let text = match join_lines(bindings) {
            Some(line) => format!(" {line}"),
            None => format!(" {}", lay_out(source, bindings, indent)),
        };
        return Edit {
            range: range.end..range.end,
            text,
        };
    }
    let end = line_end(source, range.end);
    let first = line_start(source, start_with_comments(source, entry));
    let has_blank_before = first > 0 && is_blank_line(source, line_start(source, first - 1));
    let gap = if has_blank_before || is_blank_line(source, end) {
        line_break(source)
    } else {
        ""
    };
    let text = lay_out(source, bindings, indent);
    Edit {
        range: end..end,
        text: format!("{gap}{indent}{text}{}", line_break(source)),
    }
}

/// Lays out bindings without indentation, at a place with this one; the first line has none.
pub(super) fn lay_out(source: &str, bindings: &str, indent: &str) -> String {
    let has_tabs = indent.starts_with('\t') || indent.is_empty() && source.contains("\n\t");
    let bindings = if has_tabs {
        shift_lines(bindings, &|line| {
            let text = line.trim_start_matches("  ");
            Some("\t".repeat((line.len() - text.len()) / 2) + text)
        })
    } else {
        bindings.to_owned()
    };
    let shifted = move_lines(&bindings, "", indent);
    shifted
        .replace("\r\n", "\n")
        .replace('\n', line_break(source))
}

/// Moves all lines but the first from one indentation to another. Strings keep their values.
pub(super) fn move_lines(bindings: &str, from: &str, to: &str) -> String {
    shift_lines(bindings, &|line| {
        if line.trim().is_empty() {
            let is_spaces = !line.is_empty() && line.bytes().all(|byte| byte == b' ');
            let rest = line.strip_prefix(from).unwrap_or_default();
            return Some(if is_spaces {
                format!("{to}{rest}")
            } else {
                line.to_owned()
            });
        }
        Some(format!("{to}{}", line.strip_prefix(from)?))
    })
}

/// Changes all lines but the first. The lines of a string change only if its value stays.
fn shift_lines(bindings: &str, shift: &dyn Fn(&str) -> Option<String>) -> String {
    let wrapped = format!("{{\n{bindings}\n}}");
    let strings = parse_source(&wrapped).map_or(Vec::new(), |root| outer_strings(&root));
    let mut text = String::new();
    let mut start = 2;
    for line in bindings.split_inclusive('\n') {
        let inside = strings
            .iter()
            .find(|string| string.range.start < start && start < string.range.end);
        let content = line.strip_suffix('\n').unwrap_or(line);
        let shifted = match inside {
            _ if start == 2 => None,
            Some(string) if !string.can_shift(&wrapped, shift) => None,
            _ => shift(content),
        };
        text.push_str(&shifted.unwrap_or_else(|| content.to_owned()));
        text.push_str(&line[content.len()..]);
        start += line.len();
    }
    text
}

/// A string that is in no other one.
struct OuterString {
    range: Range<usize>,
    is_indented: bool,
    has_long_interpolation: bool,
}

impl OuterString {
    /// Returns whether Nix removes the change of the indentation of all lines.
    fn can_shift(&self, source: &str, shift: &dyn Fn(&str) -> Option<String>) -> bool {
        let text = &source[self.range.clone()];
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or_default();
        let has_blank_start = first
            .strip_prefix("''")
            .is_some_and(|rest| rest.trim().is_empty());
        let is_spaces = |text: &str| text.bytes().all(|byte| byte == b' ');
        self.is_indented
            && has_blank_start
            && !self.has_long_interpolation
            && !text.contains(['\r', '\t'])
            && lines.all(|line| {
                let indent = line.len() - line.trim_start().len();
                shift(line).is_some_and(|shifted| {
                    is_spaces(&shifted[..shifted.len() - (line.len() - indent)])
                })
            })
    }
}

fn outer_strings(root: &SyntaxNode) -> Vec<OuterString> {
    let mut strings: Vec<OuterString> = Vec::new();
    for node in root.descendants() {
        if node.kind() != SyntaxKind::NODE_STRING {
            continue;
        }
        let range = node_range(&node);
        if strings
            .last()
            .is_some_and(|last| range.end <= last.range.end)
        {
            continue;
        }
        strings.push(OuterString {
            range,
            is_indented: is_indented_string(&node),
            has_long_interpolation: node.children().any(|part| part.text().contains_char('\n')),
        });
    }
    strings
}

/// Joins bindings to one line, if they have no comments and no strings with several lines.
fn join_lines(bindings: &str) -> Option<String> {
    let root = parse_source(&format!("{{\n{bindings}\n}}")).ok()?;
    let mut text = String::new();
    for token in root.descendants_with_tokens() {
        let NodeOrToken::Token(token) = token else {
            continue;
        };
        match token.kind() {
            SyntaxKind::TOKEN_WHITESPACE if token.text().contains('\n') => text.push(' '),
            SyntaxKind::TOKEN_COMMENT => return None,
            _ if token.text().contains('\n') => return None,
            _ => text.push_str(token.text()),
        }
    }
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    Some(inner.trim().to_owned())
}
