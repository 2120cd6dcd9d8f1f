//! Locates `locals.vms`.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Body};

use crate::error::{Error, ManualEdit, Position};
use crate::hcl::{self, Item};
use crate::layout::{Block, Insertion, Slot, slot_in_order};

/// The object `vms`.
pub(super) struct VmsObject<'a> {
    pub(super) source: &'a str,
    /// The range of the object, braces included.
    pub(super) range: Range<usize>,
    pub(super) items: Vec<Item<'a>>,
}

impl<'a> VmsObject<'a> {
    /// Returns the object; `None` if no `locals` block of the file has an attribute `vms`.
    pub(super) fn locate(source: &'a str, body: &'a Body) -> Result<Option<Self>, Error> {
        let mut attributes = body
            .get_blocks("locals")
            .flat_map(|block| block.body.attributes())
            .filter(|attribute| attribute.key.as_str() == "vms");
        let Some(attribute) = attributes.next() else {
            return Ok(None);
        };
        if let Some(second) = attributes.next() {
            return Err(unsupported_shape(
                source,
                attribute_start(second),
                "`locals.vms` appears twice",
            ));
        }
        let value = hcl::strip_parentheses(&attribute.value);
        let object = match value {
            Expression::Object(object) => value.span().zip(hcl::list_items(object)),
            _ => None,
        };
        let Some((range, items)) = object else {
            let problem = "`locals.vms` is computed, not written as an object";
            return Err(unsupported_shape(
                source,
                attribute_start(attribute),
                problem,
            ));
        };
        let vms = Self {
            source,
            range,
            items,
        };
        vms.check_duplicates().map(|()| Some(vms))
    }

    /// Refuses duplicate names. `web01` and `"web01"` are the same key to OpenTofu, but not to the
    /// parser.
    fn check_duplicates(&self) -> Result<(), Error> {
        let mut seen = std::collections::HashSet::new();
        let names = self
            .items
            .iter()
            .filter_map(|item| item.name.as_deref().map(|name| (name, item)));
        for (name, item) in names {
            if !seen.insert(name) {
                let problem = format!("`{name}` appears twice in `locals.vms`");
                return Err(unsupported_shape(self.source, item.key.start, &problem));
            }
        }
        Ok(())
    }

    /// Finds the entry of `host` and its index.
    pub(super) fn find_host(&self, host: &str) -> Option<(usize, &Item<'a>)> {
        self.items
            .iter()
            .enumerate()
            .find(|(_, item)| item.name.as_deref() == Some(host))
    }

    pub(super) fn block(&self) -> Block<'a> {
        hcl::layout_block(self.source, &self.range, &self.items)
    }

    /// Returns the place for an entry of `host`, and the entry that it is formatted like.
    pub(super) fn insertion(&self, host: &str) -> (Insertion, Option<&Item<'a>>) {
        let block = self.block();
        let all: Vec<usize> = (0..self.items.len()).collect();
        let items = self.items.iter().enumerate();
        let names: Vec<(&str, usize)> = items
            .filter_map(|(index, item)| Some((item.name.as_deref()?, index)))
            .collect();
        let last = all.last().map_or(Slot::Empty, |&last| Slot::After(last));
        let slot = slot_in_order(&names, host).unwrap_or(last);
        let model = match slot {
            Slot::After(index) | Slot::Before(index) => self.items.get(index),
            Slot::Empty => None,
        };
        (block.insertion(slot, block.is_spaced(&all)), model)
    }
}

fn attribute_start(attribute: &Attribute) -> usize {
    attribute.span().map_or(0, |range| range.start)
}

/// Returns the error for a shape that cannot be edited.
pub(super) fn unsupported_shape(source: &str, offset: usize, problem: &str) -> Error {
    Error::Unsupported {
        problem: problem.to_owned(),
        position: Position::at(source, offset),
        manual_edit: ManualEdit::Other("edit it by hand".to_owned()),
    }
}
