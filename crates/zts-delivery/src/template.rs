//! Templates with placeholders for a secret's keys: `{{ key }}`, `{{ key | json }}`, `{{ "{{" }}`.
//!
//! They have no logic, so the keys that a file needs are known without rendering it.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;
use zts_openbao::{SecretMap, SecretValue};

use crate::{
    encoding::{decode_base64, decode_text, json_of},
    error::Error,
};

/// All characters but those that RFC 3986 calls unreserved, which need no encoding in a URL.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A parsed template.
///
/// ```
/// use zts_delivery::Template;
///
/// let template = Template::parse("app.conf", "url = https://{{ user | url }}@db")?;
/// let values = serde_json::from_str(r#"{ "user": "a/b" }"#).expect("JSON");
/// assert_eq!(template.render("hosts/web01/app", &values)?.as_slice(), b"url = https://a%2Fb@db");
/// # Ok::<(), zts_delivery::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Key(String, Filter),
}

/// The form in which a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// A string as it is, other JSON as JSON.
    Plain,
    /// As JSON: a string with its quotes.
    Json,
    /// Percent-encoded, for any part of a URL.
    Url,
    Base64,
    /// The bytes of which the value is the Base64.
    Base64Decode,
}

impl Template {
    /// Parses `text`, the template with the name `name`.
    ///
    /// # Errors
    /// [`Error::Template`] with the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            push_text(&mut pieces, &rest[..start]);
            let opened = &rest[start + 2..];
            let (piece, length) = parse_placeholder(opened).map_err(|reason| Error::Template {
                name: name.to_owned(),
                line: 1 + text[..text.len() - opened.len()].matches('\n').count(),
                reason,
            })?;
            match piece {
                Piece::Text(text) => push_text(&mut pieces, &text),
                key @ Piece::Key(..) => pieces.push(key),
            }
            rest = &opened[length..];
        }
        push_text(&mut pieces, rest);
        Ok(Self { pieces })
    }

    /// Parses the placeholders that each template over several secrets has of one secret, by the
    /// templates' names.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn of_each(
        placeholders: &BTreeMap<String, Vec<String>>,
    ) -> Result<BTreeMap<String, Self>, Error> {
        let parsed = placeholders.iter().map(|(name, placeholders)| {
            let template = Self::of_placeholders(name, placeholders)?;
            Ok((name.clone(), template))
        });
        parsed.collect()
    }

    /// Parses a template of placeholders alone, each a key with or without a filter.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn of_placeholders(name: &str, placeholders: &[String]) -> Result<Self, Error> {
        let texts: Vec<_> = placeholders
            .iter()
            .map(|placeholder| format!("{{{{ {placeholder} }}}}"))
            .collect();
        Self::parse(name, &texts.concat())
    }

    /// Returns the keys in the template, with repetitions.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Key(key, _) => Some(key.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Returns the keys whose values are decoded from Base64, with repetitions.
    pub fn base64_keys(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Key(key, Filter::Base64Decode) => Some(key.as_str()),
            _ => None,
        })
    }

    /// Returns the file for these values of the secret with the path `secret`. A missing key is
    /// empty: the caller checks that all of [`Template::keys`] exist.
    ///
    /// # Errors
    /// [`Error::NotBase64`] for the first value that cannot be decoded.
    pub fn render(&self, secret: &str, values: &SecretMap) -> Result<Zeroizing<Vec<u8>>, Error> {
        let written = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Ok(Zeroizing::new(text.clone().into_bytes())),
            Piece::Key(key, filter) => match values.get(key) {
                Some(value) => filter.write(secret, key, value),
                None => Ok(Zeroizing::default()),
            },
        });
        Ok(join(&written.collect::<Result<Vec<_>, Error>>()?))
    }

    /// Returns the file for values that are the contents of files; `read` returns that of a key.
    ///
    /// # Errors
    /// Those of `read`; `refuse` makes the error of a content that a filter cannot write.
    pub(crate) fn render_contents<'c>(
        &self,
        read: impl Fn(&str) -> Result<&'c [u8], Error>,
        refuse: impl Fn(&str, &str) -> Error,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let written = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Ok(Zeroizing::new(text.clone().into_bytes())),
            Piece::Key(key, filter) => filter
                .write_content(read(key)?)
                .map_err(|reason| refuse(key, &reason)),
        });
        Ok(join(&written.collect::<Result<Vec<_>, Error>>()?))
    }
}

