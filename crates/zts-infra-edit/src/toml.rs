//! TOML, parsed into a tree.

use std::ops::Range;

use toml_edit::{ArrayOfTables, Document, InlineTable, Key, Table, Value};

use crate::error::{Error, Language, Position};
use crate::text::starts_line;
use crate::tree::{Item, Kind, Node};

/// Parses a file.
pub(crate) fn parse_file(source: &str) -> Result<Node, Error> {
    let document = Document::parse(source).map_err(|error| Error::Parse {
        language: Language::Toml,
        position: Position::at(source, error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let kind = Kind::Map(read_items(source, document.as_table()));
    Ok(Node {
        range: 0..source.trim_end().len(),
        kind,
    })
}

/// Returns whether the map or the list at `range` is written with braces or brackets.
pub(crate) fn is_inline(source: &str, range: &Range<usize>) -> bool {
    let text = &source[range.clone()];
    // a bracket that begins its line is that of a header
    text.starts_with('{') || (text.starts_with('[') && !starts_line(source, range.start))
}

/// Returns whether an item is a table with a header, such as `[hosts.web01]`.
pub(crate) fn has_header(source: &str, item: &Item) -> bool {
    item.range.start < item.key.start && source[item.range.start..].starts_with('[')
}

/// Returns a key, in quotes if it needs them.
pub(crate) fn quote_key(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        serde_json::Value::from(name).to_string()
    }
}

/// Returns the items of a table in the order of the file.
fn read_items(source: &str, table: &Table) -> Vec<Item> {
    let mut items: Vec<Item> = table
        .iter()
        .filter_map(|(name, item)| {
            let key = table.key(name).and_then(Key::span)?;
            match item {
                toml_edit::Item::Value(value) => Some(value_item(source, name, key, value)),
                toml_edit::Item::Table(inner) => Some(table_item(source, name, key, inner)),
                toml_edit::Item::ArrayOfTables(tables) => {
                    Some(tables_item(source, name, key, tables))
                }
                toml_edit::Item::None => None,
            }
        })
        .collect();
    items.sort_by_key(|item| item.range.start);
    items
}

fn value_item(source: &str, name: &str, key: Range<usize>, value: &Value) -> Item {
    let value = read_value(source, value, key.end);
    Item {
        name: Some(name.to_owned()),
        range: key.start..value.range.end,
        key,
        value,
    }
}

/// Reads a table. It begins with its header, or with the first of its keys where it has none.
fn table_item(source: &str, name: &str, key: Range<usize>, table: &Table) -> Item {
    let (range, value) = read_table(source, key.start, table);
    Item {
        name: Some(name.to_owned()),
        range,
        key,
        value,
    }
}

fn read_table(source: &str, first_key: usize, table: &Table) -> (Range<usize>, Node) {
    let items = read_items(source, table);
    // a table that only others name has the place of their key
    let header = table.span();
    let header = header.filter(|header| source[header.start..].starts_with('['));
    let first = items.first().map_or(first_key, |item| item.range.start);
    let first = if table.is_dotted() { first_key } else { first };
    let (start, inner) = header.map_or((first, first), |header| (header.start, header.end));
    let end = items.iter().map(|item| item.range.end).max();
    let end = end.unwrap_or(inner).max(inner);
    let value = Node {
        range: inner..end,
        kind: Kind::Map(items),
    };
    (start..end, value)
}

/// Reads the tables with headers such as `[[hosts]]`.
fn tables_item(source: &str, name: &str, key: Range<usize>, tables: &ArrayOfTables) -> Item {
    let tables = tables.iter().map(|table| {
        let (range, value) = read_table(source, key.start, table);
        Node { range, ..value }
    });
    let values: Vec<Node> = tables.collect();
    let start = values.first().map_or(key.start, |value| value.range.start);
    let end = values.last().map_or(key.end, |value| value.range.end);
    Item {
        name: Some(name.to_owned()),
        key,
        range: start..end,
        value: Node {
            range: start..end,
            kind: Kind::List(values),
        },
    }
}

/// Reads a value; `start` is its place if it has none, because it is a part of a dotted key.
fn read_value(source: &str, value: &Value, start: usize) -> Node {
    let range = value.span().unwrap_or(start..start);
    let kind = match value {
        Value::String(text) => Kind::Text(text.value().clone()),
        Value::Array(values) => {
            let values = values.iter();
            Kind::List(
                values
                    .map(|value| read_value(source, value, start))
                    .collect(),
            )
        }
        Value::InlineTable(table) => return read_inline(source, table, range),
        _ => Kind::Literal(source[range.clone()].to_owned()),
    };
    Node { range, kind }
}

fn read_inline(source: &str, table: &InlineTable, range: Range<usize>) -> Node {
    let mut items: Vec<Item> = table
        .iter()
        .filter_map(|(name, value)| {
            let key = table.key(name).and_then(Key::span)?;
            Some(value_item(source, name, key, value))
        })
        .collect();
    items.sort_by_key(|item| item.range.start);
    let end = items.iter().map(|item| item.range.end).max();
    Node {
        range: range.start..end.unwrap_or(range.end).max(range.end),
        kind: Kind::Map(items),
    }
}
