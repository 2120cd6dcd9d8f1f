//! Lines, line breaks, and the trivia (blanks, comments) between entries.

use std::ops::Range;

/// One piece of the text between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Spaces and tabs.
    Blank,
    /// `\n` or `\r\n`.
    LineBreak,
    /// `# …` or `// …` up to the end of the line, or `/* … */`.
    Comment,
    /// A `,` between items of an HCL object.
    Comma,
}

/// Cuts the text between two entries, `range` of `source`, into pieces that follow each other without a hole.
pub(crate) fn trivia(source: &str, range: Range<usize>) -> Vec<(Piece, Range<usize>)> {
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

/// Where the line that holds `offset` begins.
pub(crate) fn line_start(source: &str, offset: usize) -> usize {
    source[..offset].rfind('\n').map_or(0, |index| index + 1)
}

/// The blanks that the line holding `offset` begins with.
pub(crate) fn line_indent(source: &str, offset: usize) -> &str {
    let line = &source[line_start(source, offset)..];
    let blanks = line
        .bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    &line[..blanks]
}

/// Whether only blanks stand between the beginning of the line and `offset`.
pub(crate) fn starts_line(source: &str, offset: usize) -> bool {
    is_blank(&source[line_start(source, offset)..offset])
}

/// Whether `text` is empty or only spaces and tabs.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// The line break that the file uses: that of its first line.
pub(crate) fn line_break(source: &str) -> &'static str {
    match source.find('\n') {
        Some(end) if source[..end].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// One step of indentation as the file has it: a tab, or as many spaces as its least indented line.
pub(crate) fn indent_unit(source: &str) -> String {
    let mut spaces = usize::MAX;
    for line in source.lines() {
        if line.starts_with('\t') {
            return "\t".to_owned();
        }
        let width = line.bytes().take_while(|&byte| byte == b' ').count();
        // One space is the body of a block comment, more than eight is an alignment: neither is a step.
        if (2..=8).contains(&width) && width < line.trim_end().len() {
            spaces = spaces.min(width);
        }
    }
    " ".repeat(if spaces == usize::MAX { 2 } else { spaces })
}

/// Puts `indent` before each line of `text` but the first, and ends its lines with `line_break`.
///
/// Lines that begin inside one of the `verbatim` ranges (strings, heredocs) and empty lines get no indentation, because
/// there it would change the value.
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

/// `source` with `range` replaced by `parts`.
pub(crate) fn splice(source: &str, range: Range<usize>, parts: &[&str]) -> String {
    [
        &source[..range.start],
        &parts.concat(),
        &source[range.end..],
    ]
    .concat()
}
