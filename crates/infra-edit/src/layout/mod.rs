//! Where an entry goes between a pair of braces, and what goes when it is removed.
//!
//! The same for an attribute set of Nix and an object of HCL: entries, blanks and comments between two delimiters. The
//! rules are chosen so that no two sources give the same result, and an entry that was added can be taken out again
//! without a trace.

mod cut;
mod place;

use std::ops::Range;

pub(crate) use place::Place;

use crate::text::{Piece, indent_unit, line_break, line_indent, starts_line, trivia};

/// Which neighbour a new entry stands next to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// After the entry of this index, and after the comment on its line.
    After(usize),
    /// Before the entry of this index, and before the comment lines that belong to it.
    Before(usize),
    /// In a block that has no entry yet.
    Empty,
}

/// How a language writes a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// What its formatter leaves between the braces of an empty block.
    pub(crate) empty: &'static str,
    /// Whether entries on one line are separated by commas.
    pub(crate) commas: bool,
}

/// Entries between two delimiters.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) source: &'a str,
    /// Between the delimiters.
    pub(crate) inner: Range<usize>,
    /// Each entry in order: in Nix with its `;`, in HCL without its comma.
    pub(crate) entries: Vec<Range<usize>>,
    pub(crate) syntax: Syntax,
}

/// What follows an entry on its own line.
struct Tail {
    /// The end of the comma, if there is one.
    comma: Option<usize>,
    /// The line break, unless something else comes first.
    line_break: Option<Range<usize>>,
}

impl Block<'_> {
    /// Whether each of `indexes` (two at least) is set apart from what stands before it by a blank line.
    ///
    /// The first does not count: it follows the opening brace or something else.
    pub(crate) fn is_spaced(&self, indexes: &[usize]) -> bool {
        indexes.len() > 1
            && indexes[1..]
                .iter()
                .all(|&index| self.blank_line_in(self.gap(index)))
    }

    fn blank_line_in(&self, gap: Range<usize>) -> bool {
        let pieces = trivia(self.source, gap);
        let mut marks = pieces
            .iter()
            .map(|(piece, _)| *piece)
            .filter(|piece| *piece != Piece::Blank);
        let mut previous = None;
        marks.any(|mark| {
            previous.replace(mark) == Some(Piece::LineBreak) && mark == Piece::LineBreak
        })
    }

    /// The text before the entry of this index; for `entries.len()`, before the closing delimiter.
    fn gap(&self, index: usize) -> Range<usize> {
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

    fn tail(&self, index: usize) -> Tail {
        let mut comma = None;
        for (piece, range) in trivia(self.source, self.gap(index + 1)) {
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

    /// The first of the comment lines that stand directly above an entry, or its own line; `None` for an entry that does
    /// not begin its line.
    fn first_line_of(&self, index: usize) -> Option<usize> {
        let start = self.entries[index].start;
        let gap = self.gap(index);
        let pieces = trivia(self.source, gap);
        let mut first = None;
        let mut has_comment = true;
        for (piece, range) in pieces.iter().rev() {
            match piece {
                Piece::LineBreak if has_comment => first = Some(range.end),
                // A blank line ends what belongs to the entry.
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
        first.filter(|_| starts_line(self.source, start))
    }

    fn last_line_break(&self, gap: Range<usize>) -> String {
        let found = trivia(self.source, gap)
            .into_iter()
            .rfind(|(piece, _)| *piece == Piece::LineBreak);
        found.map_or_else(
            || line_break(self.source).to_owned(),
            |(_, range)| self.source[range].to_owned(),
        )
    }

    /// The indentation of the entry of this index; if it does not begin its line, that of one that does.
    fn indent(&self, index: usize) -> String {
        let own = self.entries.get(index).into_iter().chain(&self.entries);
        own.map(|entry| entry.start)
            .find(|&start| starts_line(self.source, start))
            .map_or_else(
                || self.inner_indent(),
                |start| line_indent(self.source, start).to_owned(),
            )
    }

    fn inner_indent(&self) -> String {
        line_indent(self.source, self.inner.start).to_owned() + &indent_unit(self.source)
    }
}
