//! Copies that only this machine can read.

use std::str::FromStr;

/// Whether a copy is sealed to this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seal {
    /// Where the machine can; else the copy is kept as it is, readable by this user only.
    Auto,
    /// A copy that cannot be sealed is not kept.
    Always,
    /// Copies are kept as they are, readable by this user only.
    #[default]
    Never,
}

impl FromStr for Seal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "always" => Self::Always,
            "never" => Self::Never,
            _ => return Err("`auto`, `always` or `never`"),
        })
    }
}
