//! What goes when an entry is removed.

use std::ops::Range;

use super::Block;
use crate::text::{Piece, is_blank, line_start, starts_line, trivia};

impl Block<'_> {
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
