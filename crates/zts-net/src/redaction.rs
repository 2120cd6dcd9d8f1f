//! Redaction: a server's text, made fit to be shown.
//!
//! A server, or a proxy before it, may repeat a request in its error. So this module knows each
//! credential that this process has sent, and [`clean_text`] removes it from a text in every usual
//! encoding: plain, base64 (both alphabets, any offset), hex, percent and JSON escapes. Parts of a
//! credential are removed as well, because a server may cut or fold its text.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::{LazyLock, RwLock},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The longest text of a server in a message, in characters.
pub const LONGEST: usize = 300;
/// The number of consecutive characters of a credential that are redacted.
const WINDOW: usize = 12;
/// The shortest credential, in bytes: with shorter ones, texts would lose ordinary words.
const SHORTEST: usize = 8;
/// The text in the place of a credential.
const REPLACEMENT: &str = "[redacted]";
/// The most characters of a text that are searched; the rest is dropped.
const LONGEST_SEARCHED: usize = 64 << 10;

static SENT: LazyLock<RwLock<SentSecrets>> = LazyLock::new(RwLock::default);

/// The credentials that were sent: keyed hashes of their windows, in each encoding and in lower
/// case. The credentials themselves are not kept.
#[derive(Default)]
struct SentSecrets {
    key: RandomState,
    known: HashSet<u64>,
    windows: HashSet<u64>,
}

impl SentSecrets {
    fn add(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST || !self.known.insert(self.key.hash_one(secret)) {
            return;
        }
        for form in encodings(secret) {
            let form = Zeroizing::new(form.to_ascii_lowercase());
            let windows = form.windows(form.len().min(WINDOW));
            self.windows
                .extend(windows.map(|window| self.key.hash_one(window)));
        }
    }

    /// Returns the ranges of `text` that are part of a credential.
    fn find_ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        let text = text.to_ascii_lowercase();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for start in 0..text.len() {
            let is_known = |end: &usize| {
                let part = text.get(start..*end);
                part.is_some_and(|part| self.windows.contains(&self.key.hash_one(part)))
            };
            let Some(end) = (start + SHORTEST..=start + WINDOW).rev().find(is_known) else {
                continue;
            };
            match ranges.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => ranges.push(start..end),
            }
        }
        ranges
    }
}

