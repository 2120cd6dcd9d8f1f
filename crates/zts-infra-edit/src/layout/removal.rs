//! The removal of an entry.

use std::ops::Range;

use super::block::{Block, Separator};
use crate::text::{Piece, is_blank, line_start, split_trivia, starts_line};

impl Block<'_> {
    /// Returns the candidates for the removal of an entry: ranges and their replacements, the most
    /// likely first.
    ///
    /// The caller tries them, because the one that undoes an addition depends on the rest of the
    /// file.
    pub(crate) fn removals(&self, index: usize) -> Vec<(Range<usize>, String)> {
        let entry = self.entries[index].clone();
        let mut candidates = Vec::new();
        let sole = self.entries.len() == 1;
        if sole && self.only_blanks_around(index) {
            let before = &self.source[self.inner.start..entry.start];
            let rests = [self.syntax.empty, "", before];
            candidates.extend(rests.map(|rest| (self.inner.clone(), rest.to_owned())));
        }
        if let (Separator::Comma, Some(before)) = (self.syntax.separator, index.checked_sub(1)) {
            candidates.push((self.entries[before].end..entry.end, String::new()));
        }
        let ranges = match self.tail(index).line_break {
            Some(end) if starts_line(self.source, entry.start) => {
                self.line_removals(line_start(self.source, entry.start)..end.end, index)
            }
            None if self.syntax.separator == Separator::LineBreak => {
                self.last_line_removals(entry.start)
            }
            _ => self.inline_removals(index),
        };
        candidates.extend(ranges.into_iter().map(|range| (range, String::new())));
        candidates
    }

    fn only_blanks_around(&self, index: usize) -> bool {
        let around = [self.gap(index), self.gap(index + 1)];
        !around
            .into_iter()
            .flat_map(|gap| split_trivia(self.source, gap))
            .any(|(piece, _)| piece == Piece::Comment)
    }

    /// Returns the line alone, or with the blank line before or after it.
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
        // Between the neighbours of an entry with blank lines around it, one blank line remains.
        match (with_before, with_after) {
            (Some(before), Some(after)) => vec![before, after, line],
            (Some(before), None) if last => vec![before, line],
            (Some(before), None) => vec![line, before],
            (None, Some(after)) => vec![after, line],
            (None, None) => vec![line],
        }
    }

    /// Returns the rest of a file without a line break at its end, with the one before it, and with
    /// the blank line before that.
    fn last_line_removals(&self, start: usize) -> Vec<Range<usize>> {
        let end_of_line = |start: usize| {
            let before = self.source[..start].trim_end_matches([' ', '\t']);
            let before = before.strip_suffix('\n').unwrap_or(before);
            before.strip_suffix('\r').unwrap_or(before).len()
        };
        let first = end_of_line(start);
        vec![end_of_line(first)..self.inner.end, first..self.inner.end]
    }

    /// Returns the entry with the blanks (and the comma) before it or after it.
    fn inline_removals(&self, index: usize) -> Vec<Range<usize>> {
        let entry = self.entries[index].clone();
        let head = &self.source[self.gap(index).start..entry.start];
        let before = entry.start - (head.len() - head.trim_end_matches([' ', '\t']).len());
        let comma = self.tail(index).comma;
        let end = comma.unwrap_or(entry.end);
        let rest = &self.source[end..self.gap(index + 1).end];
        let after = end + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let mut candidates = Vec::new();
        if let (true, Some(text)) = (comma.is_none(), self.source[..before].strip_suffix(',')) {
            candidates.push(text.len()..entry.end);
        }
        candidates.extend([before..end, entry.start..after, entry.start..end]);
        candidates
    }
}
