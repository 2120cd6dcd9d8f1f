//! The attributes of a new host.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::visit::{Visit, visit_expr};

use super::address::find_in_text;
use super::place::{MapPlace, Notation};
use crate::error::{Error, Language};
use crate::hcl;
use crate::text::{Piece, reindent, split_trivia};
use crate::toml;
use crate::tree::{Item, Kind, Node};
use crate::yaml;

/// The lines between the braces of a new entry.
pub(super) struct NewEntry {
    notation: Notation,
    text: String,
    /// The map that `text` is between the braces of, with ranges of `text`.
    map: Node,
    /// The ranges of strings in `text`, whose lines keep their indentation.
    strings: Vec<Range<usize>>,
}

/// The text before the lines when they are parsed.
const OPENING: &str = "{\n";

impl NewEntry {
    /// Parses lines of attributes, indented relative to column 0.
    pub(super) fn parse(place: &MapPlace, host: &str, body: &str) -> Result<Self, Error> {
        let notation = place.notation;
        let invalid = |language: Language, message: String| Error::Invalid {
            value: format!("the VM entry of `{host}`"),
            language,
            message,
        };
        let text = trim_lines(body).to_owned();
        if let Some(entry) = parse_address(notation, &text) {
            return Ok(entry);
        }
        let own = match notation {
            Notation::Hcl => None,
            Notation::Json | Notation::Yaml => parse_data(notation, &text),
            Notation::Toml => parse_table(place, host, &text),
        };
        let entry = if let Some(entry) = own {
            entry
        } else {
            let entry = parse_hcl(text).map_err(|message| invalid(Language::Hcl, message))?;
            let converted = match notation {
                Notation::Hcl => Some(entry),
                Notation::Json | Notation::Yaml => entry.convert(notation),
                Notation::Toml => None,
            };
            converted.ok_or_else(|| {
                let message = "it has a computed value, which this file cannot have";
                invalid(notation.language(), message.to_owned())
            })?
        };
        if are_unique(entry.items()) {
            Ok(entry)
        } else {
            let message = "a name is computed, or appears twice";
            Err(invalid(notation.language(), message.to_owned()))
        }
    }

    fn items(&self) -> &[Item] {
        self.map.items().unwrap_or_default()
    }

    /// Returns whether it has an attribute of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some()
    }

    /// Returns the lines between the braces.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether there is no attribute and no comment.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns whether an entry has each of the attributes with an equal value. It may have more.
    pub(super) fn is_in(&self, value: &Node) -> bool {
        if self.map.text().is_some() {
            return self.map == *value;
        }
        let is_map = value.items().is_some();
        is_map
            && self.items().iter().all(|item| {
                let same_name = item.name.as_deref().and_then(|name| value.get(name));
                same_name.is_some_and(|other| other.value == item.value)
            })
    }

    /// Formats the object on several lines, indented by `indent`.
    pub(super) fn lines(&self, indent: &str, unit: &str, line_break: &str) -> String {
        if self.text.is_empty() {
            return "{}".to_owned();
        }
        if self.map.text().is_some() {
            return self.text.clone();
        }
        let inner = format!("{indent}{unit}");
        let text = reindent(&self.text, &inner, line_break, &self.strings);
        match self.notation {
            Notation::Yaml => format!("{line_break}{inner}{text}"),
            Notation::Toml => text,
            Notation::Hcl | Notation::Json => {
                format!("{{{line_break}{inner}{text}{line_break}{indent}}}")
            }
        }
    }

    /// Formats the object on one line; `None` if it has a comment or a value of several lines.
    pub(super) fn one_line(&self) -> Option<String> {
        if self.map.text().is_some() {
            return Some(self.text.clone());
        }
        let items = self.items();
        let simple = !self.has_comment(items) && self.strings.is_empty();
        let has_lines = |item: &Item| self.text[item.range.clone()].contains('\n');
        if !simple || items.iter().any(has_lines) {
            return None;
        }
        let texts: Vec<String> = items.iter().map(|item| self.item_text(item)).collect();
        Some(if texts.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", texts.join(", "))
        })
    }

    fn item_text(&self, item: &Item) -> String {
        let value = item.key.end..item.range.end;
        let value = self.text[value].trim_start_matches([' ', '\t', '=', ':']);
        let key = &self.text[item.key.clone()];
        format!("{key}{}{}", self.notation.assignment(), value.trim_start())
    }

    fn has_comment(&self, items: &[Item]) -> bool {
        let mut end = 0;
        let mut gaps = Vec::new();
        for item in items {
            gaps.push(end..item.range.start);
            end = item.range.end;
        }
        gaps.push(end..self.text.len());
        let mut pieces = gaps
            .into_iter()
            .flat_map(|gap| split_trivia(&self.text, gap));
        pieces.any(|(piece, _)| piece == Piece::Comment)
    }

    /// Returns the attributes in another notation; `None` if a value is computed.
    fn convert(&self, notation: Notation) -> Option<Self> {
        let lines: Option<Vec<String>> = self
            .items()
            .iter()
            .map(|item| {
                let name = item.name.as_deref()?;
                let key = match notation {
                    Notation::Yaml if yaml::is_plain(name) => name.to_owned(),
                    _ => notation.quote(name),
                };
                Some(format!("{key}: {}", to_json(&item.value)?))
            })
            .collect();
        let separator = match notation {
            Notation::Json => ",\n",
            Notation::Hcl | Notation::Toml | Notation::Yaml => "\n",
        };
        parse_data(notation, &lines?.join(separator))
    }
}

