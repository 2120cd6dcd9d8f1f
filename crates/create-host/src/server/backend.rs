//! The method to write policy and role to OpenBao.

use std::fmt;

use zts_cli::Failure;

use super::{connection::Server, tofu::OpenTofu};
use crate::{
    cli::{ApplyMethod, HostArguments},
    fleet::Fleet,
};

/// OpenBao, and the method to write policy and role to it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) server: Server,
    pub(crate) apply: Apply,
}

impl Backend {
    /// Determines the method and the server; does not connect.
    pub(crate) fn new(arguments: &HostArguments, fleet: &Fleet) -> Result<Self, Failure> {
        let apply = Apply::choose(arguments.apply, fleet)?;
        let server = Server::new(&arguments.connection, fleet, !arguments.json)?;
        Ok(Self { server, apply })
    }
}

/// An [`ApplyMethod`] that is ready to use.
#[derive(Debug)]
pub(crate) enum Apply {
    Tofu(OpenTofu),
    Api {
        /// The reason why OpenTofu is not used, unless the operator chose the API.
        reason: Option<String>,
    },
    None,
}

impl Apply {
    fn choose(method: Option<ApplyMethod>, fleet: &Fleet) -> Result<Self, Failure> {
        match method {
            Some(ApplyMethod::Tofu) => OpenTofu::locate(fleet).map(Self::Tofu),
            Some(ApplyMethod::Api) => Ok(Self::Api { reason: None }),
            Some(ApplyMethod::None) => Ok(Self::None),
            None => Ok(OpenTofu::locate(fleet).map_or_else(
                |failure| Self::Api {
                    reason: Some(failure.message().to_owned()),
                },
                Self::Tofu,
            )),
        }
    }

    /// Returns the value of `--apply` for this method.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tofu(_) => "tofu",
            Self::Api { .. } => "api",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Apply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tofu(_) => formatter.write_str("OpenTofu"),
            Self::Api { reason: None } => formatter.write_str("its API"),
            Self::Api {
                reason: Some(reason),
            } => write!(formatter, "its API ({})", reason.trim_end_matches('.')),
            Self::None => formatter.write_str("nothing"),
        }
    }
}
