//! A client's bundle: the CA certificates that come next are taken over, those that ended are dropped.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cli::{ConnectionArgs, Failure, data, warn};
use openbao::{Trouble, handshake::shown_chain};
use x509_parser::prelude::X509Certificate;

use crate::{
    bundle::{Bundle, parsed},
    cli::Fetch,
    file,
};

/// How long a connection, and each step of the handshake, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the servers and writes what is new. Says `changed` or `unchanged`.
///
/// # Errors
/// No CA to begin with, no server that can be asked, or a file that cannot be written; the file then stays
/// as it was.
pub(crate) fn fetch(arguments: &Fetch) -> Result<(), Failure> {
    let initial = match &arguments.initial {
        Some(path) => Bundle::read(path)?,
        None => None,
    };
    let before = match Bundle::read(&arguments.output) {
        // A power cut while something else laid the file there, for instance.
        Err(damaged) if initial.is_some() => {
            warn(format_args!(
                "{}; it begins again with the initial ones",
                damaged.message()
            ));
            None
        }
        read => read?,
    };
    let mut bundle = before.clone().unwrap_or_default();
    for certificate in initial.iter().flat_map(Bundle::certificates) {
        bundle.add(certificate.clone());
    }
    if bundle.certificates().is_empty() {
        return Err(Failure::usage("there is no CA to begin with").hint(
            "`--initial` names the file with its certificate: the first one is not taken on trust",
        ));
    }
    drop_ended(&mut bundle); // they do not vouch for anybody any more
    ask_all(arguments, &mut bundle)?;
    drop_ended(&mut bundle);
    let changed = before.as_ref() != Some(&bundle)
        && file::put(&arguments.output, bundle.text().as_bytes(), 0o644, None)?;
    data(if changed { "changed" } else { "unchanged" })
}

/// Takes over what the servers show; one that answers is enough.
fn ask_all(arguments: &Fetch, bundle: &mut Bundle) -> Result<(), Failure> {
    let connection = ConnectionArgs {
        address: arguments.address.clone(),
        // What is read here is only the list of addresses.
        ca_certificate: Some(arguments.output.clone()),
        ..ConnectionArgs::default()
    };
    let mut refused = None;
    let mut answered = false;
    for address in connection.settings(None)?.addresses {
        match shown_chain(&address, bundle.certificates(), PATIENCE) {
            Ok(chain) => {
                take_over(bundle, &chain);
                answered = true;
            }
            Err(error) => {
                warn(&error);
                refused = Some(error);
            }
        }
    }
    match refused {
        Some(error) if !answered => {
            Err(hinted(&error).context("no server could be asked for its CA certificates"))
        }
        _ => Ok(()),
    }
}

/// A client that was away for too long must be told so, and by whom it can be helped.
fn hinted(error: &openbao::Error) -> Failure {
    let is_tls = |attempt: &openbao::Attempt| matches!(attempt.trouble, Trouble::Tls(_));
    match error {
        openbao::Error::Unavailable { attempts } if attempts.iter().any(is_tls) => {
            Failure::from(error).hint(
                "`--initial` names the CA certificates as a node has them today (`/var/lib/openbao-certs/ca.pem`): \
                 a bundle that was not kept current for two periods trusts none of them",
            )
        }
        _ => Failure::from(error),
    }
}

/// Adds each CA that signed itself and for which one that is trusted vouches: in the chain stands a
/// certificate of the same name and key that the trusted one signed. A stolen certificate of a node is
/// not enough to bring a CA in: its key may not sign one.
pub(crate) fn take_over(bundle: &mut Bundle, chain: &[Vec<u8>]) {
    let shown: Vec<_> = chain.iter().filter_map(|der| parsed(der)).collect();
    loop {
        let known = bundle.certificates().to_vec();
        let trusted: Vec<_> = known.iter().filter_map(|der| parsed(der)).collect();
        let new: Vec<_> = shown
            .iter()
            .filter(|candidate| is_authority(candidate) && signed(candidate, candidate))
            .filter(|candidate| !known.iter().any(|der| *der == candidate.as_raw()))
            .filter(|candidate| {
                let links = shown.iter().filter(|link| same(link, candidate));
                links.clone().any(|link| {
                    is_authority(link) && trusted.iter().any(|authority| signed(link, authority))
                })
            })
            .map(|candidate| candidate.as_raw().to_vec())
            .collect();
        if new.is_empty() {
            return;
        }
        for certificate in new {
            bundle.add(certificate);
        }
    }
}