/// Parses an entry that is an address, not an object.
fn parse_address(notation: Notation, text: &str) -> Option<NewEntry> {
    let map = match notation {
        Notation::Hcl => hcl::read_expression(&hcl_edit::parser::parse_expr(text).ok()?)?,
        Notation::Toml => {
            let source = format!("x = {text}");
            let map = toml::parse_file(&source).ok()?.get("x")?.value.clone();
            moved(map, "x = ".len())
        }
        Notation::Json | Notation::Yaml => yaml::parse_file(text).ok()?,
    };
    find_in_text(map.text()?)?;
    Some(NewEntry {
        notation,
        text: text.to_owned(),
        map,
        strings: Vec::new(),
    })
}

fn parse_hcl(text: String) -> Result<NewEntry, String> {
    let source = format!("{OPENING}{text}\n}}");
    let parsed = hcl_edit::parser::parse_expr(&source).map_err(|error| {
        // The user's text lacks the line with the opening brace.
        format!(
            "line {}: {}",
            error.location().line().saturating_sub(1),
            error.message()
        )
    })?;
    let strings = find_multi_line_strings(&parsed, &source);
    let map = hcl::read_expression(&parsed)
        .filter(|map| map.items().is_some())
        .ok_or("it is not a list of attributes")?;
    Ok(NewEntry {
        notation: Notation::Hcl,
        text,
        map: moved(map, OPENING.len()),
        strings,
    })
}

/// Parses the lines in JSON or YAML; `None` if they are not a list of attributes in it.
fn parse_data(notation: Notation, text: &str) -> Option<NewEntry> {
    let map = if notation == Notation::Yaml {
        yaml::parse_part(text).ok()?
    } else {
        let map = notation.parse(&format!("{OPENING}{text}\n}}")).ok()?;
        moved(map, OPENING.len())
    };
    let map = match map.kind {
        Kind::Null => Node {
            kind: Kind::Map(Vec::new()),
            ..map
        },
        _ => map,
    };
    map.items()?;
    Some(NewEntry {
        notation,
        text: text.to_owned(),
        map,
        strings: Vec::new(),
    })
}

/// Parses the lines of a table of TOML; `None` if they are none.
fn parse_table(place: &MapPlace, host: &str, text: &str) -> Option<NewEntry> {
    let header = format!("[{}]\n", toml_path(place, host));
    let mut map = toml::parse_file(&format!("{header}{text}")).ok()?;
    for name in place.path.iter().map(String::as_str).chain([host]) {
        map = map.get(name)?.value.clone();
    }
    map.items()?;
    Some(NewEntry {
        notation: Notation::Toml,
        text: text.to_owned(),
        map: moved(map, header.len()),
        strings: Vec::new(),
    })
}

/// Returns the path of a host's table.
pub(super) fn toml_path(place: &MapPlace, host: &str) -> String {
    let names = place.path.iter().map(String::as_str).chain([host]);
    names.map(toml::quote_key).collect::<Vec<_>>().join(".")
}

/// Moves the ranges of the items, so that they lack the text before the first one.
fn moved(mut map: Node, length: usize) -> Node {
    if let Kind::Map(items) = &mut map.kind {
        for item in items {
            for range in [&mut item.key, &mut item.range, &mut item.value.range] {
                *range = range.start - length..range.end - length;
            }
        }
    }
    map
}

/// Returns a value in JSON, which is YAML, too; `None` for a computed one.
fn to_json(value: &Node) -> Option<String> {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    Some(match &value.kind {
        Kind::Null => "null".to_owned(),
        Kind::Literal(text) => text.clone(),
        Kind::Text(text) => quote(text),
        Kind::List(values) => {
            let values: Option<Vec<_>> = values.iter().map(to_json).collect();
            format!("[{}]", values?.join(", "))
        }
        Kind::Map(items) => {
            let pair = |item: &Item| {
                let name = quote(item.name.as_deref()?);
                Some(format!("{name}: {}", to_json(&item.value)?))
            };
            let pairs: Option<Vec<_>> = items.iter().map(pair).collect();
            format!("{{{}}}", pairs?.join(", "))
        }
        Kind::Section(_) | Kind::Computed(_) => return None,
    })
}

/// Removes the blank lines at the start and the end of `text`.
fn trim_lines(text: &str) -> &str {
    let text = text.trim_end();
    let first = text.len() - text.trim_start().len();
    &text[text[..first].rfind('\n').map_or(0, |index| index + 1)..]
}

fn are_unique(items: &[Item]) -> bool {
    let mut seen = std::collections::HashSet::new();
    items
        .iter()
        .all(|item| item.name.as_ref().is_some_and(|name| seen.insert(name)))
}

fn find_multi_line_strings(expression: &Expression, source: &str) -> Vec<Range<usize>> {
    struct Strings<'a>(&'a str, Vec<Range<usize>>);
    impl Visit for Strings<'_> {
        fn visit_expr(&mut self, node: &Expression) {
            let is_string = matches!(
                node,
                Expression::String(_)
                    | Expression::StringTemplate(_)
                    | Expression::HeredocTemplate(_)
            );
            if let Some(range) = node
                .span()
                .filter(|range| is_string && self.0[range.clone()].contains('\n'))
            {
                self.1
                    .push(range.start - OPENING.len()..range.end - OPENING.len());
            }
            visit_expr(self, node);
        }
    }
    let mut strings = Strings(source, Vec::new());
    strings.visit_expr(expression);
    strings.1
}
