//! Errors, and the hints for them.

use std::{
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use zts_cli::{Failure, utc};

/// The reason why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Path(#[from] zts_secure_fs::Error),
    #[error("the wrapping token is used up, and its credentials are refused: {cause}")]
    RefusedCredentials {
        #[source]
        cause: zts_openbao::Error,
    },
    #[error("there is no wrapping token in {sources}")]
    NoToken { sources: String },
    #[error("the wrapping token from {source_name} {reason}")]
    BadToken {
        source_name: String,
        reason: &'static str,
    },
    #[error(
        "the wrapping token was created at `{found}`, not at `{expected}`: create-host did not issue it, and it was not used"
    )]
    WrongCreationPath { found: String, expected: String },
    #[error("the wrapping token was not signed by this OpenBao, and was not used")]
    OtherCluster,
    #[error("the wrapping token expired at {} ({})", utc(*.at), describe_clocks(*.here, *.there))]
    Expired {
        at: SystemTime,
        /// The time by this host's clock.
        here: SystemTime,
        /// The time by OpenBao's clock, if it is known.
        there: Option<SystemTime>,
    },
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
        "OpenBao does not know the wrapping token: it has expired, or it was used; this host never \
         used it, so if it is younger than its lifetime, somebody else did and has this host's credentials"
    )]
    UsedOrExpired,
    #[error(
        "the content of the wrapping token is not a role id and a secret id; the token is used up"
    )]
    WrongPayload,
    #[error("{cause}; whether the token was used up is not known")]
    Interrupted {
        #[source]
        cause: zts_openbao::Error,
    },
    #[error(transparent)]
    OpenBao(#[from] zts_openbao::Error),
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, cause: impl Into<io::Error>) -> Self {
        zts_secure_fs::Error::io(doing, path, cause).into()
    }

    /// Returns whether another party may have used the token.
    pub(crate) fn suggests_interception(&self) -> bool {
        matches!(self, Self::Intercepted { .. } | Self::UsedOrExpired)
    }

    /// Returns the error for a token that this host used before, or tried to use.
    pub(crate) fn after_own_try(self) -> Self {
        if self.suggests_interception() {
            return Self::UsedHere;
        }
        self
    }
}

/// Describes the time by both clocks if they differ by more than a request takes, else by the
/// host's.
fn describe_clocks(here: SystemTime, there: Option<SystemTime>) -> String {
    const MAX_DIFFERENCE: Duration = Duration::from_secs(120);
    let host = format!("this host's clock says {}", utc(here));
    let difference = |there: SystemTime| {
        let ahead = here.duration_since(there);
        ahead.unwrap_or_else(|behind| behind.duration())
    };
    match there.filter(|there| difference(*there) > MAX_DIFFERENCE) {
        Some(there) => format!("OpenBao's clock says {}, {host}", utc(there)),
        None => host,
    }
}

const ISSUE_NEW_TOKEN: &str =
    "issue a new one with `create-host --force`, and hand it to this host";
const GIVE_TOKEN: &str =
    "give it one with `create-host --enroll`, or `--force` if it had credentials before";
const REVOKE_CREDENTIALS: &str = "`create-host --force` now: it destroys the credentials that were taken and issues new ones; \
                     then look for `sys/wrapping/unwrap` in OpenBao's audit log";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Path(zts_secure_fs::Error::Io { .. }) => Self::failed(&error),
            Error::Path(zts_secure_fs::Error::Refused { .. }) => Self::failed(&error).hint("name another folder with `--approle-dir`, or give this one to root"),
            Error::BadToken { .. } => {
                Self::usage(&error).hint("give it with `--token-file`, `--credential` or VAULT_WRAPPED_TOKEN")
            }
            Error::WrongCreationPath { .. } => {
                Self::failed(&error).hint("find out how it came there; `--creation-path` names another valid path")
            }
            Error::OtherCluster => Self::failed(&error).hint(
                "is `VAULT_ADDR` the address of the OpenBao that issued it? If so, the token is damaged: issue a new one with `create-host --force`",
            ),
            Error::Intercepted { .. } | Error::UsedOrExpired => {
                Self::failed(&error).hint(REVOKE_CREDENTIALS).page("runbook/wrapping-token-intercepted.md")
            }
            Error::NoToken { .. } => {
                Self::failed(&error).hint(GIVE_TOKEN).page("how-to/deploy.md#a-host-that-runs-already")
            }
            Error::Expired { .. } => {
                Self::failed(&error).hint(ISSUE_NEW_TOKEN).page("runbook/wrapping-token-expired.md")
            }
            Error::UsedHere => {
                Self::failed(&error).hint(ISSUE_NEW_TOKEN).page("runbook/wrapping-token-used.md")
            }
            Error::RefusedCredentials { .. } | Error::WrongPayload => Self::failed(&error).hint(ISSUE_NEW_TOKEN),
            Error::Interrupted { cause } => {
                Self::from(cause).suffix("whether the token was used up is not known").hint(
                    "run vault-unwrap again; if the token is refused then, issue a new one with `create-host --force`",
                )
            }
            Error::OpenBao(cause) => Self::from(cause),
        }
    }
}
