//! Finds `locals.vms`.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Body};

use crate::error::{Error, Position};
use crate::hcl::{self, Item};
use crate::layout::{Block, Place, Slot};
use crate::order;

/// The object `vms`.
pub(super) struct Vms<'a> {
    pub(super) source: &'a str,
    /// The object, braces included.
    pub(super) range: Range<usize>,
    pub(super) items: Vec<Item<'a>>,
}

impl<'a> Vms<'a> {
    /// `None` where no `locals` block of the file has an attribute `vms`.
    pub(super) fn locate(source: &'a str, body: &'a Body) -> Result<Option<Self>, Error> {
        let mut attributes = body
            .get_blocks("locals")
            .flat_map(|block| block.body.attributes())
            .filter(|attribute| attribute.key.as_str() == "vms");
        let Some(attribute) = attributes.next() else {
            return Ok(None);
        };
        if let Some(second) = attributes.next() {
            return Err(unsupported(
                source,
                start(second),
                "`locals.vms` is there twice",
            ));
        }
        let value = hcl::peel(&attribute.value);
        let object = match value {
            Expression::Object(object) => value.span().zip(hcl::items(object)),
            _ => None,
        };
        let Some((range, items)) = object else {
            let what = "`locals.vms` is computed, not written as an object";
            return Err(unsupported(source, start(attribute), what));
        };
        let vms = Self {
            source,
            range,
            items,
        };
        vms.check_names().map(|()| Some(vms))
    }

    /// `web01` and `"web01"` are one key to OpenTofu, but two to the parser.
    fn check_names(&self) -> Result<(), Error> {
        let mut seen = std::collections::HashSet::new();
        let names = self
            .items
            .iter()
            .filter_map(|item| item.name.as_deref().map(|name| (name, item)));
        for (name, item) in names {
            if !seen.insert(name) {
                let what = format!("`{name}` is twice in `locals.vms`");
                return Err(unsupported(self.source, item.key.start, &what));
            }
        }
        Ok(())
    }

    /// The entry of `host` and its index.
    pub(super) fn host(&self, host: &str) -> Option<(usize, &Item<'a>)> {
        self.items
            .iter()
            .enumerate()
            .find(|(_, item)| item.name.as_deref() == Some(host))
    }

    pub(super) fn block(&self) -> Block<'a> {
        hcl::block(self.source, &self.range, &self.items)
    }

    /// Where an entry for `host` goes, and the entry that it is written like.
    pub(super) fn place(&self, host: &str) -> (Place, Option<&Item<'a>>) {
        let block = self.block();
        let all: Vec<usize> = (0..self.items.len()).collect();
        let items = self.items.iter().enumerate();
        let names: Vec<(&str, usize)> = items
            .filter_map(|(index, item)| Some((item.name.as_deref()?, index)))
            .collect();
        let last = all.last().map_or(Slot::Empty, |&last| Slot::After(last));
        let slot = order::slot(&names, host).unwrap_or(last);
        let model = match slot {
            Slot::After(index) | Slot::Before(index) => self.items.get(index),
            Slot::Empty => None,
        };
        (block.place(slot, block.is_spaced(&all)), model)
    }
}

fn start(attribute: &Attribute) -> usize {
    attribute.span().map_or(0, |range| range.start)
}

/// A shape that cannot be edited, without lines to add.
pub(super) fn unsupported(source: &str, offset: usize, what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        position: Position::at(source, offset),
        lines_to_add: String::new(),
        place: "edit it by hand".to_owned(),
    }
}
