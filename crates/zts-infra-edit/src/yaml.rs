//! YAML, and JSON, which is a part of it: parsed into a tree.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::error::{Error, Language, Position};
use crate::tree::{Item, Kind, Node};

/// Parses a file of one document.
pub(crate) fn parse_file(source: &str) -> Result<Node, Error> {
    let mut reader = Reader {
        source,
        offsets: (!source.is_ascii())
            .then(|| source.char_indices().map(|(offset, _)| offset).collect()),
        parser: Parser::new_from_str(source),
    };
    let mut root = None;
    loop {
        match reader.next_event()? {
            (Event::StreamEnd, _) => break,
            (Event::DocumentStart(_), place) if root.is_some() => {
                return Err(reader.refuse(place.start, "there are several documents in the file"));
            }
            (Event::DocumentStart(explicit), place) => {
                let start = if explicit { place.end } else { 0 };
                let (event, place) = reader.next_event()?;
                root = Some(reader.read_node(event, place, start)?);
            }
            _ => {}
        }
    }
    Ok(root.unwrap_or(Node {
        range: 0..0,
        kind: Kind::Null,
    }))
}

/// Parses a part of a file, whose aliases may have their anchors elsewhere.
pub(crate) fn parse_part(source: &str) -> Result<Node, Error> {
    let mut masked = source.as_bytes().to_vec();
    for index in 1..masked.len() {
        let begins_word = matches!(masked[index - 1], b' ' | b'\t' | b'[' | b'{' | b',');
        let is_named = masked.get(index + 1).is_some_and(u8::is_ascii_alphanumeric);
        if masked[index] == b'*' && begins_word && is_named {
            masked[index] = b'_';
        }
    }
    let mut root = parse_file(&String::from_utf8_lossy(&masked))?;
    restore_aliases(&mut root, source);
    Ok(root)
}

fn restore_aliases(node: &mut Node, source: &str) {
    let text = &source[node.range.clone()];
    match &mut node.kind {
        Kind::Text(_) if text.starts_with('*') => node.kind = Kind::Literal(text.to_owned()),
        Kind::Map(items) => {
            for item in items {
                restore_aliases(&mut item.value, source);
            }
        }
        Kind::List(values) => {
            for value in values {
                restore_aliases(value, source);
            }
        }
        _ => {}
    }
}

/// Returns whether the map or the list at `range` is written with braces or brackets.
pub(crate) fn is_flow(source: &str, range: &Range<usize>) -> bool {
    source[range.clone()].starts_with(['{', '['])
}

