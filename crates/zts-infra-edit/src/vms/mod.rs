//! The hosts in a map of machines, such as `locals.vms` of `terraform/vms.tf`.
//!
//! ```hcl
//! locals {
//!   vms = {
//!     "web01" = {
//!       ip = "10.0.0.5/24"
//!       # … other attributes of the owner …
//!       vault_wrapped_token = "hvs.…"
//!     }
//!   }
//! }
//! ```
//!
//! The map is a literal one. Its place ([`MapPlace`]) is a path of keys in a file of HCL, JSON or
//! YAML: a local, the default of a variable, an argument of a module, a value of `*.tfvars`. The
//! object in `merge({ … }, local.others)` is such a map, too, and a list of objects with names in
//! the place of one. A map that is computed otherwise (a `for` expression) is
//! [`Error::Unsupported`].

mod add;
mod address;
mod assumption;
mod candidates;
mod decoded;
mod learn;
mod list;
mod locate;
mod new_entry;
mod place;
mod remove;
mod render;
mod token;
mod vm;

use crate::error::Error;
use crate::hcl;
use locate::VmsObject;
use vm::read_vm;

pub use crate::error::MissingValue;
pub use assumption::{Assumption, Reason};
pub use candidates::{MachineMap, choose_maps, list_maps};
pub use decoded::list_decoded_files;
pub use learn::{Learnt, NewMachine, learn_entry, next_number};
pub use place::{MapPlace, Notation};
pub use token::WRAPPING_TOKEN;
pub use vm::Vm;

/// Returns the hosts in the order of the file; none if the file has no such map.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if the map is computed.
pub fn list_vms(source: &str, place: &MapPlace) -> Result<Vec<Vm>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let Some(vms) = VmsObject::locate(text, place)? else {
        return Ok(Vec::new());
    };
    let mut vms: Vec<Vm> = vms.items().iter().filter_map(read_vm).collect();
    put_own_addresses_first(&mut vms);
    Ok(vms)
}

/// Returns the text of an entry.
pub(crate) fn entry_text(source: &str, place: &MapPlace, host: &str) -> Option<String> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let vms = VmsObject::locate(text, place).ok()??;
    let (_, item) = vms.find_host(host)?;
    Some(text[item.range.clone()].to_owned())
}

/// Puts the first address that not all machines have before the others.
fn put_own_addresses_first(vms: &mut [Vm]) {
    let has = |vm: &Vm, address: &String| {
        let mut addresses = vm.ip.iter().chain(&vm.other_addresses);
        addresses.any(|other| other == address)
    };
    let [first, rest @ ..] = &*vms else { return };
    let addresses = first.ip.iter().chain(&first.other_addresses);
    let shared: Vec<String> = addresses
        .filter(|address| !rest.is_empty() && rest.iter().all(|vm| has(vm, address)))
        .cloned()
        .collect();
    for vm in vms {
        let is_shared = |address: &String| shared.contains(address);
        let own = vm
            .other_addresses
            .iter()
            .position(|other| !is_shared(other));
        if let (true, Some(own)) = (vm.ip.as_ref().is_some_and(is_shared), own) {
            let first = vm.ip.replace(vm.other_addresses.remove(own));
            vm.other_addresses.splice(0..0, first);
        }
    }
}

/// Adds a host, and returns the new source.
///
/// `body` is the text between the braces of the new entry: lines of attributes, indented relative
/// to column 0, in HCL or in the file's own notation. Sorted hosts stay sorted; otherwise the new
/// one follows the last. Quoting, `=` or `:`, commas and alignment are those of the other entries.
/// The source stays unchanged if the host's entry has every attribute of `body` with an equal
/// value. Further attributes belong to its owner.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Invalid`] for a `body` that is not a list of attributes;
/// [`Error::Exists`] for a host that exists with other values; [`Error::Unsupported`] for a file
/// without the map, or with a computed one.
pub fn add_vm(source: &str, place: &MapPlace, host: &str, body: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_byte_order_mark(source);
    Ok(mark.to_owned() + &add::add_vm(text, place, host, body)?)
}

/// Sets `vault_wrapped_token` of `host`, and returns the new source.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Missing`] for a host without an entry; [`Error::Unsupported`] for one
/// whose entry is not an object, or whose token is computed.
pub fn set_wrapping_token(
    source: &str,
    place: &MapPlace,
    host: &str,
    token: &str,
) -> Result<String, Error> {
    let (mark, text) = hcl::split_byte_order_mark(source);
    Ok(mark.to_owned() + &token::set_token(text, place, host, token)?)
}

/// Returns the wrapping token of `host`; `None` if it is missing, empty or computed.
///
/// The token is a secret until it is used, so it must not be printed.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Missing`] for a host without an entry; [`Error::Unsupported`] if
/// the map is computed.
pub fn wrapping_token(source: &str, place: &MapPlace, host: &str) -> Result<Option<String>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    token::find_token(text, place, host)
}

/// Removes `host`, and returns the new source; the same one if the host does not exist.
///
/// The comment on the entry's line is removed, too. The removal reverts [`add_vm`] exactly.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if the map is computed.
pub fn remove_vm(source: &str, place: &MapPlace, host: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_byte_order_mark(source);
    Ok(mark.to_owned() + &remove::remove_vm(text, place, host)?)
}
