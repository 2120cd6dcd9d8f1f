//! What can go wrong in an edit, in words for the person whose file it is.

use std::fmt;

/// A place in a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters (not bytes), counted from 1.
    pub column: usize,
}

impl Position {
    /// The position of the byte `offset` in `source`.
    pub(crate) fn at(source: &str, offset: usize) -> Self {
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &source[..offset];
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}

/// The language of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Nix expressions, read by `rnix`.
    Nix,
    /// The language of OpenTofu files, read by `hcl-edit`.
    Hcl,
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nix => "Nix",
            Self::Hcl => "HCL",
        })
    }
}

/// Why an edit was not made. The source stays as it is in every case.
///
/// The text names the line, never the file: the caller knows which file it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source is not valid in its language.
    #[error("{position}: not valid {language}: {message}")]
    Parse {
        /// What the source should have been.
        language: Language,
        /// Where the parser gave up.
        position: Position,
        /// What the parser met.
        message: String,
    },
    /// The source is valid, but of a shape that cannot be edited safely.
    #[error("{position}: {what}")]
    Unsupported {
        /// What stands in the way.
        what: String,
        /// Where it stands.
        position: Position,
        /// The lines to add by hand; empty where nothing can be said.
        lines_to_add: String,
        /// Where those lines go, or what else to do.
        place: String,
    },
    /// An entry of this name is there with another value.
    #[error("{position}: {what} is there already, with another value")]
    Exists {
        /// The entry, such as "`web01` in `nixosConfigurations`".
        what: String,
        /// Where the entry stands.
        position: Position,
    },
    /// The entry to change is not there.
    #[error("{what} is missing")]
    Missing {
        /// The entry, such as "`web01` in `locals.vms`".
        what: String,
    },
    /// What should be written is not valid itself.
    #[error("{what} is not valid {language}: {message}")]
    Invalid {
        /// The value, such as "the flake entry of `web01`".
        what: String,
        /// What it should have been.
        language: Language,
        /// What is wrong with it.
        message: String,
    },
    /// The file should be wholly generated, but something else wrote it.
    #[error("{position}: {what}")]
    NotGenerated {
        /// What shows that the file is not ours.
        what: String,
        /// Where that stands.
        position: Position,
    },
}

impl Error {
    /// The place and the message of a parse error, for a sentence that names the language already.
    pub(crate) fn without_language(&self) -> String {
        match self {
            Self::Parse {
                position, message, ..
            } => format!("{position}: {message}"),
            other => other.to_string(),
        }
    }

    /// What the user can do about it, where there is something; may be several lines.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Parse { message, .. } if message.contains("byte order mark") => {
                Some("save the file as UTF-8 without a byte order mark".to_owned())
            }
            Self::Parse { .. } => Some("repair the file first; nothing was changed".to_owned()),
            Self::Unsupported { lines_to_add, place, .. } if lines_to_add.is_empty() => {
                Some(place.clone())
            }
            Self::Unsupported { lines_to_add, place, .. } => {
                Some(format!("add this by hand, {place}:\n\n{lines_to_add}"))
            }
            Self::Exists { .. } => {
                Some("remove the entry first, or give it the value that is wanted".to_owned())
            }
            Self::Missing { .. } => Some("add the host first".to_owned()),
            Self::Invalid { .. } => None,
            Self::NotGenerated { .. } => Some(
                "move what is written by hand to another file of the same folder, then delete this one"
                    .to_owned(),
            ),
        }
    }
}
