//! Attributes of a new entry as text, in the notation of a file.

use super::place::Notation;
use crate::hcl;
use crate::text::{indent_unit, line_indent};
use crate::toml;
use crate::tree::Item;
use crate::yaml;

/// An attribute of a new entry.
pub(super) struct Attribute {
    pub(super) name: String,
    /// The key as written.
    pub(super) key: String,
    pub(super) value: Value,
}

/// The value of an attribute.
pub(super) enum Value {
    /// The text of the value, its further lines indented relative to the attribute.
    Text(String),
    /// An object; true if it is written on one line.
    Map(Vec<Attribute>, bool),
}

/// Returns a key in the notation.
pub(super) fn key(notation: Notation, name: &str) -> String {
    let is_plain = match notation {
        Notation::Hcl => hcl::is_identifier(name),
        Notation::Json => false,
        Notation::Toml => return toml::quote_key(name),
        Notation::Yaml => yaml::is_plain(name),
    };
    if is_plain {
        name.to_owned()
    } else {
        notation.quote(name)
    }
}

/// Returns a string in the notation, quoted like one that begins with `quote`.
pub(super) fn text(notation: Notation, text: &str, quote: Option<char>) -> String {
    let is_plain = yaml::is_plain(text)
        || text.contains(char::is_alphabetic)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && !text.ends_with(':')
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_-./:=,".contains(letter));
    match (notation, quote) {
        (Notation::Yaml, Some('\'')) if !text.contains('\'') => format!("'{text}'"),
        (Notation::Yaml, Some(quote)) if quote != '"' && is_plain => text.to_owned(),
        _ => notation.quote(text),
    }
}

/// Returns the value of an attribute as it is written, its further lines indented relative to the
/// attribute.
pub(super) fn verbatim(notation: Notation, source: &str, item: &Item) -> String {
    if item.value.is_heredoc() || notation != Notation::Yaml {
        let text = &source[item.value.range.clone()];
        return if item.value.is_heredoc() {
            text.to_owned()
        } else {
            dedent(text, line_indent(source, item.key.start))
        };
    }
    // In YAML, the style of a text is between the colon and the value's place.
    let rest = &source[item.key.end..item.range.end];
    let colon = rest.find(':').map_or(0, |colon| colon + 1);
    let text = rest[colon..].trim_start_matches([' ', '\t']);
    dedent(text, line_indent(source, item.key.start))
}

fn dedent(text: &str, indent: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| {
        text + "\n" + line.strip_prefix(indent).unwrap_or(line)
    })
}

/// Returns the lines of attributes, indented relative to column 0. `path` is that of their object,
/// for the headers of TOML.
pub(super) fn body(
    notation: Notation,
    source: &str,
    path: &str,
    attributes: &[Attribute],
) -> String {
    if notation == Notation::Toml {
        return tables(source, path, attributes);
    }
    let unit = indent_unit(source);
    let pairs: Vec<(&str, String)> = attributes
        .iter()
        .map(|attribute| {
            (
                attribute.key.as_str(),
                value(notation, source, &unit, &attribute.value),
            )
        })
        .collect();
    let separator = match notation {
        Notation::Json => ",\n",
        Notation::Hcl | Notation::Toml | Notation::Yaml => "\n",
    };
    let lines = (0..pairs.len()).map(|index| {
        let (key, value) = &pairs[index];
        let assignment = match notation {
            Notation::Hcl => " ".repeat(column(&pairs, index) - width(key) + 1) + "= ",
            _ if value.starts_with('\n') => ":".to_owned(),
            _ => notation.assignment().to_owned(),
        };
        [key, assignment.as_str(), value].concat()
    });
    lines.collect::<Vec<_>>().join(separator)
}

fn value(notation: Notation, source: &str, unit: &str, value: &Value) -> String {
    let (attributes, is_flow) = match value {
        Value::Text(text) => return text.clone(),
        Value::Map(attributes, is_flow) => (attributes, *is_flow),
    };
    if is_flow {
        let pairs = attributes.iter().map(|attribute| {
            let value = self::value(notation, source, unit, &attribute.value);
            [&attribute.key, notation.assignment(), &value].concat()
        });
        return format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "));
    }
    let inside = body(notation, source, "", attributes);
    let inside = inside.replace('\n', &format!("\n{unit}"));
    match notation {
        Notation::Yaml => format!("\n{unit}{inside}"),
        _ => format!("{{\n{unit}{inside}\n}}"),
    }
}

/// Returns the attributes of a table of TOML: those with a value of their own, then the tables in
/// it, each with its header.
fn tables(source: &str, path: &str, attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    let mut inner = Vec::new();
    for attribute in attributes {
        let key = &attribute.key;
        if let Value::Map(inside, false) = &attribute.value {
            let path = format!("{path}.{key}");
            let inside = tables(source, &path, inside);
            let has_values = !inside.starts_with("\n[");
            let header = if has_values {
                format!("\n[{path}]\n")
            } else {
                String::new()
            };
            inner.push((header + &inside).trim_end().to_owned());
        } else {
            let value = value(Notation::Toml, source, "", &attribute.value);
            lines.push(format!("{key} = {value}"));
        }
    }
    lines.extend(inner);
    lines.join("\n")
}

/// Returns the length of the longest key that `tofu fmt` aligns with this one: those of the lines
/// above and below, up to a value of several lines.
fn column(pairs: &[(&str, String)], index: usize) -> usize {
    // a heredoc counts as one line
    let is_line = |pair: &&(&str, String)| !pair.1.contains('\n') || pair.1.starts_with("<<");
    let (before, rest) = pairs.split_at(index);
    if !is_line(&&rest[0]) {
        return width(rest[0].0);
    }
    let neighbours = before.iter().rev().take_while(is_line);
    let neighbours = neighbours.chain(rest.iter().take_while(is_line));
    neighbours
        .map(|(key, _)| width(key))
        .max()
        .unwrap_or_default()
}

fn width(key: &str) -> usize {
    key.chars().count()
}
