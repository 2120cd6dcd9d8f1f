//! What goes wrong on the way from OpenBao to a file, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use openbao::kv::NoKeys;

use crate::SealError;

/// Whether these words are all that OpenBao said: nobody logged in. A policy's refusal has others
/// around them.
pub fn says_denied(refusal: &openbao::Refusal) -> bool {
    refusal.messages == ["permission denied"]
}

/// Why a secret was not written. No variant holds a value of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An owner or group that this host does not have.
    #[error("the {kind} `{name}` does not exist on this host")]
    NoSuch {
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
        /// What the system says.
        cause: io::Error,
    },
    /// A credential is not there.
    #[error("this host has no AppRole credentials: `{}` does not exist", path.display())]
    NoCredentials {
        /// The file that is missing.
        path: PathBuf,
    },
    /// A credential is there, but is none.
    #[error("`{}` is not an AppRole credential: {reason}", path.display())]
    BadCredentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The system refused something.
    #[error("could not {doing} `{}`: {cause}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A place that files cannot or must not be written to.
    #[error("`{}` {reason}", path.display())]
    Output {
        /// The place.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A key that cannot be the name of a file.
    #[error("the key {key:?} of `{secret}` cannot be the name of a file: {reason}")]
    Key {
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// Why not.
        reason: &'static str,
    },
    /// A template that cannot be understood.
    #[error("line {line} of the template `{name}`: {reason}")]
    Template {
        /// The template.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A name for a template or an environment file that cannot be one.
    #[error("{what} cannot be named {name:?}: {reason}")]
    Name {
        /// `a template` or `the environment file`.
        what: &'static str,
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A secret without a key that it must have.
    #[error("`{secret}` {}", lacks(missing, empty))]
    Incomplete {
        /// The secret's path.
        secret: String,
        /// The keys that are not there.
        missing: Vec<String>,
        /// The keys that are there, and have no value.
        empty: Vec<String>,
    },
    /// A version that holds something else than keys with values.
    #[error("`{path}` has no keys: version {version} of it is {found}")]
    NoKeys {
        /// The mount of the KV engine.
        mount: String,
        /// The secret's path.
        path: String,
        /// The version's number.
        version: u64,
        /// What it holds.
        found: NoKeys,
    },
    /// A key that would be the same file as a template or the environment file.
    #[error("{what} cannot be named `{name}`: a key of `{secret}` has that name")]
    Taken {
        /// The secret's path.
        secret: String,
        /// `a template` or `the environment file`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A key that cannot be a variable in an environment file.
    #[error("the key {key:?} of `{secret}` cannot stand in an environment file: {reason}")]
    Variable {
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// Why not.
        reason: &'static str,
    },
    /// A key that systemd does not take as the name of a credential.
    #[error("the key {key:?} of `{secret}` cannot be a systemd credential: {reason}")]
    Credential {
        /// The secret's path.
        secret: String,
        /// The key.
        key: String,
        /// Why not.
        reason: &'static str,
    },
    /// More than systemd hands to a service as credentials.
    #[error(
        "`{secret}` has {bytes} bytes with the names of its files, and systemd takes {most} as credentials of a service"
    )]
    TooLarge {
        /// The secret's path.
        secret: String,
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        most: usize,
    },
    /// A host's declarations that cannot be understood.
    #[error("`{}` does not hold a host's declarations: {cause}", path.display())]
    Declarations {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        cause: serde_json::Error,
    },
    /// A secret that is declared with a value that means nothing.
    #[error("the secret `{name}` is declared with the {field} `{value}`: {reason}")]
    Declared {
        /// The secret's name on the host.
        name: String,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that no secret of this host has.
    #[error("no secret is declared as `{name}`; there {}", are(declared))]
    NotDeclared {
        /// The name.
        name: String,
        /// The names there are.
        declared: Vec<String>,
    },
    /// A copy that cannot be sealed, or not be opened any more.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No server could be used, and there is no copy that could stand in.
    #[error("{cause}; no cache available")]
    NoCache {
        /// What the servers did.
        cause: openbao::Error,
    },
    /// What OpenBao answered.
    #[error(transparent)]
    OpenBao(#[from] openbao::Error),
}

impl From<secure_fs::Error> for Error {
    fn from(error: secure_fs::Error) -> Self {
        match error {
            secure_fs::Error::Io { doing, path, cause } => Self::Io { doing, path, cause },
            secure_fs::Error::Refused { path, reason } => Self::Output { path, reason },
        }
    }
}

/// What is wrong with a secret that must have these keys, in words.
fn lacks(missing: &[String], empty: &[String]) -> String {
    let missing = (!missing.is_empty()).then(|| format!("has no key {}", listed(missing)));
    let empty = (!empty.is_empty()).then(|| format!("has nothing in its key {}", listed(empty)));
    let parts: Vec<_> = missing.into_iter().chain(empty).collect();
    parts.join(", and ")
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `is none`, `is `a``, `are `a`, `b``.
fn are(names: &[String]) -> String {
    match names {
        [] => "is none".to_owned(),
        [one] => format!("is `{one}`"),
        many => format!("are {}", listed(many)),
    }
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, cause: impl Into<io::Error>) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            cause: cause.into(),
        }
    }
}
