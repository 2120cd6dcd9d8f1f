//! The place of a map of machines.

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Language, Position};
use crate::hcl;
use crate::layout::{Block, Separator, Syntax};
use crate::text::line_start;
use crate::toml;
use crate::tree::{Item, Node};
use crate::yaml;

/// The notation of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notation {
    /// OpenTofu's own: `*.tf`, `*.tfvars`.
    Hcl,
    /// `*.tf.json`, `*.tfvars.json`, and files that `jsondecode` or `builtins.fromJSON` reads.
    Json,
    /// Files that `builtins.fromTOML` reads.
    Toml,
    /// Files that `yamldecode` reads.
    Yaml,
}

impl Notation {
    /// Returns the notation of a file, from the end of its name.
    pub fn of_file(path: &str) -> Option<Self> {
        let extension = path.rsplit_once('.')?.1;
        Some(match extension {
            "tf" | "tofu" | "tfvars" | "hcl" => Self::Hcl,
            "json" => Self::Json,
            "toml" => Self::Toml,
            "yaml" | "yml" => Self::Yaml,
            _ => return None,
        })
    }

    pub(crate) fn parse(self, source: &str) -> Result<Node, Error> {
        match self {
            Self::Hcl => Ok(hcl::read_body(&hcl::parse_file(source)?)),
            Self::Toml => toml::parse_file(source),
            Self::Yaml => yaml::parse_file(source),
            Self::Json => {
                check_json(source)?;
                yaml::parse_file(source)
            }
        }
    }

    /// Returns `text` as a quoted string.
    pub(super) fn quote(self, text: &str) -> String {
        match self {
            Self::Hcl => hcl::quote_string(text),
            Self::Json | Self::Toml | Self::Yaml => serde_json::Value::from(text).to_string(),
        }
    }

    /// Returns the text between a key and its value on the same line.
    pub(super) fn assignment(self) -> &'static str {
        match self {
            Self::Hcl | Self::Toml => " = ",
            Self::Json | Self::Yaml => ": ",
        }
    }

    pub(super) fn language(self) -> Language {
        match self {
            Self::Hcl => Language::Hcl,
            Self::Json => Language::Json,
            Self::Toml => Language::Toml,
            Self::Yaml => Language::Yaml,
        }
    }

    /// Returns whether the map at `range` is a block without braces.
    pub(super) fn is_block(self, source: &str, range: &Range<usize>) -> bool {
        match self {
            Self::Yaml => !yaml::is_flow(source, range),
            Self::Toml => !toml::is_inline(source, range),
            Self::Hcl | Self::Json => false,
        }
    }

    /// Returns the layout of a map.
    pub(super) fn layout<'a>(
        self,
        source: &'a str,
        map: &Range<usize>,
        items: &[Item],
    ) -> Block<'a> {
        let is_block = self.is_block(source, map);
        let inner = if is_block {
            let rest = &source[map.end..];
            let start = match self {
                Self::Toml => start_of_comments(source, map.start),
                _ => map.start,
            };
            start..map.end + rest.find('\n').map_or(rest.len(), |end| end + 1)
        } else {
            map.start + 1..map.end - 1
        };
        let separator = match self {
            Self::Hcl => Separator::CommaOrLineBreak,
            Self::Toml | Self::Yaml if is_block => Separator::LineBreak,
            Self::Json | Self::Toml | Self::Yaml => Separator::Comma,
        };
        Block {
            source,
            inner,
            entries: items.iter().map(|item| item.range.clone()).collect(),
            syntax: Syntax {
                // In YAML, what is in braces stays on their line.
                empty: if self == Self::Yaml { "{}" } else { "" },
                separator,
            },
        }
    }
}

/// Returns the start of the blank lines and comments above a line.
fn start_of_comments(source: &str, mut start: usize) -> usize {
    while let Some(above) = source[..start].strip_suffix('\n') {
        let line = line_start(above, above.len());
        let text = above[line..].trim();
        if !text.is_empty() && !text.starts_with('#') {
            break;
        }
        start = line;
    }
    start
}

/// Checks what YAML allows beyond JSON, such as a comma after the last item.
fn check_json(source: &str) -> Result<(), Error> {
    let checked = serde_json::from_str::<serde::de::IgnoredAny>(source);
    checked.map(drop).map_err(|error| Error::Parse {
        language: Language::Json,
        position: Position {
            line: error.line().max(1),
            column: error.column().max(1),
        },
        message: error
            .to_string()
            .split(" at line")
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// The place of a map of machines in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MapPlace {
    /// The notation of the file.
    pub notation: Notation,
    /// The keys from the file's root to the map; in HCL with the types and labels of blocks.
    pub path: Vec<String>,
}

impl Default for MapPlace {
    /// Returns `locals.vms` in HCL.
    fn default() -> Self {
        Self {
            notation: Notation::Hcl,
            path: vec!["locals".to_owned(), "vms".to_owned()],
        }
    }
}

impl MapPlace {
    /// Returns the name of the map, which for the default of a variable is that of the variable.
    pub fn name(&self) -> &str {
        match self.path.as_slice() {
            [first, name, last] if first == "variable" && last == "default" => name,
            path => path.last().map_or("", String::as_str),
        }
    }

    /// Returns whether `wanted` is the map's name or its whole path.
    pub fn is_named(&self, wanted: &str) -> bool {
        self.name() == wanted || self.path.join(".") == wanted
    }
}

impl fmt::Display for MapPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str("the whole file");
        }
        write!(formatter, "`{}`", self.path.join("."))
    }
}
