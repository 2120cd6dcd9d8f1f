//! The origin of a new host's value.

use super::discovery::Discovery;
use crate::vms::Assumption;

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The host exists.
    Existing,
    /// The value was given.
    Given,
    /// The host is a name in a list.
    Name,
    /// The value is like that of this host.
    Learnt(String),
    /// The values differ, and this one is like that of the most typical host.
    Typical {
        /// The most typical host.
        like: String,
        /// The attributes that are left out, because each host has its own.
        left_out: Vec<String>,
    },
    /// The entry is in a file of data, with these values that are assumed.
    Data(Vec<Assumption>),
    /// The flake had no host.
    First,
    /// The flake finds its hosts in a folder, and needs no entry.
    Discovered(Discovery),
}
