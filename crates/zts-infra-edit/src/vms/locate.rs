//! Locates a map of machines.

use super::list;
use super::place::{MapPlace, Notation};
use crate::error::{Error, ManualEdit, Position};
use crate::layout::{Block, Insertion, Separator, Slot, slot_in_order};
use crate::text::{indent_unit, is_blank, line_break, line_indent, starts_line};
use crate::toml;
use crate::tree::{Item, Kind, Node};

/// A map of machines.
pub(super) struct VmsObject<'a> {
    pub(super) source: &'a str,
    pub(super) place: &'a MapPlace,
    pub(super) map: Node,
    /// The attribute with a machine's name, of a list of objects.
    pub(super) list_key: Option<&'static str>,
}

impl<'a> VmsObject<'a> {
    /// Returns the map; `None` if the file has none at this place.
    pub(super) fn locate(source: &'a str, place: &'a MapPlace) -> Result<Option<Self>, Error> {
        let root = place.notation.parse(source)?;
        let mut found = vec![(0, root)];
        for name in &place.path {
            found = found
                .into_iter()
                .flat_map(|(_, node)| into_children(node, name))
                .collect();
        }
        if let Some((second, _)) = found.get(1) {
            let problem = format!("{place} appears twice");
            return Err(unsupported_shape(source, *second, &problem));
        }
        let Some((start, mut map)) = found.pop() else {
            return Ok(None);
        };
        if let (Kind::Null, true) = (&map.kind, place.notation.is_block(source, &map.range)) {
            map.kind = Kind::Map(Vec::new());
        }
        let mut list_key = None;
        if let Kind::List(values) = &map.kind {
            list_key = list::name_attribute(values);
        }
        if let (Some(attribute), Kind::List(values)) = (list_key, &map.kind) {
            map.kind = Kind::Map(list::into_items(source, attribute, values.clone()));
        }
        if map.items().is_none() {
            let problem = format!("{place} is computed, not written as an object");
            return Err(unsupported_shape(source, start, &problem));
        }
        let vms = Self {
            source,
            place,
            map,
            list_key,
        };
        vms.check_tables()?;
        vms.check_duplicates().map(|()| Some(vms))
    }

    pub(super) fn items(&self) -> &[Item] {
        self.map.items().unwrap_or_default()
    }

    /// Refuses tables of TOML that are not one after another, or have no header.
    fn check_tables(&self) -> Result<(), Error> {
        let items = self.items();
        if !self.has_headers() {
            return Ok(());
        }
        let has_header = |item: &Item| match self.list_key {
            Some(_) => self.source[item.range.start..].starts_with("[["),
            None => toml::has_header(self.source, item),
        };
        let is_apart = |item: &Item| {
            let before = items.iter().map(|other| other.range.end);
            let end = before.filter(|end| *end <= item.range.start).max();
            let gap = end.map_or("", |end| &self.source[end..item.range.start]);
            let is_trivia = |line: &str| line.is_empty() || line.starts_with('#');
            !gap.lines().map(str::trim).all(is_trivia)
        };
        let is_inside = |item: &Item| {
            let mut others = items.iter();
            others.any(|other| {
                other.range.start < item.range.start && item.range.start < other.range.end
            })
        };
        let is_other = |item: &&Item| !has_header(item) || is_apart(item) || is_inside(item);
        match items.iter().find(is_other) {
            None => Ok(()),
            Some(item) => {
                let problem = format!("the tables of {} are in several places", self.place);
                Err(unsupported_shape(self.source, item.range.start, &problem))
            }
        }
    }

    /// Returns whether the entries are tables of TOML with a header each.
    pub(super) fn has_headers(&self) -> bool {
        let is_table = |item: &Item| {
            let range = &item.value.range;
            item.value.items().is_some() && !toml::is_inline(self.source, range)
        };
        let is_block = self.place.notation.is_block(self.source, &self.map.range);
        let mut items = self.items().iter();
        self.place.notation == Notation::Toml
            && is_block
            && (self.items().is_empty() || items.any(is_table))
    }

    /// Refuses duplicate names. `web01` and `"web01"` are the same key to OpenTofu, but not to the
    /// parser.
    fn check_duplicates(&self) -> Result<(), Error> {
        let mut seen = std::collections::HashSet::new();
        let names = self
            .items()
            .iter()
            .filter_map(|item| item.name.as_deref().map(|name| (name, item)));
        for (name, item) in names {
            if !seen.insert(name) {
                let problem = format!("`{name}` appears twice in {}", self.place);
                return Err(unsupported_shape(self.source, item.key.start, &problem));
            }
        }
        Ok(())
    }

