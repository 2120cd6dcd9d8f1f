//! HCL, for the editors of OpenTofu files: parsing, names, strings.

pub(crate) mod equality;
mod expression;
mod read;
mod string;

use hcl_edit::structure::Body;

use crate::error::{Error, Language, Position};

pub(crate) use expression::{key_name, literal_strings};
pub(crate) use read::{read_body, read_expression};
pub(crate) use string::{is_identifier, quote_string};

/// Splits the byte order mark off a source. OpenTofu reads files that begin with one, `hcl-edit`
/// does not.
pub(crate) fn split_byte_order_mark(source: &str) -> (&str, &str) {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    source.split_at(source.len() - text.len())
}

/// Parses a whole file, without its byte order mark.
pub(crate) fn parse_file(source: &str) -> Result<Body, Error> {
    hcl_edit::parser::parse_body(source).map_err(|error| Error::Parse {
        language: Language::Hcl,
        position: Position::at(source, error.location().offset()),
        message: error.message().to_owned(),
    })
}
