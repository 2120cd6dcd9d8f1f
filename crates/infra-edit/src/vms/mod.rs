//! The hosts in `locals.vms` of `terraform/vms.tf`.
//!
//! ```hcl
//! locals {
//!   vms = {
//!     "web01" = {
//!       ip = "10.0.0.5/24"
//!       # … whatever the owner of the fleet wants …
//!       vault_wrapped_token = "hvs.…"
//!     }
//!   }
//! }
//! ```
//!
//! A file may have several `locals` blocks; exactly one of them holds `vms`, and that is an object that is written out. A
//! map that a function computes (`merge`, a `for` expression) is [`Error::Unsupported`].

mod add;
mod locate;
mod remove;
mod token;
mod wanted;

use hcl_edit::expr::Expression;

use crate::error::Error;
use crate::hcl;
use locate::Vms;

/// The attribute of a VM that holds its wrapping token.
pub const WRAPPING_TOKEN: &str = "vault_wrapped_token";

/// A host in `locals.vms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// The host's name.
    pub name: String,
    /// The attribute `ip` as it stands there, such as `10.0.0.5/24`; `None` if it is missing or computed.
    pub ip: Option<String>,
    /// Whether `vault_wrapped_token` is there and neither empty nor `null`.
    pub has_wrapping_token: bool,
}

/// The hosts in the order of the file; none where the file has no `locals.vms`.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] where `vms` is computed.
pub fn list(source: &str) -> Result<Vec<Vm>, Error> {
    let (_, text) = hcl::split_mark(source);
    let body = hcl::parse(text)?;
    let Some(vms) = Vms::locate(text, &body)? else {
        return Ok(Vec::new());
    };
    let vms = vms.items.iter().filter_map(|item| {
        let attributes = match hcl::peel(item.value) {
            Expression::Object(object) => hcl::items(object).unwrap_or_default(),
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
                .and_then(token::literal)
                .filter(|ip| !ip.is_empty()),
            has_wrapping_token: value(WRAPPING_TOKEN).is_some_and(token::is_set),
        })
    });
    Ok(vms.collect())
}

/// The source with one more host.
///
/// `body` is the text between the braces of the new entry: lines of attributes, indented relative to column 0. Sorted
/// hosts stay sorted; otherwise the new one goes after the last. Quoting, `=` or `:`, commas and alignment follow the
/// entries that are there. A host whose entry has every attribute of `body` with an equal value gives the source back
/// unchanged: further attributes are its owner's.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Invalid`] for a `body` that is no list of attributes; [`Error::Exists`] for a host that is
/// there with other values; [`Error::Unsupported`] for a file without `locals.vms`, or whose `vms` is computed.
pub fn add(source: &str, host: &str, body: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_mark(source);
    Ok(mark.to_owned() + &add::add(text, host, body)?)
}

/// The source with `vault_wrapped_token` of `host` added, or its value replaced.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Missing`] for a host that is not there; [`Error::Unsupported`] for one whose entry is not an
/// object, or whose token is computed.
pub fn set_wrapping_token(source: &str, host: &str, token: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_mark(source);
    Ok(mark.to_owned() + &token::set(text, host, token)?)
}

/// The wrapping token of `host`; `None` where it has none, or an empty one, or one that is computed.
///
/// The text is a secret until it is used: it belongs into nothing that is printed.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Missing`] for a host that is not there; [`Error::Unsupported`] where `vms` is computed.
pub fn wrapping_token(source: &str, host: &str) -> Result<Option<String>, Error> {
    let (_, text) = hcl::split_mark(source);
    token::get(text, host)
}

/// The source without `host`; unchanged where the host is not there.
///
/// The entry goes with the comment on its line. What was added by [`add`] goes without a trace.
///
/// # Errors
///
/// [`Error::Parse`]; [`Error::Unsupported`] where `vms` is computed.
pub fn remove(source: &str, host: &str) -> Result<String, Error> {
    let (mark, text) = hcl::split_mark(source);
    Ok(mark.to_owned() + &remove::remove(text, host)?)
}
