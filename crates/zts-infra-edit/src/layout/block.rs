//! Entries between two delimiters, and the blanks and comments around them.

use std::ops::Range;

use crate::text::{
    Piece, indent_unit, line_break, line_indent, line_start, split_trivia, starts_line,
};

/// The neighbour of a new entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// After the entry with this index and the comment on its line.
    After(usize),
    /// Before the entry with this index and the comment lines that belong to it.
    Before(usize),
    /// In a block without entries.
    Empty,
}

/// The notation of a block in one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// The text between the braces of an empty block, as the language's formatter writes it.
    pub(crate) empty: &'static str,
    pub(crate) separator: Separator,
}

/// The text between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// A blank or a line break; each entry has its own end.
    Blank,
    /// A comma or a line break.
    CommaOrLineBreak,
    /// A comma.
    Comma,
    /// A line break; the block has no delimiters.
    LineBreak,
}

/// Entries between two delimiters.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) source: &'a str,
    /// The range between the delimiters.
    pub(crate) inner: Range<usize>,
    /// The entries in order: in Nix with the `;`, in HCL without the comma.
    pub(crate) entries: Vec<Range<usize>>,
    pub(crate) syntax: Syntax,
}

/// The rest of an entry's line.
pub(super) struct Tail {
    /// The end of the comma, if there is one.
    pub(super) comma: Option<usize>,
    /// The line break, unless another entry or the delimiter comes first.
    pub(super) line_break: Option<Range<usize>>,
}

impl Block<'_> {
    /// Returns whether a blank line precedes each of the entries with these indexes (at least two),
    /// except the first, which follows the opening brace or another kind of entry.
    pub(crate) fn is_spaced(&self, indexes: &[usize]) -> bool {
        indexes.len() > 1
            && indexes[1..]
                .iter()
                .all(|&index| self.has_blank_line(self.gap(index)))
    }

    fn has_blank_line(&self, gap: Range<usize>) -> bool {
        let pieces = split_trivia(self.source, gap);
        let mut marks = pieces
            .iter()
            .map(|(piece, _)| *piece)
            .filter(|piece| *piece != Piece::Blank);
        let mut previous = None;
        marks.any(|mark| {
            previous.replace(mark) == Some(Piece::LineBreak) && mark == Piece::LineBreak
        })
    }

    /// Returns the range before the entry with this index; for `entries.len()`, before the closing
    /// delimiter.
    pub(super) fn gap(&self, index: usize) -> Range<usize> {
        let start = if index == 0 {
            self.inner.start
        } else {
            self.entries[index - 1].end
        };
        let end = self
            .entries
            .get(index)
            .map_or(self.inner.end, |entry| entry.start);
        start..end
    }

    /// Returns the rest of the line of the entry with this index.
    pub(super) fn tail(&self, index: usize) -> Tail {
        let mut comma = None;
        for (piece, range) in split_trivia(self.source, self.gap(index + 1)) {
            match piece {
                Piece::Comma => comma = Some(range.end),
                Piece::LineBreak => {
                    return Tail {
                        comma,
                        line_break: Some(range),
                    };
                }
                Piece::Blank | Piece::Comment => {}
            }
        }
        Tail {
            comma,
            line_break: None,
        }
    }

    /// Returns the start of the comment lines directly above an entry, or of its own line; `None`
    /// for an entry that does not begin its line.
    pub(super) fn first_line_of(&self, index: usize) -> Option<usize> {
        let start = self.entries[index].start;
        let gap = self.gap(index);
        let begins_line = line_start(self.source, gap.start) == gap.start;
        let pieces = split_trivia(self.source, gap.clone());
        let mut first = None;
        let mut has_comment = true;
        for (piece, range) in pieces.iter().rev() {
            match piece {
                Piece::LineBreak if has_comment => first = Some(range.end),
                // Comments above a blank line do not belong to the entry.
                Piece::LineBreak => return first,
                Piece::Comment if first.is_none() => return None,
                Piece::Comment | Piece::Comma | Piece::Blank => {}
            }
            has_comment = match piece {
                Piece::LineBreak => false,
                Piece::Comment => true,
                Piece::Blank | Piece::Comma => has_comment,
            };
        }
        if has_comment && begins_line {
            first = Some(gap.start); // the first line of a file
        }
        first.filter(|_| starts_line(self.source, start))
    }

    /// Returns the last line break of a range, or else the file's usual one.
    pub(super) fn last_line_break(&self, gap: Range<usize>) -> String {
        let found = split_trivia(self.source, gap)
            .into_iter()
            .rfind(|(piece, _)| *piece == Piece::LineBreak);
        found.map_or_else(
            || line_break(self.source).to_owned(),
            |(_, range)| self.source[range].to_owned(),
        )
    }

    /// Returns the indentation of the entry with this index, or of another one if it does not begin
    /// its line.
    pub(super) fn indent(&self, index: usize) -> String {
        let own = self.entries.get(index).into_iter().chain(&self.entries);
        own.map(|entry| entry.start)
            .find(|&start| starts_line(self.source, start))
            .map_or_else(
                || self.inner_indent(),
                |start| line_indent(self.source, start).to_owned(),
            )
    }

    /// Returns the indentation of an entry in an empty block.
    pub(super) fn inner_indent(&self) -> String {
        line_indent(self.source, self.inner.start).to_owned() + &indent_unit(self.source)
    }
}
