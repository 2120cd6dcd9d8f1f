//! `vault-certs show`.

use std::{fmt::Write, iter, path::Path};

use x509_parser::prelude::{ASN1Time, Validity, X509Certificate};
use zts_cli::{Failure, data};
use zts_secure_fs::{LARGEST_TEXT, read_bounded};

use crate::bundle::{Bundle, parse_certificate};

/// Prints a line for the node's certificate and for each CA of the bundle.
///
/// # Errors
/// A file is missing or damaged, or the node's certificate is not valid now.
pub(crate) fn run(directory: &Path) -> Result<(), Failure> {
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
    for (kind, der) in iter::once(("node", own)).chain(cas.map(|der| ("CA", der))) {
        if let Some(certificate) = parse_certificate(der) {
            table += &format_line(kind, &certificate);
        }
    }
    data(table.trim_end())?;
    if bundle.is_none() {
        return Err(Failure::failed(format!(
            "the CA certificates `{}` are missing",
            authorities.display()
        ))
        .hint("`systemctl start openbao-certs` makes them"));
    }
    check_validity(own)
}

/// Checks that the node's certificate is valid now, unlike the CAs, of which most are for other
/// periods.
fn check_validity(own: &[u8]) -> Result<(), Failure> {
    let Some(certificate) = parse_certificate(own).filter(|own| !own.validity().is_valid()) else {
        return Ok(());
    };
    let validity = certificate.validity();
    let why = if validity.not_before > ASN1Time::now() {
        format!("is not valid before {}", validity.not_before)
    } else {
        format!("expired on {}", validity.not_after)
    };
    Err(Failure::failed(format!("the node's certificate {why}"))
        .hint("`systemctl start openbao-certs` renews it; is the clock right (`timedatectl`)?"))
}

fn format_line(kind: &str, certificate: &X509Certificate<'_>) -> String {
    let mut line = String::new();
    let validity = certificate.validity();
    // Writing to a String cannot fail.
    let _ = writeln!(
        line,
        "{kind:4}  {:40}  from {}  until {}{}",
        certificate.subject(),
        validity.not_before,
        validity.not_after,
        if kind == "node" && is_overdue(validity) {
            "  overdue"
        } else {
            ""
        }
    );
    line
}

/// Returns whether half of a node certificate's lifetime is over, while it is replaced after a
/// third.
fn is_overdue(validity: &Validity) -> bool {
    let [from, until, now] =
        [&validity.not_before, &validity.not_after, &ASN1Time::now()].map(ASN1Time::timestamp);
    until - now < (until - from) / 2
}
