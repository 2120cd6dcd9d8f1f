//! Lines, line breaks, and the trivia (blanks and comments) between entries.

use std::ops::Range;

/// One piece of the text between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Spaces and tabs.
    Blank,
    /// A `\n` or `\r\n`.
    LineBreak,
    /// A `# …` or `// …` up to the end of the line, or a `/* … */`.
    Comment,
    /// A `,` between items of an HCL object.
    Comma,
}

/// Splits the text between two entries, `range` of `source`, into pieces without gaps.
pub(crate) fn split_trivia(source: &str, range: Range<usize>) -> Vec<(Piece, Range<usize>)> {
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let (piece, length) = first_piece(&source[start..range.end]);
        pieces.push((piece, start..start + length));
        start += length;
    }
    pieces
}

fn first_piece(text: &str) -> (Piece, usize) {
    let until_line_end = || {
        let line = text.find('\n').map_or(text, |end| &text[..end]);
        line.strip_suffix('\r').unwrap_or(line).len()
    };
    if text.starts_with("\r\n") {
        (Piece::LineBreak, 2)
    } else if text.starts_with('\n') {
        (Piece::LineBreak, 1)
    } else if text.starts_with(',') {
        (Piece::Comma, 1)
    } else if text.starts_with('#') || text.starts_with("//") {
        (Piece::Comment, until_line_end())
    } else if text.starts_with("/*") {
        let end = text.find("*/").map_or(text.len(), |end| end + 2);
        (Piece::Comment, end)
    } else {
        let first = text.chars().next().map_or(1, char::len_utf8);
        let blanks = text
            .bytes()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        (Piece::Blank, blanks.max(first))
    }
}

/// Returns the start of the line of `offset`.
pub(crate) fn line_start(source: &str, offset: usize) -> usize {
    source[..offset].rfind('\n').map_or(0, |index| index + 1)
}

/// Returns the blanks at the start of the line of `offset`.
pub(crate) fn line_indent(source: &str, offset: usize) -> &str {
    let line = &source[line_start(source, offset)..];
    let blanks = line
        .bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    &line[..blanks]
}

/// Returns whether only blanks precede `offset` on its line.
pub(crate) fn starts_line(source: &str, offset: usize) -> bool {
    is_blank(&source[line_start(source, offset)..offset])
}

/// Returns whether `text` is empty or only spaces and tabs.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// Returns the line break of the file's first line.
pub(crate) fn line_break(source: &str) -> &'static str {
    match source.find('\n') {
        Some(end) if source[..end].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Returns one step of the file's indentation: a tab, or as many spaces as its least indented line
/// has.
pub(crate) fn indent_unit(source: &str) -> String {
    let mut spaces = usize::MAX;
    for line in source.lines() {
        if line.starts_with('\t') {
            return "\t".to_owned();
        }
        let width = line.bytes().take_while(|&byte| byte == b' ').count();
        // One space is the body of a block comment, more than eight is an alignment. Neither is a
        // step.
        if (2..=8).contains(&width) && width < line.trim_end().len() {
            spaces = spaces.min(width);
        }
    }
    " ".repeat(if spaces == usize::MAX { 2 } else { spaces })
}

/// Inserts `indent` before each line of `text` but the first, and ends the lines with `line_break`.
///
/// Empty lines get no indentation, nor do lines inside one of the `verbatim` ranges (strings,
/// heredocs), because it would change the value.
pub(crate) fn reindent(
    text: &str,
    indent: &str,
    line_break: &str,
    verbatim: &[Range<usize>],
) -> String {
    let mut result = String::with_capacity(text.len());
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let inside = verbatim
            .iter()
            .any(|range| range.start < offset && offset < range.end);
        if offset > 0 && !inside && !content.is_empty() {
            result.push_str(indent);
        }
        result.push_str(content);
        if content.len() < line.len() {
            result.push_str(line_break);
        }
        offset += line.len();
    }
    result
}

/// Returns `source` with `range` replaced by `parts`.
pub(crate) fn splice(source: &str, range: Range<usize>, parts: &[&str]) -> String {
    [
        &source[..range.start],
        &parts.concat(),
        &source[range.end..],
    ]
    .concat()
}

/// Returns whether a word is between these texts: neither adjoins it with a letter, a digit, `-` or
/// `_`.
pub fn is_word(before: &str, after: &str) -> bool {
    let adjoins = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
    !before.ends_with(adjoins) && !after.starts_with(adjoins)
}

/// Replaces `name` in each place where `is_name` accepts the text before it and the text behind it.
pub fn replace_name(
    text: &str,
    name: &str,
    by: &str,
    is_name: impl Fn(&str, &str) -> bool,
) -> String {
    let mut result = String::new();
    let mut end = 0;
    for (start, _) in text.match_indices(name).filter(|_| !name.is_empty()) {
        let after = start + name.len();
        if start >= end && is_name(&text[..start], &text[after..]) {
            result.push_str(&text[end..start]);
            result.push_str(by);
            end = after;
        }
    }
    result + &text[end..]
}
