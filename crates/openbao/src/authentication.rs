//! How a request proves who sends it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::redaction;

/// The two halves of an AppRole identity. Its Debug print shows neither.
#[derive(Clone, Debug)]
pub struct AppRoleCredentials {
    /// Which role: not secret by itself, but treated so.
    pub role_id: SecretString,
    /// The proof.
    pub secret_id: SecretString,
}

/// The length of a role id that OpenBao made. A shorter one was chosen by somebody: it is a name.
const ROLE_ID: usize = 36;

impl AppRoleCredentials {
    /// Notes that both are about to be sent: no message shows them from now on.
    pub(crate) fn remember(&self) {
        let mut parts = vec![("secret_id", &self.secret_id)];
        if self.role_id.expose_secret().len() >= ROLE_ID {
            parts.push(("role_id", &self.role_id));
        }
        for (key, value) in parts {
            redaction::remember(value);
            redaction::remember(&parameter(key, value));
        }
    }
}

/// How a request proves who sends it.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Not at all: `sys/health`, a login.
    None,
    /// With a token (header `X-Vault-Token`).
    Token(SecretString),
    /// With the login inside the request itself: OpenBao logs in, does what is asked, and keeps
    /// neither token nor lease. OpenBao 2.4 and later, sound from 2.6.2 (concepts page
    /// "Inline authentication").
    Inline {
        /// The AppRole mount, such as `approle`.
        mount: String,
        /// Who logs in.
        credentials: AppRoleCredentials,
    },
}

#[derive(Serialize)]
struct Parameter<'a> {
    key: &'a str,
    value: &'a str,
}

impl Authentication {
    /// The headers that carry it. No message shows what is secret in them from now on.
    pub(crate) fn headers(&self) -> Vec<(&'static str, SecretString)> {
        match self {
            Self::None => {}
            Self::Token(token) => redaction::remember(token),
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

/// One login field as inline authentication takes it: URL-safe base64, without padding, of JSON.
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
    fn a_debug_print_shows_no_secret() {
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
    fn parameters_are_what_openbao_documents() {
        let header = parameter("role_id", &"a".into());
        let json = BASE64_URL_SAFE_NO_PAD
            .decode(header.expose_secret())
            .unwrap();
        assert_eq!(json, br#"{"key":"role_id","value":"a"}"#);
    }
}
