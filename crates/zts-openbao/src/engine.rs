//! Secrets engines that make a secret when they are read, other than KV.
//!
//! With inline authentication, OpenBao refuses an answer with a lease (concepts page "Inline
//! authentication"), because no token holds it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Client, Error, Method, NodeError, Request, SecretMap, SecretValue};

/// The server's text for a lease in a request with inline authentication.
const NO_LEASES: &str = "cannot generate leases";

/// Reads a path of any engine, and returns the keys of its answer.
///
/// # Errors
/// [`Error::Lease`] where the answer has a lease, and those of [`Client::send`].
pub fn read(client: &Client, path: &str) -> Result<SecretMap, Error> {
    send(client, &Request::new(Method::Get, path))
}

/// The credentials of a static role of the database engine.
#[derive(Debug)]
pub struct StaticCredentials {
    /// The keys that a service needs, such as `username` and `password`.
    pub values: SecretMap,
    /// The time at which OpenBao set the password (RFC 3339).
    pub rotated: String,
}

/// The parts of the answer that describe the rotation, and change with each read.
const ROTATION: [&str; 5] = [
    "last_vault_rotation",
    "rotation_period",
    "rotation_schedule",
    "rotation_window",
    "ttl",
];

/// Reads the current credentials of a static role, at `MOUNT/static-creds/ROLE` (API page "Database
/// secrets engine").
///
/// # Errors
/// Those of [`read`]; an answer without the time of the rotation is [`NodeError::BadReply`].
pub fn read_static_credentials(client: &Client, path: &str) -> Result<StaticCredentials, Error> {
    let mut values = read(client, path)?;
    let rotated = values.get(ROTATION[0]).map(SecretValue::to_bytes);
    let rotated = rotated.and_then(|time| String::from_utf8(time.to_vec()).ok());
    let rotated = rotated.filter(|time| time.len() <= LONGEST_TIME);
    values.retain(|key, _| !ROTATION.contains(&key.as_str()));
    Ok(StaticCredentials {
        rotated: rotated.ok_or_else(|| client.incomplete_reply(ROTATION[0]))?,
        values,
    })
}

/// The longest time in RFC 3339, in bytes.
const LONGEST_TIME: usize = 64;

/// The parameters of a certificate of the PKI engine, except its key.
#[derive(Debug, Serialize)]
pub struct CertificateParameters<'a> {
    /// The certificate signing request (PEM).
    pub csr: &'a str,
    /// The common name.
    pub common_name: &'a str,
    /// The other host names, with commas between them.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub alt_names: &'a str,
    /// The IP addresses, with commas between them.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub ip_sans: &'a str,
    /// The time for which it is valid, such as `720h`; the role's without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<&'a str>,
}

/// A certificate that the PKI engine issued, in PEM.
#[derive(Debug, Deserialize)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: String,
    /// The certificate of the CA that signed it.
    pub issuing_ca: String,
    /// The same certificate, and those of the CAs above it.
    #[serde(default)]
    pub ca_chain: Vec<String>,
}

/// Has the PKI engine sign a certificate, at `MOUNT/sign/ROLE` (API page "PKI secrets engine",
/// "Sign certificate"). The key stays with the caller.
///
/// # Errors
/// [`Error::Refused`] where the role does not allow a parameter, and those of [`read`].
pub fn sign_certificate(
    client: &Client,
    path: &str,
    parameters: &CertificateParameters<'_>,
) -> Result<IssuedCertificate, Error> {
    let request = Request::new(Method::Post, path)
        .json(parameters)?
        .small_answer();
    send(client, &request)
}

/// The parameters of a certificate of the SSH engine.
#[derive(Debug, Serialize)]
pub struct SshParameters<'a> {
    /// The public key, as OpenSSH writes it.
    pub public_key: &'a str,
    /// `host` or `user`.
    pub cert_type: &'a str,
    /// The names, with commas between them.
    pub valid_principals: &'a str,
    /// The time for which it is valid, such as `720h`; the role's without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<&'a str>,
}

/// Has the SSH engine sign a public key, at `MOUNT/sign/ROLE` (API page "SSH secrets engine", "Sign
/// SSH key"), and returns the certificate as OpenSSH writes it.
///
/// # Errors
/// [`Error::Refused`] where the role does not allow a parameter, and those of [`read`].
pub fn sign_ssh_key(
    client: &Client,
    path: &str,
    parameters: &SshParameters<'_>,
) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Signed {
        signed_key: String,
    }
    let request = Request::new(Method::Post, path)
        .json(parameters)?
        .small_answer();
    send(client, &request).map(|signed: Signed| signed.signed_key)
}

/// Sends a request whose answer must have no lease, and returns its data.
fn send<T: DeserializeOwned>(client: &Client, request: &Request<'_>) -> Result<T, Error> {
    let lease = || Error::Lease {
        path: request.path.to_owned(),
    };
    let reply = client.send(request).map_err(|error| {
        if is_lease_refused(&error) {
            lease()
        } else {
            error
        }
    })?;
    match reply {
        Some(reply) if reply.lease_id.as_ref().is_some_and(|id| !id.is_empty()) => Err(lease()),
        reply => reply
            .and_then(|reply| reply.data)
            .ok_or_else(|| client.incomplete_reply("data")),
    }
}

fn is_lease_refused(error: &Error) -> bool {
    let mut attempts = error.attempts().iter();
    attempts.any(|attempt| match attempt.error.root() {
        NodeError::Server { messages, .. } => messages.iter().any(|text| text.contains(NO_LEASES)),
        _ => false,
    })
}
