//! `vault-certs show`.

use std::{iter, path::Path};

use serde_json::{Value, json};
use x509_parser::prelude::{ASN1Time, Validity, X509Certificate};
use zts_cli::{Failure, count_noun, data, format_table, utc_seconds};
use zts_secure_fs::{LARGEST_TEXT, read_bounded};

use crate::bundle::{Bundle, parse_certificate};

const DAY: i64 = 24 * 60 * 60;

/// A certificate of the node, or of one of its CAs.
struct Shown {
    kind: &'static str,
    subject: String,
    from: i64,
    until: i64,
    is_overdue: bool,
}

/// Prints a line for the node's certificate and for each CA of the bundle.
///
/// # Errors
/// A file is missing or damaged, or the node's certificate is not valid now.
pub(crate) fn run(directory: &Path, as_json: bool) -> Result<(), Failure> {
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
    let all = iter::once(("node", own)).chain(cas.map(|der| ("CA", der)));
    let shown = all.filter_map(|(kind, der)| Some(Shown::new(kind, &parse_certificate(der)?)));
    let shown: Vec<_> = shown.collect();
    if as_json {
        let list: Vec<_> = shown.iter().map(Shown::json).collect();
        data(format_args!("{:#}", json!(list)))?;
    } else {
        let rows: Vec<_> = shown.iter().map(Shown::row).collect();
        data(format_table(&rows).join("\n"))?;
    }
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
        format!(
            "is not valid before {}",
            utc(validity.not_before.timestamp())
        )
    } else {
        format!("expired on {}", utc(validity.not_after.timestamp()))
    };
    Err(Failure::failed(format!("the node's certificate {why}"))
        .hint("`systemctl start openbao-certs` renews it; is the clock right (`timedatectl`)?"))
}

impl Shown {
    fn new(kind: &'static str, certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            kind,
            subject: certificate.subject().to_string(),
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
            is_overdue: kind == "node" && is_overdue(validity),
        }
    }

    fn row(&self) -> [String; 6] {
        let end = if self.is_overdue { "overdue" } else { "" };
        [
            self.kind.to_owned(),
            self.subject.clone(),
            format!("from {}", utc(self.from)),
            format!("until {}", utc(self.until)),
            self.describe_rest(),
            end.to_owned(),
        ]
    }

    /// Returns the days left, or the reason why there are none.
    fn describe_rest(&self) -> String {
        let now = ASN1Time::now().timestamp();
        if self.from > now {
            return "not valid yet".to_owned();
        }
        if self.until < now {
            return "expired".to_owned();
        }
        let days = usize::try_from((self.until - now) / DAY).unwrap_or_default();
        format!("{} left", count_noun(days, "day"))
    }

    fn json(&self) -> Value {
        json!({
            "kind": self.kind,
            "subject": self.subject,
            "from": utc(self.from),
            "until": utc(self.until),
            "overdue": self.is_overdue,
        })
    }
}

fn utc(seconds: i64) -> String {
    utc_seconds(u64::try_from(seconds).unwrap_or_default())
}

/// Returns whether half of a node certificate's lifetime is over, while it is replaced after a
/// third.
fn is_overdue(validity: &Validity) -> bool {
    let [from, until, now] =
        [&validity.not_before, &validity.not_after, &ASN1Time::now()].map(ASN1Time::timestamp);
    until - now < (until - from) / 2
}