fn same(link: &X509Certificate<'_>, candidate: &X509Certificate<'_>) -> bool {
    link.subject() == candidate.subject() && link.public_key() == candidate.public_key()
}

fn signed(certificate: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    certificate.issuer() == authority.subject()
        && is_authority(authority)
        && certificate
            .verify_signature(Some(authority.public_key()))
            .is_ok()
}

/// Whether it may sign certificates.
fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let is_ca = certificate.is_ca();
    let may_sign = certificate
        .key_usage()
        .is_ok_and(|usage| usage.is_some_and(|usage| usage.value.key_cert_sign()));
    is_ca && may_sign
}

/// Drops those that have ended, unless all have: a clock that is wrong must not leave a client with nothing.
fn drop_ended(bundle: &mut Bundle) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut left = bundle.clone();
    left.retain(|certificate| certificate.validity().not_after.timestamp() >= now);
    if !left.certificates().is_empty() {
        *bundle = left;
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    };

    use super::*;

    struct Party {
        parameters: CertificateParams,
        key: KeyPair,
    }

    impl Party {
        fn new(name: &str, is_ca: bool) -> Self {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.remove(DnType::CommonName);
            parameters.distinguished_name.push(DnType::CommonName, name);
            if is_ca {
                parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            }
            let key = KeyPair::generate().expect("a key");
            Self { parameters, key }
        }

        fn by_itself(&self) -> Vec<u8> {
            self.parameters
                .self_signed(&self.key)
                .expect("a certificate")
                .der()
                .to_vec()
        }

        fn by(&self, other: &Self) -> Vec<u8> {
            let issuer = Issuer::from_params(&other.parameters, &other.key);
            self.parameters
                .signed_by(&self.key, &issuer)
                .expect("a certificate")
                .der()
                .to_vec()
        }
    }

    fn taken(trusted: &Party, chain: &[Vec<u8>]) -> usize {
        let mut bundle = Bundle::default();
        bundle.add(trusted.by_itself());
        take_over(&mut bundle, chain);
        bundle.certificates().len() - 1
    }

    #[test]
    fn a_ca_is_taken_only_from_one_that_is_trusted() {
        let [now, next, later, stranger] =
            ["now", "next", "later", "stranger"].map(|name| Party::new(name, true));
        let node = Party::new("node", false);
        // As nodes show them, in any order, also over a link in between.
        assert_eq!(taken(&now, &[next.by(&now), next.by_itself()]), 1);
        assert_eq!(
            taken(
                &now,
                &[
                    later.by_itself(),
                    later.by(&next),
                    next.by_itself(),
                    next.by(&now)
                ]
            ),
            2
        );
        // A stranger's, alone, under a name that is known, or signed by a key that may not sign.
        assert_eq!(taken(&now, &[stranger.by_itself()]), 0);
        assert_eq!(taken(&now, &[next.by(&now), stranger.by_itself()]), 0);
        let impostor = Party::new("next", true);
        assert_eq!(taken(&now, &[next.by(&now), impostor.by_itself()]), 0);
        assert_eq!(
            taken(
                &now,
                &[node.by(&now), stranger.by(&node), stranger.by_itself()]
            ),
            0
        );
        let pretender = Party::new("now", true);
        assert_eq!(
            taken(&now, &[stranger.by(&pretender), stranger.by_itself()]),
            0
        );
        // What the trusted one signed, and is no CA, becomes none.
        assert_eq!(taken(&now, &[node.by(&now), node.by_itself()]), 0);
    }
}