/// Joins the parts without a buffer that grows, because that would leave copies in memory.
pub(crate) fn join(parts: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut joined = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        joined.extend_from_slice(part);
    }
    joined
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// Parses the text after a `{{`. Returns the piece, and its length in bytes with the `}}`.
fn parse_placeholder(opened: &str) -> Result<(Piece, usize), String> {
    const UNCLOSED: &str = "`{{` without `}}` on the same line";
    let inner = opened.trim_start_matches([' ', '\t']);
    let skipped = opened.len() - inner.len();
    if inner.starts_with('"') {
        let mut texts = serde_json::Deserializer::from_str(inner).into_iter::<String>();
        let text = texts.next().and_then(Result::ok);
        let text = text.ok_or("the literal text is no JSON string, such as `{{ \"{{\" }}`")?;
        let behind = &inner[texts.byte_offset()..];
        let end = behind.trim_start_matches([' ', '\t']);
        let end = end
            .strip_prefix("}}")
            .ok_or("`}}` must follow the literal text")?;
        return Ok((Piece::Text(text), opened.len() - end.len()));
    }
    let line = inner.split('\n').next().unwrap_or_default();
    let length = line.find("}}").ok_or(UNCLOSED)?;
    Ok((parse_key(&inner[..length])?, skipped + length + 2))
}

/// Parses `key` or `key | filter`.
fn parse_key(inner: &str) -> Result<Piece, String> {
    let (key, filter) = match inner.split_once('|') {
        None => (inner, Filter::Plain),
        Some((key, name)) => (key, Filter::named(name.trim())?),
    };
    let key = key.trim();
    if key.is_empty() {
        return Err("the placeholder names no key".to_owned());
    }
    if key.contains(['{', '}']) {
        return Err(format!(
            "`{key}` has a brace, which no key can have here; braces as text are written `{{{{ \"{{{{\" }}}}`"
        ));
    }
    Ok(Piece::Key(key.to_owned(), filter))
}

impl Filter {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "json" => Self::Json,
            "url" => Self::Url,
            "base64" => Self::Base64,
            "base64decode" => Self::Base64Decode,
            "" => return Err("`|` is followed by no filter".to_owned()),
            _ => {
                return Err(format!(
                    "`{name}` is not a filter; there are `json`, `url`, `base64` and `base64decode`, one for a placeholder"
                ));
            }
        })
    }

    fn write(
        self,
        secret: &str,
        key: &str,
        value: &SecretValue,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(match self {
            Self::Plain => value.to_bytes(),
            Self::Json => encode_json(value),
            Self::Url => encode_url(&value.to_bytes()),
            Self::Base64 => encode_base64(&value.to_bytes()),
            Self::Base64Decode => decode_base64(secret, key, value)?,
        })
    }

    /// Writes the content of a file.
    fn write_content(self, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        Ok(match self {
            Self::Plain => Zeroizing::new(content.to_vec()),
            Self::Json => {
                let text =
                    str::from_utf8(content).map_err(|_| "it is no text, which `json` needs")?;
                Zeroizing::new(serde_json::to_vec(text).unwrap_or_default()) // a string cannot fail
            }
            Self::Url => encode_url(content),
            Self::Base64 => encode_base64(content),
            Self::Base64Decode => decode_text(Zeroizing::new(content.to_vec()))
                .map_err(|reason| format!("it is not Base64: {reason}"))?,
        })
    }
}

fn encode_url(content: &[u8]) -> Zeroizing<Vec<u8>> {
    let encoded = percent_encode(content, NOT_UNRESERVED).to_string();
    Zeroizing::new(encoded.into_bytes())
}

fn encode_base64(content: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(BASE64_STANDARD.encode(content).into_bytes())
}

/// Writes a value as JSON. A string is encoded again, because the server escapes more characters
/// than necessary.
fn encode_json(value: &SecretValue) -> Zeroizing<Vec<u8>> {
    let sent = json_of(value);
    let text = serde_json::from_str(&sent).map(Zeroizing::<String>::new);
    let anew = text.and_then(|text| serde_json::to_vec(text.as_str()));
    Zeroizing::new(anew.unwrap_or_else(|_| sent.as_bytes().to_vec()))
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
