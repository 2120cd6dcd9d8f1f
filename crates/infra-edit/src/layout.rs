//! Where an entry goes between a pair of braces, and what goes when it is removed.
//!
//! The same for an attribute set of Nix and an object of HCL: entries, blanks and comments between two delimiters. The
//! rules are chosen so that no two sources give the same result, and an entry that was added can be taken out again
//! without a trace.

use std::ops::Range;

use crate::text::{
    Piece, indent_unit, is_blank, line_break, line_indent, line_start, splice, starts_line, trivia,
};

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

/// What follows an entry on its own line.
struct Tail {
    /// The end of the comma, if there is one.
    comma: Option<usize>,
    /// The line break, unless something else comes first.
    line_break: Option<Range<usize>>,
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
            let extra = if comment.is_some() { 0 } else { 1 };
            let at = line_start(self.source, self.inner.end);
            return self.own_line(at..at, extra, "");
        }
        match comment {
            Some((_, comment)) => self.inline_place(comment.end..comment.end, " ", ""),
            None if inner == self.syntax.empty => {
                let outer = line_indent(self.source, self.inner.start).to_owned();
                let mut place = self.own_line(self.inner.clone(), 1, &outer);
                place.line_break = line_break(self.source).to_owned();
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

    /// The ways in which the entry of this index can be cut out, each as a range and what replaces it, the most likely
    /// one first.
    ///
    /// Which one undoes an addition depends on the rest of the file; the caller tries them.
    pub(crate) fn removals(&self, index: usize) -> Vec<(Range<usize>, String)> {
        let entry = self.entries[index].clone();
        let mut ways = Vec::new();
        let sole = self.entries.len() == 1;
        if sole && self.only_blanks_around(index) {
            let before = &self.source[self.inner.start..entry.start];
            let rests = [self.syntax.empty, "", before];
            ways.extend(rests.map(|rest| (self.inner.clone(), rest.to_owned())));
        }
        let cuts = match self.tail(index).line_break {
            Some(end) if starts_line(self.source, entry.start) => {
                self.line_removals(line_start(self.source, entry.start)..end.end, index)
            }
            _ => self.inline_removals(index),
        };
        ways.extend(cuts.into_iter().map(|range| (range, String::new())));
        ways
    }

    fn only_blanks_around(&self, index: usize) -> bool {
        let around = [self.gap(index), self.gap(index + 1)];
        !around
            .into_iter()
            .flat_map(|gap| trivia(self.source, gap))
            .any(|(piece, _)| piece == Piece::Comment)
    }

    /// The line alone, or with the blank line before or after it.
    fn line_removals(&self, line: Range<usize>, index: usize) -> Vec<Range<usize>> {
        let before = &self.source[self.inner.start.min(line.start)..line.start];
        let blank_before = before
            .strip_suffix('\n')
            .map(|text| line_start(text, text.len()))
            .map(|start| (start, &before[start..]))
            .filter(|(start, text)| *start > 0 && is_blank(text.trim_end()))
            .map(|(start, _)| self.inner.start + start);
        let after = &self.source[line.end..self.inner.end.max(line.end)];
        let blank_after = after
            .split_inclusive('\n')
            .next()
            .filter(|text| text.ends_with('\n') && is_blank(text.trim_end()))
            .map(|text| line.end + text.len());
        let last = index + 1 == self.entries.len();
        let with_before = blank_before.map(|start| start..line.end);
        let with_after = blank_after.map(|end| line.start..end);
        // One blank line, not two or none, is left where the entry stood apart.
        match (with_before, with_after) {
            (Some(before), Some(after)) => vec![before, after, line],
            (Some(before), None) if last => vec![before, line],
            (Some(before), None) => vec![line, before],
            (None, Some(after)) => vec![after, line],
            (None, None) => vec![line],
        }
    }

    /// The entry with the blanks (and the comma) before it or after it.
    fn inline_removals(&self, index: usize) -> Vec<Range<usize>> {
        let entry = self.entries[index].clone();
        let head = &self.source[self.gap(index).start..entry.start];
        let before = entry.start - (head.len() - head.trim_end_matches([' ', '\t']).len());
        let comma = self.tail(index).comma;
        let end = comma.unwrap_or(entry.end);
        let rest = &self.source[end..self.gap(index + 1).end];
        let after = end + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let mut ways = Vec::new();
        if let (true, Some(text)) = (comma.is_none(), self.source[..before].strip_suffix(',')) {
            ways.push(text.len()..entry.end);
        }
        ways.extend([before..end, entry.start..after, entry.start..end]);
        ways
    }
}
