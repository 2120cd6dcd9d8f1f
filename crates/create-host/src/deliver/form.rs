//! The forms of a token in a file.

use secrecy::{ExposeSecret, SecretString};

/// The name of the systemd credential: the default of `vault.bootstrap.credential`.
const CREDENTIAL: &str = "vault.wrapped-token";

/// The form of a token in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The token alone.
    Token,
    /// The SMBIOS string of a systemd credential (`systemd.system-credentials(7)`).
    Credential,
}

impl Form {
    /// Returns the text with the token.
    pub(super) fn render(self, token: &SecretString) -> SecretString {
        let token = token.expose_secret();
        match self {
            Self::Token => token.into(),
            Self::Credential => format!("io.systemd.credential:{CREDENTIAL}={token}").into(),
        }
    }
}
