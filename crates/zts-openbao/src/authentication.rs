//! Authentication of requests.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use zts_net::redaction::remember_secret;

/// The credentials of an AppRole. Its Debug output shows neither.
#[derive(Clone, Debug)]
pub struct AppRoleCredentials {
    /// The role id, which is treated as a secret.
    pub role_id: SecretString,
    /// The secret id.
    pub secret_id: SecretString,
}

/// The length of a role id that OpenBao generated. A shorter one was chosen by a person: it is a
/// name.
const ROLE_ID_LENGTH: usize = 36;

impl AppRoleCredentials {
    /// Registers the credentials for redaction.
    pub(crate) fn remember(&self) {
        let mut parts = vec![("secret_id", &self.secret_id)];
        if self.role_id.expose_secret().len() >= ROLE_ID_LENGTH {
            parts.push(("role_id", &self.role_id));
        }
        for (key, value) in parts {
            remember_secret(value);
            remember_secret(&parameter(key, value));
        }
    }
}

/// The authentication of a request.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// None, for `sys/health` or a login.
    None,
    /// A token (header `X-Vault-Token`).
    Token(SecretString),
    /// A login inside the request: OpenBao logs in, answers, and keeps neither token nor lease.
    /// OpenBao 2.4 and later, without known vulnerabilities from 2.6.2 (concepts page "Inline
    /// authentication").
    Inline {
        /// The AppRole mount, such as `approle`.
        mount: String,
        /// The credentials of the login.
        credentials: AppRoleCredentials,
    },
}

#[derive(Serialize)]
struct Parameter<'a> {
    key: &'a str,
    value: &'a str,
}

impl Authentication {
    /// Returns the headers that carry it, and registers its secrets for redaction.
    pub(crate) fn headers(&self) -> Vec<(&'static str, SecretString)> {
        match self {
            Self::None => {}
            Self::Token(token) => remember_secret(token),
            Self::Inline { credentials, .. } => credentials.remember(),
        }
        match self {
            Self::None => Vec::new(),
            Self::Token(token) => vec![("X-Vault-Token", token.clone())],
            Self::Inline { mount, credentials } => vec![
                (
                    "X-Vault-Inline-Auth-Path",
                    format!("auth/{mount}/login").into(),
                ),
                (
                    "X-Vault-Inline-Auth-Parameter-Role-Id",
                    parameter("role_id", &credentials.role_id),
                ),
                (
                    "X-Vault-Inline-Auth-Parameter-Secret-Id",
                    parameter("secret_id", &credentials.secret_id),
                ),
            ],
        }
    }
}

/// Encodes a login field for inline authentication: URL-safe base64, without padding, of JSON.
fn parameter(key: &str, value: &SecretString) -> SecretString {
    let json = zeroize::Zeroizing::new(
        serde_json::to_vec(&Parameter {
            key,
            value: value.expose_secret(),
        })
        .unwrap_or_default(),
    );
    BASE64_URL_SAFE_NO_PAD.encode(&json).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let credentials = AppRoleCredentials {
            role_id: "role-7f".into(),
            secret_id: "secret-9c".into(),
        };
        let inline = Authentication::Inline {
            mount: "approle".into(),
            credentials,
        };
        let printed = format!("{inline:?} {:?}", Authentication::Token("token-3b".into()));
        for secret in ["7f", "9c", "3b"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }

    #[test]
    fn parameters_are_encoded_as_documented() {
        let header = parameter("role_id", &"a".into());
        let json = BASE64_URL_SAFE_NO_PAD
            .decode(header.expose_secret())
            .unwrap();
        assert_eq!(json, br#"{"key":"role_id","value":"a"}"#);
    }
}
