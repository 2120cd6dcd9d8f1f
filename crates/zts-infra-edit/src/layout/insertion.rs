//! The place of a new entry.

use std::ops::Range;

use super::block::{Block, Separator, Slot};
use crate::text::{Piece, line_break, line_indent, line_start, splice, split_trivia, starts_line};

/// The place of a new entry, and the text around it.
#[derive(Debug)]
pub(crate) struct Insertion {
    /// The range that is replaced: empty, or the blanks of an empty block.
    pub(crate) range: Range<usize>,
    /// The text before the entry.
    pub(crate) before: String,
    /// The text after the entry.
    pub(crate) after: String,
    /// The indentation of each further line of the entry.
    pub(crate) indent: String,
    /// The line break inside the entry.
    pub(crate) line_break: String,
    /// True if the entry shares its line with another entry or with a brace.
    pub(crate) inline: bool,
}

impl Insertion {
    /// Returns the source with the entry.
    pub(crate) fn insert(&self, source: &str, entry: &str) -> String {
        splice(
            source,
            self.range.clone(),
            &[&self.before, entry, &self.after],
        )
    }
}

impl Block<'_> {
    /// Returns the place for a new entry. Blank lines separate it from its neighbours if `spaced`.
    pub(crate) fn insertion(&self, slot: Slot, spaced: bool) -> Insertion {
        match slot {
            Slot::After(index) => self.insertion_after(index, spaced),
            Slot::Before(index) => self.insertion_before(index, spaced),
            Slot::Empty => self.insertion_in_empty(),
        }
    }

    fn insertion_after(&self, index: usize, spaced: bool) -> Insertion {
        let tail = self.tail(index);
        let end = self.entries[index].end;
        let separator = self.syntax.separator;
        let last_line = self.inner.end..self.inner.end;
        let is_block = separator == Separator::LineBreak;
        if let Some(found) = tail.line_break.or(is_block.then_some(last_line)) {
            let line_break = match &self.source[found.clone()] {
                "" => line_break(self.source),
                found => found,
            };
            let line_break = line_break.to_owned();
            let indent = self.indent(index);
            let needs_comma = separator == Separator::Comma && tail.comma.is_none();
            let at = if needs_comma { end } else { found.start };
            let comma = if needs_comma { "," } else { "" };
            return Insertion {
                range: at..at,
                before: comma.to_owned() + &line_break.repeat(if spaced { 2 } else { 1 }) + &indent,
                after: tail.comma.map_or("", |_| ",").to_owned(),
                indent,
                line_break,
                inline: false,
            };
        }
        let (at, before, after) = match tail.comma {
            Some(comma) => (comma, " ", ","),
            None if separator == Separator::Blank => (end, " ", ""),
            None => (end, ", ", ""),
        };
        self.inline_insertion(at..at, before, after)
    }

    fn insertion_before(&self, index: usize, spaced: bool) -> Insertion {
        let start = self.entries[index].start;
        let Some(at) = self.first_line_of(index) else {
            let is_blank = self.syntax.separator == Separator::Blank;
            let after = if is_blank { " " } else { ", " };
            return self.inline_insertion(start..start, "", after);
        };
        let line_break = self.last_line_break(self.gap(index));
        let needs_comma = self.syntax.separator == Separator::Comma;
        let has_comma = needs_comma || self.tail(index).comma.is_some();
        let comma = if has_comma { "," } else { "" };
        let indent = self.indent(index);
        Insertion {
            range: at..at,
            before: indent.clone(),
            after: comma.to_owned() + &line_break.repeat(if spaced { 2 } else { 1 }),
            indent,
            line_break,
            inline: false,
        }
    }

    fn insertion_in_empty(&self) -> Insertion {
        let inner = &self.source[self.inner.clone()];
        let pieces = split_trivia(self.source, self.inner.clone());
        let comment = pieces.iter().rfind(|(piece, _)| *piece == Piece::Comment);
        let closes_line = starts_line(self.source, self.inner.end)
            && line_start(self.source, self.inner.end) > self.inner.start;
        if closes_line {
            // The blank line distinguishes the result from that of `{ }`, so that a removal
            // restores the right one.
            let extra = usize::from(comment.is_none());
            let at = line_start(self.source, self.inner.end);
            return self.own_line_insertion(at..at, extra, "");
        }
        match comment {
            Some((_, comment)) => self.inline_insertion(comment.end..comment.end, " ", ""),
            None if inner == self.syntax.empty => {
                let outer = line_indent(self.source, self.inner.start).to_owned();
                let mut insertion = self.own_line_insertion(self.inner.clone(), 1, &outer);
                line_break(self.source).clone_into(&mut insertion.line_break);
                insertion
            }
            None => {
                let blanks = if inner.is_empty() { " " } else { inner };
                self.inline_insertion(self.inner.clone(), blanks, blanks)
            }
        }
    }

    /// Returns a line of its own in an empty block, after `extra` line breaks, with `closing`
    /// before the closing brace.
    fn own_line_insertion(&self, range: Range<usize>, extra: usize, closing: &str) -> Insertion {
        let indent = self.inner_indent();
        let line_break = line_break(self.source).to_owned();
        Insertion {
            range,
            before: line_break.repeat(extra) + &indent,
            after: format!("{line_break}{closing}"),
            indent,
            line_break,
            inline: false,
        }
    }

    fn inline_insertion(&self, range: Range<usize>, before: &str, after: &str) -> Insertion {
        Insertion {
            indent: line_indent(self.source, range.start).to_owned(),
            range,
            before: before.to_owned(),
            after: after.to_owned(),
            line_break: line_break(self.source).to_owned(),
            inline: true,
        }
    }
}
