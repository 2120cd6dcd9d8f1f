//! A host to add to a flake, and the result of the addition to one place.

use std::collections::BTreeMap;

use super::origin::Origin;

/// A host to add, and its value.
#[derive(Clone, Copy, Debug)]
pub struct NewHost<'a> {
    /// The name.
    pub name: &'a str,
    /// The text of the value; `None` to learn it from the other hosts.
    pub value: Option<&'a str>,
    /// The address with its prefix length, for the places where the other hosts have theirs.
    pub address: Option<&'a str>,
    /// The hosts to learn from, if any of them is there; all if it is empty.
    pub like: &'a [String],
    /// The system of Nix, in place of the one that the other hosts have.
    pub system: Option<&'a str>,
    /// The file or folder with the configuration of a flake's first host, from the fleet's root.
    pub module: &'a str,
    /// The values of attributes that cannot be learnt, by their names.
    pub values: &'a BTreeMap<String, String>,
}

/// The values of a host without any.
pub(super) const NO_VALUES: &BTreeMap<String, String> = &BTreeMap::new();

/// The address of a host whose files alone are asked for. An existing host may have any other.
pub const ANY_ADDRESS: &str = "192.0.2.1/32";

/// An edited file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// The path from the fleet's root.
    pub path: String,
    /// The new text.
    pub text: String,
}

/// The result of an addition to one output.
#[derive(Clone, Debug)]
pub(super) struct Addition {
    /// The edit; `None` if the host exists.
    pub(super) edit: Option<FileEdit>,
    /// The file of the entry; empty if there is none.
    pub(super) file: String,
    /// The text of the value.
    pub(super) value: String,
    /// The origin of the value.
    pub(super) origin: Origin,
}