    /// Finds the entry of `host` and its index.
    pub(super) fn find_host(&self, host: &str) -> Option<(usize, &Item)> {
        self.items()
            .iter()
            .enumerate()
            .find(|(_, item)| item.name.as_deref() == Some(host))
    }

    pub(super) fn block(&self) -> Block<'a> {
        let (notation, range) = (self.place.notation, &self.map.range);
        let mut block = notation.layout(self.source, range, self.items());
        if self.list_key.is_some() && block.syntax.separator == Separator::CommaOrLineBreak {
            block.syntax.separator = Separator::Comma;
        }
        block
    }

    /// Returns the place for an entry, and the entry that it is formatted like.
    pub(super) fn insertion(&self, new: &NewItem<'_>) -> (Insertion, Option<&Item>) {
        if let Some(insertion) = self.insertion_in_empty_block() {
            return (insertion, None);
        }
        let block = self.block();
        let all: Vec<usize> = (0..self.items().len()).collect();
        let items = self.items().iter().enumerate();
        let names: Vec<(&str, usize)> = items
            .filter_map(|(index, item)| Some((item.name.as_deref()?, index)))
            .collect();
        let last = all.last().map_or(Slot::Empty, |&last| Slot::After(last));
        let slot = slot_in_order(&names, new.host).unwrap_or(last);
        let model = match slot {
            Slot::After(index) | Slot::Before(index) => self.items().get(index),
            Slot::Empty => None,
        };
        let is_spaced = block.is_spaced(&all) || (self.has_headers() && all.len() == 1);
        match model {
            // The others would have to be aligned anew: a blank line keeps them as they are.
            Some(model) if !is_spaced && self.breaks_alignment(model, new) => {
                (block.insertion(last, true), None)
            }
            model => (block.insertion(slot, is_spaced), model),
        }
    }

    /// Returns whether `tofu fmt` would move the `=` of other entries for a longer key.
    fn breaks_alignment(&self, model: &Item, new: &NewItem<'_>) -> bool {
        self.place.notation == Notation::Hcl
            && new.is_one_line
            && alignment(self.source, model).is_some_and(|column| new.key_width >= column)
    }

    /// Returns the place of the first entry of YAML: on a line below the key, instead of `{}`.
    fn insertion_in_empty_block(&self) -> Option<Insertion> {
        let (source, range) = (self.source, &self.map.range);
        let text = &source[range.clone()];
        let start = range.start - usize::from(text == "{}");
        let rest = source[range.end..].lines().next().unwrap_or_default();
        let is_empty = ["", "{}"].contains(&text) && is_blank(rest);
        let is_yaml = self.place.notation == Notation::Yaml && !self.place.path.is_empty();
        if !is_yaml || !is_empty || !source[..start].ends_with(':') {
            return None;
        }
        let indent = line_indent(source, start).to_owned() + &indent_unit(source);
        let line_break = line_break(source).to_owned();
        // The blank line distinguishes the result from that of `{}`, so that a removal restores the
        // right one.
        let breaks = if text.is_empty() { 2 } else { 1 };
        Some(Insertion {
            range: start..range.end,
            before: line_break.repeat(breaks) + &indent,
            after: String::new(),
            indent,
            line_break,
            inline: false,
        })
    }
}

/// The form of a new entry, which its place depends on.
pub(super) struct NewItem<'a> {
    pub(super) host: &'a str,
    /// The number of characters of the key as written.
    pub(super) key_width: usize,
    pub(super) is_one_line: bool,
}

/// Returns the column of the `=` of an entry with a line of its own, counted from its key; `None`
/// for any other.
pub(super) fn alignment(source: &str, model: &Item) -> Option<usize> {
    let between = &source[model.key.end..model.range.end];
    let blanks = between.len() - between.trim_start_matches([' ', '\t']).len();
    let is_aligned = between[blanks..].starts_with('=')
        && starts_line(source, model.key.start)
        && !source[model.range.clone()].contains('\n');
    is_aligned.then(|| source[model.key.clone()].chars().count() + blanks)
}

/// Returns the values of this name, each with the start of its key.
fn into_children(node: Node, name: &str) -> Vec<(usize, Node)> {
    let (Kind::Map(items) | Kind::Section(items)) = node.kind else {
        return Vec::new();
    };
    let named = items
        .into_iter()
        .filter(|item| item.name.as_deref() == Some(name));
    named.map(|item| (item.key.start, item.value)).collect()
}

/// Returns the error for a shape that cannot be edited.
pub(super) fn unsupported_shape(source: &str, offset: usize, problem: &str) -> Error {
    Error::Unsupported {
        problem: problem.to_owned(),
        position: Position::at(source, offset),
        manual_edit: ManualEdit::Other("edit it by hand".to_owned()),
    }
}
