//! The hosts in `locals.vms` of `terraform/vms.tf`.
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
//! A file may have several `locals` blocks. Exactly one of them has `vms`, as a literal object. A
//! map that a function computes (`merge`, a `for` expression) is [`Error::Unsupported`].

mod add;
mod locate;
mod new_entry;
mod remove;
mod token;

use hcl_edit::expr::Expression;

use crate::error::Error;
use crate::hcl;
use locate::VmsObject;

pub use token::WRAPPING_TOKEN;

/// A host in `locals.vms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// The host's name.
    pub name: String,
    /// The text of the attribute `ip`, such as `10.0.0.5/24`; `None` if it is missing or computed.
    pub ip: Option<String>,
    /// True if `vault_wrapped_token` is set, and neither empty nor `null`.
    pub has_wrapping_token: bool,
}

/// Returns the hosts in the order of the file; none if the file has no `locals.vms`.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if `vms` is computed.
pub fn list_vms(source: &str) -> Result<Vec<Vm>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    let body = hcl::parse_file(text)?;
    let Some(vms) = VmsObject::locate(text, &body)? else {
        return Ok(Vec::new());
    };
    let vms = vms.items.iter().filter_map(|item| {
        let attributes = match hcl::strip_parentheses(item.value) {
            Expression::Object(object) => hcl::list_items(object).unwrap_or_default(),
            _ => Vec::new(),
        };
        let value = |name: &str| {
            let item = attributes
                .iter()
                .find(|item| item.name.as_deref() == Some(name));
            item.map(|item| item.value)
        };
        Some(Vm {
            name: item.name.clone()?,
            ip: value("ip")
                .and_then(token::literal_text)
                .filter(|ip| !ip.is_empty()),
            has_wrapping_token: value(WRAPPING_TOKEN).is_some_and(token::has_value),
        })
    });
    Ok(vms.collect())
}

/// Adds a host, and returns the new source.
///
/// `body` is the text between the braces of the new entry: lines of attributes, indented relative
/// to column 0. Sorted hosts stay sorted; otherwise the new one follows the last. Quoting, `=` or
/// `:`, commas and alignment are those of the other entries. The source stays unchanged if the
/// host's entry has every attribute of `body` with an equal value. Further attributes belong to its
/// owner.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Invalid`] for a `body` that is not a list of attributes;
/// [`Error::Exists`] for a host that exists with other values; [`Error::Unsupported`] for a file
/// without `locals.vms`, or with a computed one.
pub fn add_vm(source: &str, host: &str, body: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_byte_order_mark(source);
    Ok(mark.to_owned() + &add::add_vm(text, host, body)?)
}

/// Sets `vault_wrapped_token` of `host`, and returns the new source.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Missing`] for a host without an entry; [`Error::Unsupported`] for one
/// whose entry is not an object, or whose token is computed.
pub fn set_wrapping_token(source: &str, host: &str, token: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_byte_order_mark(source);
    Ok(mark.to_owned() + &token::set_token(text, host, token)?)
}

/// Returns the wrapping token of `host`; `None` if it is missing, empty or computed.
///
/// The token is a secret until it is used, so it must not be printed.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Missing`] for a host without an entry; [`Error::Unsupported`] if
/// `vms` is computed.
pub fn wrapping_token(source: &str, host: &str) -> Result<Option<String>, Error> {
    let (_, text) = hcl::split_byte_order_mark(source);
    token::find_token(text, host)
}

/// Removes `host`, and returns the new source; the same one if the host does not exist.
///
/// The comment on the entry's line is removed, too. The removal reverts [`add_vm`] exactly.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] if `vms` is computed.
pub fn remove_vm(source: &str, host: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_byte_order_mark(source);
    Ok(mark.to_owned() + &remove::remove_vm(text, host)?)
}
