//! `vault-certs fetch`: adds the next CA certificates to a client's bundle and removes expired
//! ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::prelude::X509Certificate;
use zts_cli::{ConnectionArgs, Failure, data, warn};
use zts_net::{TlsError, TransportError, fetch_peer_certificates};
use zts_openbao::{Address, Error, NodeError};

use crate::{
    bundle::{Bundle, parse_certificate},
    cli::Fetch,
    file,
};

/// The limit of the connection and of each step of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs `vault-certs fetch`. Prints `changed` or `unchanged`.
///
/// # Errors
/// There is no initial CA, no server answers, or the file cannot be written. The file then stays as
/// it was.
pub(crate) fn run(arguments: &Fetch) -> Result<(), Failure> {
    let initial = match &arguments.initial {
        Some(path) => Bundle::read(path)?,
        None => None,
    };
    let before = match Bundle::read(&arguments.output) {
        // such as after a power failure while another program wrote the file
        Err(damaged) if initial.is_some() => {
            warn(format_args!(
                "{}; starting again with the initial ones",
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
        return Err(Failure::usage("there is no trusted CA").hint(
            "give the file with the first CA's certificate with `--initial`: it is not trusted on first use",
        ));
    }
    remove_expired(&mut bundle); // before they could vouch for others
    add_from_servers(arguments, &mut bundle)?;
    remove_expired(&mut bundle);
    let changed = before.as_ref() != Some(&bundle)
        && file::replace(&arguments.output, bundle.to_pem().as_bytes(), 0o644, None)?;
    data(if changed { "changed" } else { "unchanged" })
}

/// Adds the CA certificates that the servers present. One server that answers is enough.
fn add_from_servers(arguments: &Fetch, bundle: &mut Bundle) -> Result<(), Failure> {
    let connection = ConnectionArgs {
        address: arguments.address.clone(),
        // only the addresses are used
        ca_certificate: Some(arguments.output.clone()),
        ..ConnectionArgs::default()
    };
    let mut last_error = None;
    let mut answered = false;
    for address in connection.settings(None)?.addresses {
        match fetch_chain(&address, bundle.certificates()) {
            Ok(chain) => {
                add_vouched(bundle, &chain);
                answered = true;
            }
            Err(error) => {
                warn(&error);
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if !answered => {
            Err(with_hint(&error).context("no server presented its CA certificates"))
        }
        _ => Ok(()),
    }
}

/// Adds a hint for a client whose bundle is too old.
fn with_hint(error: &Error) -> Failure {
    let is_tls = |error| matches!(error, &NodeError::Transport(TransportError::Tls(_)));
    let mut attempts = error.attempts().iter();
    if !attempts.any(|attempt| is_tls(attempt.error.root())) {
        return Failure::from(error);
    }
    Failure::from(error).hint(
        "give a node's current CA certificates (`/var/lib/openbao-certs/ca.pem`) with `--initial`: \
         a bundle that was not kept current for two periods trusts none of them",
    )
}

/// Returns the chain (DER) that a server presents, verified with `roots` (DER).
fn fetch_chain(address: &Address, roots: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Error> {
    let chain = if address.is_encrypted() {
        fetch_peer_certificates(address.host(), address.port(), roots, HANDSHAKE_TIMEOUT)
    } else {
        Err(TlsError::Other("the address is not https".to_owned()).into())
    };
    chain.map_err(|error| Error::unavailable(address, error))
}

/// Adds each self-signed CA certificate that a trusted CA vouches for: the chain has a certificate
/// of the same name and key that the trusted CA signed. A node's stolen certificate cannot add a
/// CA, because its key may not sign certificates.
fn add_vouched(bundle: &mut Bundle, chain: &[Vec<u8>]) {
    let presented: Vec<_> = chain
        .iter()
        .filter_map(|der| parse_certificate(der))
        .collect();
    loop {
        let known = bundle.certificates().to_vec();
        let trusted: Vec<_> = known
            .iter()
            .filter_map(|der| parse_certificate(der))
            .collect();
        let new: Vec<_> = presented
            .iter()
            .filter(|candidate| is_authority(candidate) && is_signed_by(candidate, candidate))
            .filter(|candidate| !known.iter().any(|der| *der == candidate.as_raw()))
            .filter(|candidate| {
                let links = presented
                    .iter()
                    .filter(|link| has_same_key(link, candidate));
                links.clone().any(|link| {
                    is_authority(link)
                        && trusted
                            .iter()
                            .any(|authority| is_signed_by(link, authority))
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

fn has_same_key(link: &X509Certificate<'_>, candidate: &X509Certificate<'_>) -> bool {
    link.subject() == candidate.subject() && link.public_key() == candidate.public_key()
}

fn is_signed_by(certificate: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    certificate.issuer() == authority.subject()
        && is_authority(authority)
        && certificate
            .verify_signature(Some(authority.public_key()))
            .is_ok()
}

/// Returns whether it may sign certificates.
fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let is_ca = certificate.is_ca();
    let may_sign = certificate
        .key_usage()
        .is_ok_and(|usage| usage.is_some_and(|usage| usage.value.key_cert_sign()));
    is_ca && may_sign
}

/// Removes expired certificates, unless all have expired: a wrong clock must not leave a client
/// without any.
fn remove_expired(bundle: &mut Bundle) {
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

    struct Subject {
        parameters: CertificateParams,
        key: KeyPair,
    }

    impl Subject {
        fn new(name: &str, is_ca: bool) -> Self {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.remove(DnType::CommonName);
            parameters.distinguished_name.push(DnType::CommonName, name);
            if is_ca {
                parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            }
            let key = KeyPair::generate().expect("a key is generated");
            Self { parameters, key }
        }

        fn self_signed(&self) -> Vec<u8> {
            self.parameters
                .self_signed(&self.key)
                .expect("a certificate is signed")
                .der()
                .to_vec()
        }

        fn signed_by(&self, other: &Self) -> Vec<u8> {
            let issuer = Issuer::from_params(&other.parameters, &other.key);
            self.parameters
                .signed_by(&self.key, &issuer)
                .expect("a certificate is signed")
                .der()
                .to_vec()
        }
    }

    fn count_added(trusted: &Subject, chain: &[Vec<u8>]) -> usize {
        let mut bundle = Bundle::default();
        bundle.add(trusted.self_signed());
        add_vouched(&mut bundle, chain);
        bundle.certificates().len() - 1
    }

    #[test]
    fn only_cas_that_a_trusted_ca_vouches_for_are_added() {
        let [now, next, later, stranger] =
            ["now", "next", "later", "stranger"].map(|name| Subject::new(name, true));
        let node = Subject::new("node", false);
        // As nodes present them, in any order, also over an intermediate link.
        assert_eq!(
            count_added(&now, &[next.signed_by(&now), next.self_signed()]),
            1
        );
        assert_eq!(
            count_added(
                &now,
                &[
                    later.self_signed(),
                    later.signed_by(&next),
                    next.self_signed(),
                    next.signed_by(&now)
                ]
            ),
            2
        );
        // A foreign CA: alone, with a known name, or signed by a key that may not sign.
        assert_eq!(count_added(&now, &[stranger.self_signed()]), 0);
        assert_eq!(
            count_added(&now, &[next.signed_by(&now), stranger.self_signed()]),
            0
        );
        let impostor = Subject::new("next", true);
        assert_eq!(
            count_added(&now, &[next.signed_by(&now), impostor.self_signed()]),
            0
        );
        assert_eq!(
            count_added(
                &now,
                &[
                    node.signed_by(&now),
                    stranger.signed_by(&node),
                    stranger.self_signed()
                ]
            ),
            0
        );
        let pretender = Subject::new("now", true);
        assert_eq!(
            count_added(
                &now,
                &[stranger.signed_by(&pretender), stranger.self_signed()]
            ),
            0
        );
        // A certificate that the trusted CA signed, but that is no CA's.
        assert_eq!(
            count_added(&now, &[node.signed_by(&now), node.self_signed()]),
            0
        );
    }
}