struct Reader<'a> {
    source: &'a str,
    /// The byte offset of each character, unless all have one byte.
    offsets: Option<Vec<usize>>,
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn offset(&self, index: usize) -> usize {
        let end = self.source.len();
        match &self.offsets {
            Some(offsets) => offsets.get(index).copied().unwrap_or(end),
            None => index.min(end),
        }
    }

    fn next_event(&mut self) -> Result<(Event<'a>, Range<usize>), Error> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, end, .. }))) => {
                Ok((event, self.offset(start.index())..self.offset(end.index())))
            }
            Some(Err(error)) => Err(self.parse_error(&error)),
            None => Ok((Event::StreamEnd, self.source.len()..self.source.len())),
        }
    }

    fn parse_error(&self, error: &ScanError) -> Error {
        self.refuse(self.offset(error.marker().index()), error.info())
    }

    fn refuse(&self, offset: usize, message: &str) -> Error {
        Error::Parse {
            language: Language::Yaml,
            position: Position::at(self.source, offset),
            message: message.to_owned(),
        }
    }

    /// Reads the value that begins with `event`; `start` is the end of the colon before it.
    fn read_node(
        &mut self,
        event: Event<'a>,
        place: Range<usize>,
        start: usize,
    ) -> Result<Node, Error> {
        Ok(match event {
            Event::MappingStart(..) => self.read_map(&place, start)?,
            Event::SequenceStart(..) => self.read_list(&place, start)?,
            Event::Scalar(text, style, ..) => {
                let end = end_of_scalar(self.source, &place);
                read_scalar(&text, style, place.start..end, start)
            }
            _ => Node {
                kind: Kind::Literal(self.source[place.clone()].to_owned()),
                range: place,
            },
        })
    }

    fn read_map(&mut self, place: &Range<usize>, start: usize) -> Result<Node, Error> {
        let is_flow = is_flow(self.source, place);
        let mut items: Vec<Item> = Vec::new();
        loop {
            let (event, key) = self.next_event()?;
            if let Event::MappingEnd = event {
                let end = if is_flow {
                    key.start + 1
                } else {
                    items.last().map_or(start, |item| item.range.end)
                };
                let begin = if is_flow { place.start } else { start };
                return Ok(Node {
                    range: begin..end.max(begin),
                    kind: Kind::Map(items),
                });
            }
            let name = if let Event::Scalar(text, ..) = &event {
                Some(text.to_string())
            } else {
                self.read_node(event, key.clone(), key.start)?;
                None
            };
            let key = key.start..end_of_scalar(self.source, &key);
            let colon = end_of_colon(self.source, key.end);
            let (event, place) = self.next_event()?;
            let value = self.read_node(event, place, colon)?;
            items.push(Item {
                name,
                range: key.start..value.range.end.max(key.end),
                key,
                value,
            });
        }
    }

    fn read_list(&mut self, place: &Range<usize>, start: usize) -> Result<Node, Error> {
        let is_flow = self.source[place.clone()].starts_with('[');
        let mut values: Vec<Node> = Vec::new();
        loop {
            let (event, place_of_value) = self.next_event()?;
            if let Event::SequenceEnd = event {
                let last = values.last().map_or(start, |value| value.range.end);
                let end = if is_flow {
                    place_of_value.start + 1
                } else {
                    last
                };
                let begin = if is_flow { place.start } else { start };
                return Ok(Node {
                    range: begin..end.max(begin),
                    kind: Kind::List(values),
                });
            }
            let begin = place_of_value.start;
            values.push(self.read_node(event, place_of_value, begin)?);
        }
    }
}

/// Returns the end of the colon after a key; the key's end if there is none.
fn end_of_colon(source: &str, key: usize) -> usize {
    let rest = &source[key..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    if rest[blanks..].starts_with(':') {
        key + blanks + 1
    } else {
        key
    }
}

/// Returns the end of a scalar. The parser's place has the comment after a quoted one, and the
/// blank lines after a block of text.
fn end_of_scalar(source: &str, place: &Range<usize>) -> usize {
    let text = &source[place.clone()];
    let Some(quote) = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))
    else {
        return place.start + text.trim_end().len();
    };
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((offset, letter)) = rest.next() {
        let next_is = |wanted, rest: &mut std::iter::Peekable<_>| {
            rest.peek().is_some_and(|&(_, next)| next == wanted)
        };
        let is_escaped = match quote {
            '"' => letter == '\\',
            _ => letter == quote && next_is(quote, &mut rest),
        };
        if is_escaped {
            rest.next();
        } else if letter == quote {
            return place.start + offset + 1;
        }
    }
    place.end
}

fn read_scalar(text: &str, style: ScalarStyle, range: Range<usize>, start: usize) -> Node {
    let kind = match style {
        ScalarStyle::Plain if matches!(text, "" | "~" | "null" | "Null" | "NULL") => Kind::Null,
        ScalarStyle::Plain if is_literal(text) => Kind::Literal(text.to_owned()),
        _ => Kind::Text(text.to_owned()),
    };
    // An empty value has its place after the colon. The parser's may be that of the next brace.
    let is_absent = style == ScalarStyle::Plain && text.is_empty();
    let range = if range.is_empty() || is_absent {
        start..start
    } else {
        range
    };
    Node { range, kind }
}

/// Returns whether a plain scalar is a number or a truth value.
pub(crate) fn is_literal(text: &str) -> bool {
    text.parse::<f64>().is_ok()
        || text.starts_with("0x") && text[2..].chars().all(|digit| digit.is_ascii_hexdigit())
        || ["true", "false", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str())
}

/// Returns whether a text means itself without quotes.
pub(crate) fn is_plain(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let is_null = matches!(text.to_ascii_lowercase().as_str(), "" | "null");
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(letter)
        && !is_null
        && !is_literal(text)
}
