//! A parsed file as a tree of values with their places, the same for every notation.

use std::ops::Range;

use hcl_edit::expr::Expression;

use crate::hcl::equality::are_equal;

/// A value, and its place in the source.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The range of the value. That of a block of YAML begins after the colon of its key.
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
}

/// A kind of value.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A map that is written out.
    Map(Vec<Item>),
    /// A block of HCL, or its labels. It has items, but is no value.
    Section(Vec<Item>),
    List(Vec<Node>),
    /// A string without templates.
    Text(String),
    /// A number, a truth value, or an alias of YAML, as written.
    Literal(String),
    Null,
    /// Any other expression.
    Computed(Box<Expression>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// `None` if the key is computed.
    pub(crate) name: Option<String>,
    pub(crate) key: Range<usize>,
    pub(crate) value: Node,
    /// The range from the key to the end of the value, without a comma.
    pub(crate) range: Range<usize>,
}

/// Values are equal regardless of their places and their layout.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Map(left), Kind::Map(right)) | (Kind::Section(left), Kind::Section(right)) => {
                left == right
            }
            (Kind::List(left), Kind::List(right)) => left == right,
            (Kind::Text(left), Kind::Text(right)) | (Kind::Literal(left), Kind::Literal(right)) => {
                left == right
            }
            (Kind::Null, Kind::Null) => true,
            (Kind::Computed(left), Kind::Computed(right)) => are_equal(left, right),
            _ => false,
        }
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

impl Node {
    /// Returns the items of a map; `None` for any other value.
    pub(crate) fn items(&self) -> Option<&[Item]> {
        match &self.kind {
            Kind::Map(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the item of this name, of a map or a section.
    pub(crate) fn get(&self, name: &str) -> Option<&Item> {
        let (Kind::Map(items) | Kind::Section(items)) = &self.kind else {
            return None;
        };
        items.iter().find(|item| item.name.as_deref() == Some(name))
    }

    /// Returns the text of a string without templates.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether there is a value, which may be computed.
    pub(crate) fn has_value(&self) -> bool {
        !matches!(self.kind, Kind::Null) && self.text() != Some("")
    }

    /// Returns whether this is a heredoc of HCL.
    pub(crate) fn is_heredoc(&self) -> bool {
        matches!(&self.kind, Kind::Computed(value) if matches!(**value, Expression::HeredocTemplate(_)))
    }
}
