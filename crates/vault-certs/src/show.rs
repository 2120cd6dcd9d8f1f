//! What a node has, for people.

use std::{fmt::Write, iter, path::Path};

use cli::{Failure, data};
use secure_fs::{LARGEST_TEXT, read_bounded};
use x509_parser::prelude::{ASN1Time, Validity, X509Certificate};

use crate::bundle::{Bundle, parsed};

/// Prints a line for the node's certificate and for each CA of the bundle.
///
/// # Errors
/// Files that are missing or damaged, and certificates that are good no longer or not yet.
pub(crate) fn print(directory: &Path) -> Result<(), Failure> {
    let chain = directory.join("chain.pem");
    let shown = chain.display();
    let text = read_bounded(&chain, LARGEST_TEXT)
        .map_err(|cause| Failure::failed(format!("`{shown}` could not be read: {cause}")))?;
    let chain = Bundle::parse(&text)
        .map_err(|why| Failure::failed(format!("`{shown}` cannot be used: {why}")))?;
    let own = chain.certificates().first().ok_or_else(|| {
        Failure::failed(format!(
            "`{shown}` cannot be used: there is no certificate in it"
        ))
    })?;
    let authorities = directory.join("ca.pem");
    let bundle = Bundle::read(&authorities)?;
    let cas = bundle.iter().flat_map(Bundle::certificates);
    let mut table = String::new();
    for (what, der) in iter::once(("node", own)).chain(cas.map(|der| ("CA", der))) {
        if let Some(certificate) = parsed(der) {
            table += &line(what, &certificate);
        }
    }
    data(table.trim_end())?;
    if bundle.is_none() {
        return Err(Failure::failed(format!(
            "the CA certificates `{}` are not there",
            authorities.display()
        ))
        .hint("`systemctl start openbao-certs` makes them"));
    }
    check_validity(own)
}

/// CAs of other periods are good no longer or not yet; the node's certificate must be good now.
fn check_validity(own: &[u8]) -> Result<(), Failure> {
    let Some(certificate) = parsed(own).filter(|own| !own.validity().is_valid()) else {
        return Ok(());
    };
    let validity = certificate.validity();
    let why = if validity.not_before > ASN1Time::now() {
        format!("is not good before {}", validity.not_before)
    } else {
        format!("was good until {}", validity.not_after)
    };
    Err(Failure::failed(format!("the node's certificate {why}"))
        .hint("`systemctl start openbao-certs` renews it; is the clock right (`timedatectl`)?"))
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
