//! Keeps wrapping tokens out of what is shown.

/// What stands in place of a token.
const HIDDEN: &str = "<hidden>";

/// `text` with everything hidden that is or may be a token: what `vault_wrapped_token` is set to on its
/// line, also in a comment, and every word of a token's shape.
pub(crate) fn hide(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| hide_words(&hide_value(line)))
        .collect()
}

/// The strings behind `vault_wrapped_token` on this line.
fn hide_value(line: &str) -> String {
    let Some(start) = line.find(infra_edit::vms::WRAPPING_TOKEN) else {
        return line.to_owned();
    };
    let (before, rest) = line.split_at(start + infra_edit::vms::WRAPPING_TOKEN.len());
    let Some((between, value)) = rest.split_once('"') else {
        return line.to_owned();
    };
    let (value, after) = value.split_once('"').unwrap_or((value, ""));
    let shown = if value.is_empty() { "" } else { HIDDEN };
    format!("{before}{between}\"{shown}\"{after}")
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

/// Tokens of OpenBao begin with what they are (concepts page "Tokens"); a JWT with its header.
fn is_token(word: &str) -> bool {
    let begins = ["s.", "b.", "r.", "hvs.", "hvb.", "hvr.", "eyJ"];
    word.len() >= 24 && begins.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::hide;

    #[test]
    fn no_token_is_shown() {
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
            assert_eq!(hide(text), shown);
        }
    }
}
