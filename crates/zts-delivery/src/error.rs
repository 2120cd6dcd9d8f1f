//! The errors of turning a secret into files.

use std::{
    io,
    path::{Path, PathBuf},
};

use zts_openbao::kv::NoKeys;

use crate::{QueryError, SealError};

/// Returns whether the answer has only the words that OpenBao uses where no login took place. The
/// refusal of a policy has more.
pub fn is_bare_denial(api_error: &zts_openbao::ApiError) -> bool {
    api_error.messages == ["permission denied"]
}

/// The reason why a secret was not written. No variant holds a value of a secret.
///
/// A new variant needs its reason in `FailureReason::classify` and its hint in `zts-cli`'s
/// `delivery_failure.rs`: both have a default.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An owner or group that this host does not have.
    #[error("the {kind} `{name}` does not exist on this host")]
    UnknownAccount {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An owner or group that could not be looked up.
    #[error("the {kind} `{name}` could not be looked up: {cause}")]
    LookUp {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The system's error.
        #[source]
        cause: io::Error,
    },
    /// A credential does not exist.
    #[error("this host has no AppRole credentials: `{}` does not exist", path.display())]
    NoCredentials {
        /// The file that is missing.
        path: PathBuf,
    },
    /// A file that does not hold a credential.
    #[error("`{}` is not an AppRole credential: {reason}", path.display())]
    BadCredentials {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: &'static str,
    },
    /// A path that cannot or must not be used.
    #[error(transparent)]
    Path(#[from] zts_secure_fs::Error),
    /// The proven version has neither its files nor a copy on this host.
    #[error(
        "version {version}, which would take its place, has no copy on this host that can be used"
    )]
    NoRollbackCopy {
        /// Its number.
        version: u64,
    },
    /// A key that cannot be the name of a file.
    #[error("the key {key:?} of `{secret}` cannot be the name of a file: {reason}")]
    Key {
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// The reason.
        reason: &'static str,
    },
    /// A template that cannot be parsed.
    #[error("line {line} of the template `{name}`: {reason}")]
    Template {
        /// The template.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The problem.
        reason: String,
    },
    /// A template over several secrets that cannot be rendered from the files on this host.
    #[error("the template `{template}` cannot be rendered: {reason}")]
    Rendering {
        /// The template.
        template: String,
        /// The reason, without a value.
        reason: String,
    },
    /// A template over several secrets that needs a secret without files on this host.
    #[error(
        "the template `{template}` cannot be rendered: not on this host: {}",
        list(secrets)
    )]
    NotOnHost {
        /// The template.
        template: String,
        /// The names of the secrets.
        secrets: Vec<String>,
    },
    /// A name that no template, environment file or JSON file can have.
    #[error("{what} cannot be named {name:?}: {reason}")]
    Name {
        /// `a template`, `the environment file` or `the JSON file`.
        what: &'static str,
        /// The name.
        name: String,
        /// The reason.
        reason: &'static str,
    },
    /// A secret without a required key.
    #[error(
        "`{secret}` {}{}",
        describe_lack(missing, empty),
        describe_needs(templates)
    )]
    Incomplete {
        /// The secret's path.
        secret: String,
        /// The missing keys.
        missing: Vec<String>,
        /// The keys without a value.
        empty: Vec<String>,
        /// The templates over several secrets that need one of these keys.
        templates: Vec<String>,
    },
    /// A version without keys.
    #[error("`{path}` has no keys: version {version} of it is {found}")]
    NoKeys {
        /// The mount of the KV engine.
        mount: String,
        /// The secret's path.
        path: String,
        /// The version's number.
        version: u64,
        /// The kind of its content.
        found: NoKeys,
    },
    /// A key with the name of a template, the environment file or the JSON file.
    #[error("{what} cannot be named `{name}`: a key of `{secret}` has that name")]
    NameTaken {
        /// The secret's path.
        secret: String,
        /// `a template`, `the environment file` or `the JSON file`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value that is declared to be Base64, and is not.
    #[error("the key {key:?} of `{secret}` is not Base64: {reason}")]
    NotBase64 {
        /// The KV mount, of an answer of OpenBao's.
        mount: Option<String>,
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// The reason, without the value.
        reason: &'static str,
    },
    /// A key that cannot be a variable in an environment file.
    #[error("the key {key:?} of `{secret}` cannot be in an environment file: {reason}")]
    Variable {
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// The reason.
        reason: &'static str,
    },
    /// A key that systemd does not accept as the name of a credential.
    #[error("the key {key:?} of `{secret}` cannot be a systemd credential: {reason}")]
    Credential {
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// The reason.
        reason: &'static str,
    },
    /// A secret that is larger than the credentials of a service may be.
    #[error(
        "`{secret}` has {bytes} bytes with the names of its files, and systemd takes {most} as credentials of a service"
    )]
    CredentialsTooLarge {
        /// The secret's path.
        secret: String,
        /// Its size.
        bytes: usize,
        /// The largest size.
        most: usize,
    },
    /// A file of declarations that cannot be parsed.
    #[error("`{}` does not hold a host's declarations: {cause}", path.display())]
    Declarations {
        /// The file.
        path: PathBuf,
        /// The problem and its place.
        #[source]
        cause: serde_json::Error,
    },
    /// A secret that is declared with an invalid value.
    #[error("the secret `{name}` is declared with the {field} `{value}`: {reason}")]
    InvalidDeclaration {
        /// The secret's name on the host.
        name: String,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The problem.
        reason: String,
    },
    /// A name that no declared secret or template has.
    #[error(
        "no {kind} is declared as `{name}`; there {}",
        list_with_verb(declared)
    )]
    NotDeclared {
        /// `secret` or `template`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The declared names.
        declared: Vec<String>,
    },
    /// A copy that cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No server could be used, and there is no copy to fall back to.
    #[error("{cause}; no cache available")]
    NoCache {
        /// The errors of the servers.
        #[source]
        cause: zts_openbao::Error,
    },
    /// An error of OpenBao.
    #[error(transparent)]
    OpenBao(#[from] zts_openbao::Error),
}

