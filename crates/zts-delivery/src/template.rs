//! Templates with placeholders for a secret's keys: `{{ key }}`, `{{ key | json }}`, `{{ "{{" }}`.
//!
//! They have no logic, so the keys that a file needs are known without rendering it.

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;
use zts_openbao::{SecretMap, SecretValue};

use crate::{
    encoding::{decode_base64, json_of},
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
        let plain = value.to_bytes();
        Ok(match self {
            Self::Plain => plain,
            Self::Json => encode_json(value),
            Self::Url => Zeroizing::new(
                percent_encode(&plain, NOT_UNRESERVED)
                    .to_string()
                    .into_bytes(),
            ),
            Self::Base64 => Zeroizing::new(BASE64_STANDARD.encode(&*plain).into_bytes()),
            Self::Base64Decode => decode_base64(secret, key, value)?,
        })
    }
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(json: &str) -> SecretMap {
        serde_json::from_str(json).unwrap()
    }

    fn rendered(text: &str, json: &str) -> String {
        let template = Template::parse("t", text).unwrap();
        let file = template.render("s", &values(json)).unwrap();
        String::from_utf8(file.to_vec()).unwrap()
    }

    fn refused(text: &str) -> String {
        Template::parse("app.conf", text).unwrap_err().to_string()
    }

    #[test]
    fn placeholders_become_values() {
        const SECRET: &str = r#"{
            "key": "a\"b &ü\n", "tls.crt": "CERT", "api-key": "K", "my key": "M", "port": 5432,
            "big": 12345678901234567890.10, "list": [1, "x"], "none": null, "Ключ": "да", "braces": "}} {{ key }}"
        }"#;
        for (text, expected) in [
            ("", ""),
            ("no placeholder } { }} \" {", "no placeholder } { }} \" {"),
            ("{{ api-key }}", "K"),
            ("{{api-key}}", "K"),
            ("{{\tapi-key  }}", "K"),
            ("{{ tls.crt }}|{{ my key }}|{{ Ключ }}", "CERT|M|да"),
            ("<{{ key }}>", "<a\"b &ü\n>"),
            ("{{ key | json }}", r#""a\"b &ü\n""#),
            ("{{key|json}}", r#""a\"b &ü\n""#),
            ("{{ key | url }}", "a%22b%20%26%C3%BC%0A"),
            ("{{ key | base64 }}", "YSJiICbDvAo="),
            (
                "{{ port }} {{ port | json }} {{ port | url }}",
                "5432 5432 5432",
            ),
            (
                "{{ big }} {{ big | json }}",
                "12345678901234567890.10 12345678901234567890.10",
            ),
            ("{{ list }} {{ list | json }}", r#"[1, "x"] [1, "x"]"#),
            ("{{ none }}", "null"),
            ("{{ \"{{\" }} x {{ \"}}\" }}", "{{ x }}"),
            ("{{\"a\\n\\\"b\\u00fc\"}}", "a\n\"bü"),
            ("{{ \"\" }}", ""),
            ("{\"port\":{{ port }}}", "{\"port\":5432}"),
            ("a\r\n{{ port }}\r\n", "a\r\n5432\r\n"),
            ("\u{feff}{{ port }}", "\u{feff}5432"),
            ("{{ port }}{{ port }}", "54325432"),
            ("{{ braces }}", "}} {{ key }}"), // a value is not parsed
        ] {
            assert_eq!(rendered(text, SECRET), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let said = [
            "{{ key",
            "one\r\ntwo {{ key\nthree }}",
            "{{",
            "{{}}",
            "{{ }}",
            "{{ | json }}",
            "\n\n{{ key | upper }}",
            "{{ key | }}",
            "{{ key | json | base64 }}",
            "{{{ key }}",
            "{{ a {{ b }}",
            "{{ \"{{ }}",
            "{{ \"a\" b }}",
            "{{ \"a\" | json }}",
            "{{ \"a\"",
            "{{ \"\\q\" }}",
        ]
        .map(refused)
        .join("\n");
        assert_eq!(
            said,
            "\
line 1 of the template `app.conf`: `{{` without `}}` on the same line
line 2 of the template `app.conf`: `{{` without `}}` on the same line
line 1 of the template `app.conf`: `{{` without `}}` on the same line
line 1 of the template `app.conf`: the placeholder names no key
line 1 of the template `app.conf`: the placeholder names no key
line 1 of the template `app.conf`: the placeholder names no key
line 3 of the template `app.conf`: `upper` is not a filter; there are `json`, `url`, `base64` and `base64decode`, one for a placeholder
line 1 of the template `app.conf`: `|` is followed by no filter
line 1 of the template `app.conf`: `json | base64` is not a filter; there are `json`, `url`, `base64` and `base64decode`, one for a placeholder
line 1 of the template `app.conf`: `{ key` has a brace, which no key can have here; braces as text are written `{{ \"{{\" }}`
line 1 of the template `app.conf`: `a {{ b` has a brace, which no key can have here; braces as text are written `{{ \"{{\" }}`
line 1 of the template `app.conf`: the literal text is no JSON string, such as `{{ \"{{\" }}`
line 1 of the template `app.conf`: `}}` must follow the literal text
line 1 of the template `app.conf`: `}}` must follow the literal text
line 1 of the template `app.conf`: `}}` must follow the literal text
line 1 of the template `app.conf`: the literal text is no JSON string, such as `{{ \"{{\" }}`"
        );
    }

    #[test]
    fn its_keys_are_known_without_rendering() {
        let template = Template::parse("t", "{{ b }} {{ a | json }} {{ \"c\" }} {{ b }}").unwrap();
        assert_eq!(template.keys().collect::<Vec<_>>(), ["b", "a", "b"]);
    }

    #[test]
    fn ten_megabytes_are_fast() {
        let text = "{{ key }} and more text\n".repeat(420_000);
        let start = std::time::Instant::now();
        assert_eq!(rendered(&text, r#"{"key":"v"}"#).len(), 420_000 * 16);
        let most = zts_testkit::scale_timeout(std::time::Duration::from_secs(10));
        assert!(start.elapsed() < most, "{:?}", start.elapsed());
        let broken = format!("{text}{{{{");
        assert!(refused(&broken).starts_with("line 420001 of"));
    }

    proptest! {
        /// Text outside of placeholders is unchanged, and so is a literal text.
        #[test]
        fn any_text_is_unchanged(text in "\\PC*", around in "[a-z\r\n {}]*") {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut around = around;
            while around.contains("{{") {
                around = around.replace("{{", "{ {"); // of three braces, once leaves two
            }
            let around = around.trim_end_matches('{');
            let template = format!("{around}{{{{ {quoted} }}}}");
            prop_assert_eq!(rendered(&template, "{}"), format!("{around}{text}"));
        }

        #[test]
        fn any_value_is_unchanged(value in any::<String>()) {
            let secret = serde_json::to_string(&[("k", &value)].into_iter().collect::<std::collections::BTreeMap<_, _>>()).unwrap();
            prop_assert_eq!(&rendered("{{ k }}", &secret), &value);
            let json: String = serde_json::from_str(&rendered("{{ k | json }}", &secret)).unwrap();
            prop_assert_eq!(&json, &value);
            let url = rendered("{{ k | url }}", &secret);
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            let decoded = percent_encoding::percent_decode_str(&url).decode_utf8().unwrap();
            prop_assert_eq!(decoded.as_ref(), value.as_str());
            let base64 = rendered("{{ k | base64 }}", &secret);
            prop_assert_eq!(BASE64_STANDARD.decode(&base64).unwrap(), value.as_bytes());
            let encoded = format!(r#"{{"k":"{base64}"}}"#);
            prop_assert_eq!(&rendered("{{ k | base64decode }}", &encoded), &value);
        }

        /// Any template is parsed or refused.
        #[test]
        fn no_template_causes_a_panic(text in "[{}|\"\\\\ a\n\u{e9}]{0,40}") {
            let _ = Template::parse("t", &text);
        }
    }
}
