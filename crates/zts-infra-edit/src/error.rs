//! The errors of an edit, with the place in the source and a hint.

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
    /// Returns the position of the byte `offset` in `source`.
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
    /// Nix expressions, parsed by `rnix`.
    Nix,
    /// The language of OpenTofu files, parsed by `hcl-edit`.
    Hcl,
    /// JSON, as OpenTofu and `jsondecode` read it.
    Json,
    /// TOML, as `builtins.fromTOML` reads it, parsed by `toml_edit`.
    Toml,
    /// YAML, as `yamldecode` reads it, parsed by `saphyr-parser`.
    Yaml,
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nix => "Nix",
            Self::Hcl => "HCL",
            Self::Json => "JSON",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        })
    }
}

/// A refused edit. The text names the line, but not the file, which the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source is not valid in its language.
    #[error("{position}: not valid {language}: {message}")]
    Parse {
        /// The expected language.
        language: Language,
        /// The place where the parser stopped.
        position: Position,
        /// The parser's message.
        message: String,
    },
    /// The source is valid, but of a shape that cannot be edited safely.
    #[error("{position}: {problem}")]
    Unsupported {
        /// The part that cannot be edited, and the reason.
        problem: String,
        /// The place of that part.
        position: Position,
        /// The edit to make by hand.
        manual_edit: ManualEdit,
    },
    /// An entry of this name exists with another value.
    #[error("{position}: {entry} exists already, with another value")]
    Exists {
        /// The entry, such as "`web01` in `nixosConfigurations`".
        entry: String,
        /// The place of the entry.
        position: Position,
    },
    /// The entry to change does not exist.
    #[error("{entry} is missing")]
    Missing {
        /// The entry, such as "`web01` in `locals.vms`".
        entry: String,
    },
    /// The value to write is not valid.
    #[error("{value} is not valid {language}: {message}")]
    Invalid {
        /// The value, such as "the flake entry of `web01`".
        value: String,
        /// The expected language.
        language: Language,
        /// The reason.
        message: String,
    },
    /// The hosts' entries differ in more than their names, so a new one cannot be learnt from them.
    #[error("{position}: {}", describe_individual(set, candidates))]
    Individual {
        /// The set with the hosts, such as `nixosConfigurations`.
        set: String,
        /// The place of the set.
        position: Position,
        /// Some values of hosts, with `{hostname}` for the name.
        candidates: Vec<String>,
    },
    /// The entry needs values that nothing shows.
    #[error(
        "the entry of `{host}` needs values that differ among the other entries: {}",
        list_names(values)
    )]
    Values {
        /// The host.
        host: String,
        /// The values.
        values: Vec<MissingValue>,
    },
    /// The file should be generated as a whole, but has a part that was written by hand.
    #[error("{position}: {problem}")]
    NotGenerated {
        /// The part that was not generated.
        problem: String,
        /// The place of that part.
        position: Position,
        /// The instruction for the user.
        remedy: &'static str,
    },
}

/// An attribute that differs among the machines, without a value for the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingValue {
    /// The attribute's name, with those of the objects around it.
    pub name: String,
    /// A value that it could have.
    pub example: String,
    /// The values that the others have, if each has its own.
    pub others: Vec<String>,
}

impl MissingValue {
    /// Returns the address of a new host, as one that is missing.
    pub(crate) fn address() -> Self {
        Self {
            name: "ip".to_owned(),
            example: "ADDRESS/LENGTH".to_owned(),
            others: Vec::new(),
        }
    }
}

/// A refused edit, with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}`, {error}")]
pub struct FileError {
    /// The path of the file from the fleet's root.
    pub file: String,
    /// The reason.
    #[source]
    pub error: Error,
}

/// The edit that a user makes by hand instead of a refused one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManualEdit {
    /// Lines to add.
    Add {
        /// The lines.
        lines: String,
        /// Their place, such as "to the set of outputs".
        place: String,
    },
    /// Any other edit, as an instruction.
    Other(String),
}

impl fmt::Display for ManualEdit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { lines, place } => {
                write!(formatter, "add this by hand, {place}:\n\n{lines}")
            }
            Self::Other(instruction) => formatter.write_str(instruction),
        }
    }
}

fn list_names(values: &[MissingValue]) -> String {
    let names: Vec<String> = values
        .iter()
        .map(|value| format!("`{}`", value.name))
        .collect();
    names.join(", ")
}

fn describe_individual(set: &str, candidates: &[String]) -> String {
    if candidates.is_empty() {
        format!("`{set}` has no host whose entry shows the form of a new one")
    } else {
        format!("the entries in `{set}` have too little in common for a new one")
    }
}

impl Error {
    /// Returns the place and the message of a parse error, for a sentence that names the language
    /// already.
    pub(crate) fn message_without_language(&self) -> String {
        match self {
            Self::Parse {
                position, message, ..
            } => format!("{position}: {message}"),
            other => other.to_string(),
        }
    }

    /// Returns the instruction for the user, if there is one. It may have several lines.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Parse { message, .. } if message.contains("byte order mark") => {
                Some("save the file as UTF-8 without a byte order mark".to_owned())
            }
            Self::Parse { .. } => Some("repair the file first; nothing was changed".to_owned()),
            Self::Unsupported { manual_edit, .. } => Some(manual_edit.to_string()),
            Self::Exists { .. } => {
                Some("remove the entry first, or give it the expected value".to_owned())
            }
            Self::Missing { .. } => Some("add the host first".to_owned()),
            Self::Invalid { .. } | Self::Individual { .. } | Self::Values { .. } => None,
            Self::NotGenerated { remedy, .. } => Some((*remedy).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_file_error_is_its_source() {
        let error = FileError {
            file: "flake.nix".to_owned(),
            error: Error::Missing {
                entry: "`web01`".to_owned(),
            },
        };
        let source = std::error::Error::source(&error);
        assert_eq!(source.unwrap().to_string(), "`web01` is missing");
    }
}
