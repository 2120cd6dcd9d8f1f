//! Names from outside: paths of secrets, and keys that become file names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Engine, SecretRef};

/// The longest file name on Linux, in bytes.
const LONGEST_FILE_NAME: usize = 255;

/// A path in OpenBao without an empty segment, `.` or `..`, so that each secret has one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPath(String);

impl SecretPath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text
            .split('/')
            .any(|segment| matches!(segment, "" | "." | ".."))
        {
            return Err(
                "a path reads `hosts/web01/db`: no empty segment, no `.` and no `..`".to_owned(),
            );
        }
        if text.chars().any(char::is_control) {
            return Err("a path has no control characters".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The full name of a secret: namespace, mount and path, and the version where it is pinned. A
/// pinned version never stands in for another one, nor does its copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretIdentity(String);

impl SecretIdentity {
    /// Returns the identity of a secret. It has all that decides which secret OpenBao returns.
    pub fn new(namespace: Option<&str>, secret: SecretRef<'_>) -> Self {
        let namespace = namespace.unwrap_or_default().trim_matches('/');
        let path = secret.path;
        Self(match secret.engine {
            Engine::Kv { mount, version } => {
                let pin = version.map(|version| format!("?version={version}"));
                format!("{namespace}/{mount}/{path}{}", pin.unwrap_or_default())
            }
            Engine::Read => format!("{namespace}/{path}?read"),
            Engine::DatabaseStatic => format!("{namespace}/{path}"),
            Engine::Pki(request) => format!("{namespace}/{path}?{request}"),
            Engine::Ssh(request) => format!("{namespace}/{path}?{request}"),
        })
    }
}

impl fmt::Display for SecretIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the reason why a key cannot be a file name, or `None` where it can.
pub(crate) fn not_a_file_name(key: &str) -> Option<&'static str> {
    match key {
        "" => Some("it is empty"),
        "." | ".." => Some("it names a directory"),
        _ if key.contains('/') => Some("it has a `/`"),
        _ if key.contains('\0') => Some("it has a NUL character"),
        _ if key.len() > LONGEST_FILE_NAME => Some("it is longer than 255 bytes"),
        _ => None,
    }
}

/// Returns the reason why a file cannot be the credential `id_name`, or `None` where it can. With a
/// directory in `LoadCredential=`, systemd ignores files that begin with a dot, and fails the
/// service for one invalid name (`credential_name_valid`).
pub(crate) fn not_a_credential(id: &str, name: &str) -> Option<&'static str> {
    let is_taken = |byte: u8| (b' '..127).contains(&byte) && byte != b':';
    match name {
        _ if name.starts_with('.') => Some("it begins with a dot, and systemd leaves it out"),
        _ if !name.bytes().all(is_taken) => {
            Some("systemd takes printable ASCII characters, and no `:`")
        }
        _ if id.len() + 1 + name.len() > LONGEST_FILE_NAME => {
            Some("with the secret's name and `_` before it, it is longer than 255 bytes")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_file_names_are_accepted() {
        for key in [
            "password",
            ".env",
            "tls.crt",
            "päßwort",
            "a b",
            "...",
            "-rf",
            "密码",
        ] {
            assert_eq!(not_a_file_name(key), None, "{key}");
        }
        assert_eq!(not_a_file_name(&"x".repeat(255)), None);
    }

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        for key in ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\0b"] {
            assert!(not_a_file_name(key).is_some(), "{key}");
        }
        assert!(not_a_file_name(&"ü".repeat(128)).is_some());
    }

    #[test]
    fn fewer_names_can_be_credentials() {
        for name in ["password", "tls.crt", "a b", "-rf", "~", "x~", "$HOME"] {
            assert_eq!(not_a_credential("db", name), None, "{name}");
        }
        for name in [
            ".env",
            "...",
            "ü",
            "a:b",
            "tab\there",
            "line\nbreak",
            "\x7f",
        ] {
            assert!(not_a_credential("db", name).is_some(), "{name:?}");
        }
        assert_eq!(not_a_credential("db", &"x".repeat(252)), None);
        assert!(not_a_credential("db", &"x".repeat(253)).is_some());
    }

    #[test]
    fn a_secret_has_one_path() {
        assert!("hosts/web01/db".parse::<SecretPath>().is_ok());
        for path in ["", "/a", "a/", "a//b", "a/../b", ".", "a\nb"] {
            assert!(path.parse::<SecretPath>().is_err(), "{path}");
        }
    }
}
