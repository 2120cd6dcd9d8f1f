//! Hides tokens in texts that are shown.

/// The text shown in place of a token.
const HIDDEN: &str = "<hidden>";

/// Hides everything that is or may be a token: the value of `vault_wrapped_token` on its line, also
/// in a comment, and every word of a token's form.
pub(crate) fn hide_tokens(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| hide_words(&hide_value(line)))
        .collect()
}

/// Hides each value behind `vault_wrapped_token` on this line: a string, or a plain value of YAML.
fn hide_value(line: &str) -> String {
    let Some(start) = line.find(zts_infra_edit::vms::WRAPPING_TOKEN) else {
        return line.to_owned();
    };
    let (before, rest) = line.split_at(start + zts_infra_edit::vms::WRAPPING_TOKEN.len());
    let (key_end, rest) = rest.split_at(rest.len() - rest.trim_start_matches('"').len());
    let plain = rest.trim_start_matches([' ', ':']);
    let (separator, _) = rest.split_at(rest.len() - plain.len());
    let is_quote = |letter| matches!(letter, '"' | '\'');
    let is_plain = separator.contains(':') && !plain.starts_with(is_quote);
    let (between, shown, after) = if is_plain {
        let end = plain.find(|letter: char| letter.is_whitespace() || ",}#".contains(letter));
        let (value, after) = plain.split_at(end.unwrap_or(plain.len()));
        let shown = if value.is_empty() { "" } else { HIDDEN };
        (separator, shown.to_owned(), after)
    } else {
        let Some((between, value)) = rest.split_once(is_quote) else {
            return line.to_owned();
        };
        let quote = &rest[between.len()..=between.len()];
        let (value, after) = value.split_once(quote).unwrap_or((value, ""));
        let shown = if value.is_empty() { "" } else { HIDDEN };
        (between, [quote, shown, quote].concat(), after)
    };
    [before, key_end, between, &shown, &hide_value(after)].concat()
}

fn hide_words(line: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let (before, word) = rest.split_at(start);
        let (word, after) =
            word.split_at(word.find(|letter| !is_part(letter)).unwrap_or(word.len()));
        shown.push_str(before);
        shown.push_str(if is_token(word) { HIDDEN } else { word });
        rest = after;
    }
    shown + rest
}

/// Returns whether a word has the form of a token: OpenBao's begin with their type (concepts page
/// "Tokens"), a JWT with its header.
fn is_token(word: &str) -> bool {
    let prefixes = ["s.", "b.", "r.", "hvs.", "hvb.", "hvr.", "eyJ"];
    word.len() >= 24 && prefixes.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::hide_tokens;

    #[test]
    fn hides_tokens() {
        for (text, shown) in [
            (
                "  vault_wrapped_token = \"abc\" # x\n",
                "  vault_wrapped_token = \"<hidden>\" # x\n",
            ),
            ("vault_wrapped_token = \"\"", "vault_wrapped_token = \"\""),
            (
                "# vault_wrapped_token = \"abc\"\r\n",
                "# vault_wrapped_token = \"<hidden>\"\r\n",
            ),
            (
                "{\"a\": {\"vault_wrapped_token\": \"abc\"}, \"b\": {\"vault_wrapped_token\":\"x\"}}\n",
                "{\"a\": {\"vault_wrapped_token\": \"<hidden>\"}, \"b\": {\"vault_wrapped_token\":\"<hidden>\"}}\n",
            ),
            (
                "  vault_wrapped_token: abc # x\n",
                "  vault_wrapped_token: <hidden> # x\n",
            ),
            (
                "{ vault_wrapped_token: 'abc', ip: 1 }",
                "{ vault_wrapped_token: '<hidden>', ip: 1 }",
            ),
            ("vault_wrapped_token:\n", "vault_wrapped_token:\n"),
            ("t = \"s.w2EcqJLUZWb6HNYTeK0NorZq\"", "t = \"<hidden>\""),
            (
                "eyJhbGciOiJFUzUxMiJ9.eyJqdGkiOiJzLngifQ.c2ln-_x",
                "<hidden>",
            ),
            (
                "vault_wrapped_token = \"open",
                "vault_wrapped_token = \"<hidden>\"",
            ),
            (
                "ip = \"10.0.0.3/24\"\n\nüs.s",
                "ip = \"10.0.0.3/24\"\n\nüs.s",
            ),
        ] {
            assert_eq!(hide_tokens(text), shown);
        }
    }
}
