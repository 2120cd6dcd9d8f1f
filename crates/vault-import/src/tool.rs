//! The tools whose secrets move.

use serde::{Deserialize, Serialize};

/// A tool that has encrypted secrets in the fleet's repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Tool {
    #[serde(rename = "sops-nix")]
    SopsNix,
    #[serde(rename = "agenix")]
    Agenix,
}

impl Tool {
    /// All tools.
    pub(crate) const ALL: [Self; 2] = [Self::SopsNix, Self::Agenix];

    /// Returns the set of its options.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::SopsNix => "sops",
            Self::Agenix => "age",
        }
    }

    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SopsNix => "sops-nix",
            Self::Agenix => "agenix",
        }
    }
}