/// Describes the required keys that a secret lacks.
fn describe_lack(missing: &[String], empty: &[String]) -> String {
    let missing = (!missing.is_empty()).then(|| format!("has no key {}", list(missing)));
    let empty = (!empty.is_empty()).then(|| format!("has nothing in its key {}", list(empty)));
    let parts: Vec<_> = missing.into_iter().chain(empty).collect();
    parts.join(", and ")
}

/// Names the templates over several secrets that need the lacking keys.
fn describe_needs(templates: &[String]) -> String {
    if templates.is_empty() {
        return String::new();
    }
    format!(" (needed by {} of `vault.templates`)", list(templates))
}

fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Lists names after a verb: "is none", "is `a`", "are `a`, `b`".
fn list_with_verb(names: &[String]) -> String {
    match names {
        [] => "is none".to_owned(),
        [one] => format!("is `{one}`"),
        many => format!("are {}", list(many)),
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        error.into_cause().into()
    }
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, cause: impl Into<io::Error>) -> Self {
        zts_secure_fs::Error::io(doing, path, cause).into()
    }

    pub(crate) fn refused(path: &Path, reason: &'static str) -> Self {
        zts_secure_fs::Error::refused(path, reason).into()
    }

    /// Adds the KV mount of the answer that has the error.
    #[must_use]
    pub(crate) fn in_mount(mut self, name: &str) -> Self {
        if let Self::NotBase64 { mount, .. } = &mut self {
            *mount = Some(name.to_owned());
        }
        self
    }

    /// Returns whether a path must not be used.
    pub fn is_refused_path(&self) -> bool {
        matches!(self, Self::Path(zts_secure_fs::Error::Refused { .. }))
    }
}