/// Returns the encodings of `secret`, without the base64 characters that depend on the text around
/// it.
fn encodings(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let hex = secret.iter().flat_map(|byte| {
        [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)])
    });
    let words = secret.iter().copied().filter(u8::is_ascii_alphanumeric);
    let mut forms = vec![secret.to_vec(), hex.collect(), words.collect()];
    for (offset, skipped) in [(0, 0), (1, 2), (2, 3)] {
        let padded = Zeroizing::new([&b"\0\0"[..offset], secret].concat());
        let end = padded.len() / 3 * 4; // the last, unfinished group depends on what comes next
        for encoded in [
            BASE64_STANDARD_NO_PAD.encode(&*padded),
            BASE64_URL_SAFE_NO_PAD.encode(&*padded),
        ] {
            forms.extend(encoded.as_bytes().get(skipped..end).map(<[u8]>::to_vec));
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.into_iter().map(Zeroizing::new).collect()
}

/// Registers a credential that is about to be sent. [`clean_text`] redacts it from now on, and the
/// bytes that it encodes.
pub fn remember_secret(secret: &SecretString) {
    let secret = secret.expose_secret();
    let unpadded = secret.trim_end_matches('=');
    let bytes = [
        BASE64_STANDARD_NO_PAD.decode(unpadded).ok(),
        BASE64_URL_SAFE_NO_PAD.decode(unpadded).ok(),
        from_hex(secret),
    ];
    if let Ok(mut sent) = SENT.write() {
        sent.add(secret.as_bytes());
        for bytes in bytes.into_iter().flatten().map(Zeroizing::new) {
            sent.add(&bytes);
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// Returns the text of a server for a message: one line of at most [`LONGEST`] characters, without
/// control characters and without any credential that was sent.
pub fn clean_text(text: &str) -> String {
    let searched = text.char_indices().nth(LONGEST_SEARCHED);
    let text = searched.map_or(text, |(end, _)| &text[..end]);
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ").replace(is_control_or_invisible, "\u{fffd}");
    let line = redact_secrets(&line);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns whether a character is invisible and changes how others are shown: control characters,
/// and those that change the direction of text or have no width.
pub fn is_control_or_invisible(letter: char) -> bool {
    let is_invisible = matches!(
        letter,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    letter.is_control() || is_invisible
}

/// Returns `text` without any credential that was sent.
pub fn redact_secrets(text: &str) -> String {
    let Ok(sent) = SENT.read() else {
        return REPLACEMENT.to_owned(); // a thread panicked while it registered one
    };
    if sent.windows.is_empty() {
        return text.to_owned();
    }
    let (bytes, mut shown, mut done) = (text.as_bytes(), Vec::new(), 0);
    for range in sent.find_ranges(bytes) {
        shown.extend_from_slice(&bytes[done..range.start]);
        shown.extend_from_slice(REPLACEMENT.as_bytes());
        done = range.end;
    }
    shown.extend_from_slice(&bytes[done..]);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    // a credential that is escaped, or in pieces, cannot be cut out
    if readings(&shown).any(|view| !sent.find_ranges(view.as_bytes()).is_empty()) {
        return format!("{REPLACEMENT} (it repeats what was sent)");
    }
    shown
}

/// Returns `text` with its escapes undone, each also without whitespace and without punctuation.
fn readings(text: &str) -> impl Iterator<Item = String> {
    let text = text.replace(REPLACEMENT, "\n");
    let percent = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
    let views = [unescape(&text), percent.into_owned(), text.clone()];
    views.into_iter().flat_map(|view| {
        let without_blanks = view.replace(char::is_whitespace, "");
        let words = view.replace(|letter: char| !letter.is_ascii_alphanumeric(), "");
        [without_blanks, words, view]
    })
}

/// Replaces `\u0041` and `\x41` by their characters.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = match escape.as_bytes().first() {
            Some(b'u') => 1..5,
            Some(b'x') => 1..3,
            _ => 0..0,
        };
        let code = escape
            .get(digits.clone())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(letter) => {
                plain.push(letter);
                rest = &escape[digits.end..];
            }
            None => rest = escape,
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "s.Zk>?3xYq8TtWwRr~vLpMnbb";

    fn hex(bytes: &[u8], between: &str) -> String {
        let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(between)
    }

    fn percent(text: &str) -> String {
        format!("%{}", hex(text.as_bytes(), "%").to_lowercase())
    }

    #[test]
    fn a_credential_is_redacted_in_every_encoding() {
        remember_secret(&SECRET.into());
        let mut texts = vec![
            SECRET.to_owned(),
            format!("header X-Vault-Token: {SECRET}, refused"),
            hex(SECRET.as_bytes(), ""),
            hex(SECRET.as_bytes(), ":"),
            percent(SECRET),
            SECRET.replace('>', "%3E"),
            SECRET.replace('>', "\\u003e").replace('?', "\\x3f"),
            format!("{}\n{}", &SECRET[..9], &SECRET[9..]),
            SECRET[3..20].to_owned(),
        ];
        for before in ["", "a", "ab", "{\"key\":\"secret_id\",\"value\":\""] {
            let padded = format!("{before}{SECRET}\"}}");
            texts.push(BASE64_STANDARD.encode(&padded));
            texts.push(BASE64_URL_SAFE.encode(&padded));
            texts.push(percent(&BASE64_STANDARD.encode(&padded)));
        }
        for text in texts {
            let shown = clean_text(&text);
            assert!(shown.contains(REPLACEMENT), "{text} became {shown}");
            assert!(!shown.contains(&SECRET[5..17]), "{shown}");
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        remember_secret(&SECRET.into());
        let text = "1 error occurred: * permission denied: role `web01` at 100 % of 3 \\ 4";
        assert_eq!(clean_text(text), text);
        assert_eq!(clean_text("a\u{1b}[31m\r\n b"), "a\u{fffd}[31m b");
        assert_eq!(clean_text("a\u{202e}b\u{200b}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(
            clean_text(&"ä".repeat(1_000_000)).chars().count(),
            LONGEST + 1
        );
    }

    /// Returns the configuration with `PROPTEST_CASES` cases, by default 32: each case is slow.
    fn config() -> ProptestConfig {
        const DEFAULT: u32 = 256; // proptest's own number
        let cases = ProptestConfig::default().cases;
        ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(if cases == DEFAULT { 32 } else { cases })
        }
    }

    proptest! {
        #![proptest_config(config())]
        #[test]
        fn a_credential_is_redacted_in_any_context(before in ".{0,40}", after in ".{0,40}", secret in "[a-zA-Z0-9+/=._-]{16,60}") {
            remember_secret(&secret.as_str().into());
            let around = |text: &str| format!("{before}{text}{after}");
            let encoded = BASE64_STANDARD.encode(around(&secret));
            for text in [around(&secret), encoded, around(&percent(&secret)), around(&hex(secret.as_bytes(), ""))] {
                prop_assert!(clean_text(&text).contains(REPLACEMENT), "{text}");
            }
        }
    }
}
