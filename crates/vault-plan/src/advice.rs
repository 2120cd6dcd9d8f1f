//! Commands for a person to run, ready for a shell.

use crate::host::Host;

/// `bao kv <verb> -mount=<mount> … <path>` for a secret of this host.
pub(crate) fn kv(host: &Host, verb: &str, path: &str, rest: &[String]) -> String {
    let mut words = vec![format!("bao kv {verb}{}", namespace(host.namespace()))];
    words.push(format!("-mount={}", word(host.kv_mount())));
    let (flags, values): (Vec<_>, Vec<_>) = rest.iter().partition(|text| text.starts_with('-'));
    words.extend(flags.into_iter().cloned());
    words.push(word(path));
    words.extend(values.into_iter().cloned());
    words.join(" ")
}

/// `key=…` for each key.
pub(crate) fn values<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let values: Vec<_> = keys
        .into_iter()
        .map(|key| format!("{}=…", word(key)))
        .collect();
    if values.is_empty() {
        return vec!["key=…".to_owned()];
    }
    values
}

/// ` -namespace=…`, where there is one.
pub(crate) fn namespace(name: Option<&str>) -> String {
    name.map(|name| format!(" -namespace={}", word(name)))
        .unwrap_or_default()
}

/// The text as one word of a shell.
pub(crate) fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-./:@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_to_a_shell() {
        for (text, as_word) in [
            ("hosts/web01/db", "hosts/web01/db"),
            ("schlüssel", "schlüssel"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("it's", r"'it'\''s'"),
            ("-x", "'-x'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), as_word);
        }
    }
}
