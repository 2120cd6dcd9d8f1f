//! Where a new entry goes.

use std::ops::Range;

use super::{Block, Slot};
use crate::text::{Piece, line_break, line_indent, line_start, splice, starts_line, trivia};

/// Where and how a new entry is spliced in.
#[derive(Debug)]
pub(crate) struct Place {
    /// What it replaces: nothing, or the blanks of an empty block.
    pub(crate) range: Range<usize>,
    /// What goes in before the entry.
    pub(crate) before: String,
    /// What goes in after the entry.
    pub(crate) after: String,
    /// What each further line of the entry is indented with.
    pub(crate) indent: String,
    /// The line break to use inside the entry.
    pub(crate) line_break: String,
    /// Whether the entry shares its line with another one or with a brace.
    pub(crate) inline: bool,
}

impl Place {
    /// The source with the entry in it.
    pub(crate) fn insert(&self, source: &str, entry: &str) -> String {
        splice(
            source,
            self.range.clone(),
            &[&self.before, entry, &self.after],
        )
    }
}

impl Block<'_> {
    /// The place for a new entry; `spaced`: entries are separated by blank lines.
    pub(crate) fn place(&self, slot: Slot, spaced: bool) -> Place {
        match slot {
            Slot::After(index) => self.place_after(index, spaced),
            Slot::Before(index) => self.place_before(index, spaced),
            Slot::Empty => self.place_in_empty(),
        }
    }

    fn place_after(&self, index: usize, spaced: bool) -> Place {
        let tail = self.tail(index);
        let end = self.entries[index].end;
        if let Some(found) = tail.line_break {
            let line_break = self.source[found.clone()].to_owned();
            let indent = self.indent(index);
            return Place {
                range: found.start..found.start,
                before: line_break.repeat(if spaced { 2 } else { 1 }) + &indent,
                after: tail.comma.map_or("", |_| ",").to_owned(),
                indent,
                line_break,
                inline: false,
            };
        }
        let (at, before, after) = match tail.comma {
            Some(comma) => (comma, " ", ","),
            None if self.syntax.commas => (end, ", ", ""),
            None => (end, " ", ""),
        };
        self.inline_place(at..at, before, after)
    }

    fn place_before(&self, index: usize, spaced: bool) -> Place {
        let start = self.entries[index].start;
        let Some(at) = self.first_line_of(index) else {
            let after = if self.syntax.commas { ", " } else { " " };
            return self.inline_place(start..start, "", after);
        };
        let line_break = self.last_line_break(self.gap(index));
        let comma = self.tail(index).comma.map_or("", |_| ",");
        let indent = self.indent(index);
        Place {
            range: at..at,
            before: indent.clone(),
            after: comma.to_owned() + &line_break.repeat(if spaced { 2 } else { 1 }),
            indent,
            line_break,
            inline: false,
        }
    }

    fn place_in_empty(&self) -> Place {
        let inner = &self.source[self.inner.clone()];
        let pieces = trivia(self.source, self.inner.clone());
        let comment = pieces.iter().rfind(|(piece, _)| *piece == Piece::Comment);
        let closes_line = starts_line(self.source, self.inner.end)
            && line_start(self.source, self.inner.end) > self.inner.start;
        if closes_line {
            // A blank line tells `{` line break `}` from `{ }`, which gets the same layout without it.
            let extra = usize::from(comment.is_none());
            let at = line_start(self.source, self.inner.end);
            return self.own_line(at..at, extra, "");
        }
        match comment {
            Some((_, comment)) => self.inline_place(comment.end..comment.end, " ", ""),
            None if inner == self.syntax.empty => {
                let outer = line_indent(self.source, self.inner.start).to_owned();
                let mut place = self.own_line(self.inner.clone(), 1, &outer);
                line_break(self.source).clone_into(&mut place.line_break);
                place
            }
            None => {
                let blanks = if inner.is_empty() { " " } else { inner };
                self.inline_place(self.inner.clone(), blanks, blanks)
            }
        }
    }

    /// A line of its own in an empty block, after `extra` line breaks; `closing` stands before the closing brace.
    fn own_line(&self, range: Range<usize>, extra: usize, closing: &str) -> Place {
        let indent = self.inner_indent();
        let line_break = line_break(self.source).to_owned();
        Place {
            range,
            before: line_break.repeat(extra) + &indent,
            after: format!("{line_break}{closing}"),
            indent,
            line_break,
            inline: false,
        }
    }

    fn inline_place(&self, range: Range<usize>, before: &str, after: &str) -> Place {
        Place {
            indent: line_indent(self.source, range.start).to_owned(),
            range,
            before: before.to_owned(),
            after: after.to_owned(),
            line_break: line_break(self.source).to_owned(),
            inline: true,
        }
    }
}
