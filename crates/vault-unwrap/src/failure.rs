//! What goes wrong here, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use cli::{Failure, utc};

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("could not {doing} `{}`: {cause}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    #[error(transparent)]
    NotOurs(secure_fs::Error),
    #[error("the wrapping token is used up, and what it wrapped is refused: {cause}")]
    Worthless { cause: openbao::Error },
    #[error("there is no wrapping token: not in VAULT_WRAPPED_TOKEN, not in `{}`", environment_file.display())]
    NoToken { environment_file: PathBuf },
    #[error("the wrapping token from {source_name} {reason}")]
    BadToken {
        source_name: String,
        reason: &'static str,
    },
    #[error("the systemd credential `{name}` was not passed to this process")]
    NoCredential { name: String },
    #[error(
        "the wrapping token was made at `{found}`, not at `{expected}`: it is not one of create-host's, and was not used"
    )]
    WrongCreationPath { found: String, expected: String },
    #[error("the wrapping token was not signed by this OpenBao, and was not used")]
    NotThisClusters,
    #[error("the wrapping token expired at {} by its own word (this host's clock says {})", utc(*.at), utc(*.now))]
    Expired { at: SystemTime, now: SystemTime },
    #[error(
        "the wrapping token was used before, although it is valid until {} and this host never used it: \
         somebody else has this host's credentials",
        utc(*.until)
    )]
    Intercepted { until: SystemTime },
    #[error(
        "the wrapping token is used up: this host itself began to use it and was interrupted, or holds what it gave"
    )]
    UsedHere,
    #[error(
        "OpenBao does not know the wrapping token (any more): it has expired, or it was used; this host never \
         used it, so if it is younger than its lifetime, somebody else did and has this host's credentials"
    )]
    UsedOrExpired,
    #[error("what the token wraps is not a role id and a secret id; the token is used up")]
    WrongPayload,
    #[error("{cause}; whether the token was used up is not known")]
    Interrupted { cause: openbao::Error },
    #[error(transparent)]
    OpenBao(#[from] openbao::Error),
}

impl From<secure_fs::Error> for Error {
    fn from(error: secure_fs::Error) -> Self {
        match error {
            secure_fs::Error::Io { doing, path, cause } => Self::Io { doing, path, cause },
            refused @ secure_fs::Error::Refused { .. } => Self::NotOurs(refused),
        }
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

    /// Whether this says that somebody else used the token.
    pub(crate) fn is_somebody_elses_doing(&self) -> bool {
        matches!(self, Self::Intercepted { .. } | Self::UsedOrExpired)
    }

    /// The same, where it is known that this host used the token, or tried to.
    pub(crate) fn used_here(self) -> Self {
        if self.is_somebody_elses_doing() {
            return Self::UsedHere;
        }
        self
    }
}

const ISSUE_ANEW: &str = "issue a new one with `create-host --force`, and hand it to this host";
const ALARM: &str = "`create-host --force` now: it destroys the credentials that were taken and issues new ones; \
                     then look for `sys/wrapping/unwrap` in OpenBao's audit log";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Io { .. } => Self::failed(&error),
            Error::NotOurs(_) => Self::failed(&error).hint("name another folder with `--approle-dir`, or give this one to root"),
            Error::BadToken { .. } | Error::NoCredential { .. } => {
                Self::usage(&error).hint("give it with `--token-file`, `--credential` or VAULT_WRAPPED_TOKEN")
            }
            Error::WrongCreationPath { .. } => {
                Self::failed(&error).hint("find out who put it there; `--creation-path` names another path that is right")
            }
            Error::NotThisClusters => Self::failed(&error).hint(
                "is `VAULT_ADDR` the address of the OpenBao that issued it? If so, the token is damaged: issue a new one with `create-host --force`",
            ),
            Error::Intercepted { .. } | Error::UsedOrExpired => Self::failed(&error).hint(ALARM),
            Error::Worthless { .. } |
            Error::NoToken { .. } | Error::Expired { .. } | Error::UsedHere | Error::WrongPayload => Self::failed(&error).hint(ISSUE_ANEW),
            Error::Interrupted { cause } => {
                Self::from(cause).suffix("whether the token was used up is not known").hint(
                    "run vault-unwrap again; if the token is refused then, issue a new one with `create-host --force`",
                )
            }
            Error::OpenBao(cause) => Self::from(cause),
        }
    }
}
