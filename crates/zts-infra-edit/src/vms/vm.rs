//! A host in a map of machines.

use super::address::list_addresses;
use super::token::WRAPPING_TOKEN;
use crate::tree::Item;

/// A host in a map of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// The host's name.
    pub name: String,
    /// Its address as written, such as `10.0.0.5/24` or `10.0.0.5`; `None` if it is missing or
    /// computed.
    pub ip: Option<String>,
    /// Its further addresses.
    pub other_addresses: Vec<String>,
    /// True if the entry is an address, which can have no attribute.
    pub is_address: bool,
    /// True if `vault_wrapped_token` is set, and neither empty nor `null`.
    pub has_wrapping_token: bool,
}

/// Returns an entry as a host; `None` if its key is computed.
pub(super) fn read_vm(item: &Item) -> Option<Vm> {
    let mut addresses = list_addresses(&item.value).into_iter();
    Some(Vm {
        name: item.name.clone()?,
        ip: addresses.next(),
        other_addresses: addresses.collect(),
        is_address: item.value.text().is_some(),
        has_wrapping_token: item
            .value
            .get(WRAPPING_TOKEN)
            .is_some_and(|token| token.value.has_value()),
    })
}
