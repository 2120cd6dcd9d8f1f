//! What a node has, for people.

use std::{fmt::Write, fs, path::Path};

use cli::{Failure, data};
use x509_parser::prelude::{ASN1Time, Validity, X509Certificate};

use crate::bundle::{Bundle, parsed};

/// Prints a line for the node's certificate and for each CA of the bundle.
///
/// # Errors
/// Files that are missing or damaged.
pub(crate) fn print(directory: &Path) -> Result<(), Failure> {
    let chain = directory.join("chain.pem");
    let shown = chain.display();
    let text = fs::read(&chain)
        .map_err(|cause| Failure::failed(format!("`{shown}` could not be read: {cause}")))?;
    let chain = Bundle::parse(&text)
        .map_err(|why| Failure::failed(format!("`{shown}` cannot be used: {why}")))?;
    let own = chain.certificates().first();
    let bundle = Bundle::read(&directory.join("ca.pem"))?.unwrap_or_default();
    let mut table = String::new();
    for (what, der) in own
        .map(|own| ("node", own))
        .into_iter()
        .chain(bundle.certificates().iter().map(|der| ("CA", der)))
    {
        if let Some(certificate) = parsed(der) {
            table += &line(what, &certificate);
        }
    }
    data(table.trim_end())
}

fn line(what: &str, certificate: &X509Certificate<'_>) -> String {
    let mut line = String::new();
    let validity = certificate.validity();
    // Writing to a String cannot fail.
    let _ = writeln!(
        line,
        "{what:4}  {:40}  from {}  until {}{}",
        certificate.subject(),
        validity.not_before,
        validity.not_after,
        if what == "node" && is_overdue(validity) {
            "  overdue"
        } else {
            ""
        }
    );
    line
}

/// A node's certificate is replaced when a third of its life is over; half of it is too much.
fn is_overdue(validity: &Validity) -> bool {
    let [from, until, now] =
        [&validity.not_before, &validity.not_after, &ASN1Time::now()].map(ASN1Time::timestamp);
    until - now < (until - from) / 2
}
