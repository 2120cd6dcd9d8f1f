//! Text of servers, made fit to be shown.
//!
//! A server, or a proxy before it, may repeat a request in its error. So this module knows each
//! credential that this process has sent, and [`clean`] takes it out of a text in every usual encoding:
//! plain, base64 (both alphabets, any offset), hex, percent and JSON escapes. Parts count as well: a text
//! may be cut or folded by whoever wrote it.

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
/// So many characters in a row that also stand in a credential are not shown.
const WINDOW: usize = 12;
/// Nothing shorter is a credential: the text would lose ordinary words.
const SHORTEST: usize = 8;
/// Stands in the place of a credential.
const GAP: &str = "[redacted]";
/// Longer texts are cut before they are searched.
const SEARCHED: usize = 64 << 10;

static SENT: LazyLock<RwLock<Sent>> = LazyLock::new(RwLock::default);

/// What was sent: keyed hashes of the windows of each credential, in each encoding and in lower case. The
/// credentials themselves are not kept.
#[derive(Default)]
struct Sent {
    key: RandomState,
    known: HashSet<u64>,
    windows: HashSet<u64>,
}

impl Sent {
    fn add(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST || !self.known.insert(self.key.hash_one(secret)) {
            return;
        }
        for form in forms(secret) {
            let form = Zeroizing::new(form.to_ascii_lowercase());
            let windows = form.windows(form.len().min(WINDOW));
            self.windows
                .extend(windows.map(|window| self.key.hash_one(window)));
        }
    }

    /// The stretches of `text` that stand in a credential.
    fn found(&self, text: &[u8]) -> Vec<Range<usize>> {
        let text = text.to_ascii_lowercase();
        let mut stretches: Vec<Range<usize>> = Vec::new();
        for start in 0..text.len() {
            let is_known = |end: &usize| {
                let part = text.get(start..*end);
                part.is_some_and(|part| self.windows.contains(&self.key.hash_one(part)))
            };
            let Some(end) = (start + SHORTEST..=start + WINDOW).rev().find(is_known) else {
                continue;
            };
            match stretches.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => stretches.push(start..end),
            }
        }
        stretches
    }
}

/// The ways to write `secret`, without those characters of base64 that depend on what is around it.
fn forms(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
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

/// Notes a credential that is about to be sent: no text that passes [`clean`] shows it from now on, nor the
/// bytes that it stands for.
pub fn remember(secret: &SecretString) {
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

/// The text of a server as a message may have it: one line of at most [`LONGEST`] characters, without
/// control characters and without any credential that was sent.
pub fn clean(text: &str) -> String {
    let searched = text.char_indices().nth(SEARCHED);
    let text = searched.map_or(text, |(end, _)| &text[..end]);
    let words: Vec<_> = text.split_whitespace().collect();
    let is_safe = |letter: char| !letter.is_control();
    let line = words
        .join(" ")
        .replace(|letter| !is_safe(letter), "\u{fffd}");
    let line = without_credentials(&line);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// `text` without any credential that was sent.
pub fn without_credentials(text: &str) -> String {
    let Ok(sent) = SENT.read() else {
        return GAP.to_owned(); // a thread panicked while it noted one
    };
    if sent.windows.is_empty() {
        return text.to_owned();
    }
    let (bytes, mut shown, mut done) = (text.as_bytes(), Vec::new(), 0);
    for stretch in sent.found(bytes) {
        shown.extend_from_slice(&bytes[done..stretch.start]);
        shown.extend_from_slice(GAP.as_bytes());
        done = stretch.end;
    }
    shown.extend_from_slice(&bytes[done..]);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    // what is written in yet another way, or in pieces, cannot be cut out
    if views(&shown).any(|view| !sent.found(view.as_bytes()).is_empty()) {
        return format!("{GAP} (it repeats what was sent)");
    }
    shown
}

/// The text as it reads once its escapes are undone, also without what may stand between the characters.
fn views(text: &str) -> impl Iterator<Item = String> {
    let text = text.replace(GAP, "\n");
    let percent = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
    let views = [unescaped(&text), percent.into_owned(), text.clone()];
    views.into_iter().flat_map(|view| {
        let without_blanks = view.replace(char::is_whitespace, "");
        let words = view.replace(|letter: char| !letter.is_ascii_alphanumeric(), "");
        [without_blanks, words, view]
    })
}

/// `\u0041` and `\x41` as the characters that they stand for.
fn unescaped(text: &str) -> String {
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
    fn a_credential_is_shown_in_no_encoding() {
        remember(&SECRET.into());
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
            let shown = clean(&text);
            assert!(shown.contains(GAP), "{text} became {shown}");
            assert!(!shown.contains(&SECRET[5..17]), "{shown}");
        }
    }

    #[test]
    fn other_words_stay() {
        remember(&SECRET.into());
        let text = "1 error occurred: * permission denied: role `web01` at 100 % of 3 \\ 4";
        assert_eq!(clean(text), text);
        assert_eq!(clean("a\u{1b}[31m\r\n b"), "a\u{fffd}[31m b");
        assert_eq!(clean(&"ä".repeat(1_000_000)).chars().count(), LONGEST + 1);
    }

    /// As many cases as `PROPTEST_CASES` says, else few: each makes many views of its texts.
    fn config() -> ProptestConfig {
        const UNASKED: u32 = 256; // proptest's own number
        let cases = ProptestConfig::default().cases;
        ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(if cases == UNASKED { 32 } else { cases })
        }
    }

    proptest! {
        #![proptest_config(config())]
        #[test]
        fn whatever_is_around_it(before in ".{0,40}", after in ".{0,40}", secret in "[a-zA-Z0-9+/=._-]{16,60}") {
            remember(&secret.as_str().into());
            let around = |text: &str| format!("{before}{text}{after}");
            let encoded = BASE64_STANDARD.encode(around(&secret));
            for text in [around(&secret), encoded, around(&percent(&secret)), around(&hex(secret.as_bytes(), ""))] {
                prop_assert!(clean(&text).contains(GAP), "{text}");
            }
        }
    }
}
