//! Placeholders in templates and in the texts of entries, and suggestions for misspelt names.

use std::collections::BTreeMap;

/// The notation and the names of placeholders in one kind of text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholders {
    open: char,
    close: char,
    names: [&'static str; 11],
}

/// The values of the placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// All but the name servers, in the order of the placeholders' names.
    pub(crate) single: [String; 8],
    pub(crate) nameservers: Vec<String>,
    /// The values of the other placeholders by their names: `system` and `environment`, which not
    /// every host has, and those of `--set`.
    pub(crate) own: BTreeMap<String, String>,
}

/// The prefix of a placeholder for the next number of an attribute: `{next:vmid}`.
const NEXT: &str = "next:";

/// The words between at signs that build scripts replace, such as `@out@/bin`.
const OUTPUTS: [&str; 6] = ["out", "bin", "dev", "lib", "man", "doc"];

/// The placeholder of the system, which a host type sets.
pub(crate) const SYSTEM: &str = "system";
/// The placeholder of the environment's name.
pub(crate) const ENVIRONMENT: &str = "environment";

/// A word that is nearly a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misspelt {
    /// The place of the word, in bytes.
    pub(crate) offset: usize,
    pub(crate) word: String,
    /// The placeholder that was probably meant.
    pub(crate) meant: String,
}

impl Placeholders {
    /// The notation `{hostname}`, for the texts of entries in `fleet.toml`.
    pub(crate) const BRACES: Self = Self {
        open: '{',
        close: '}',
        names: [
            "hostname",
            "ip",
            "address",
            "prefix_length",
            "gateway",
            "domain",
            "namespace",
            "openbao_address",
            "nameservers",
            SYSTEM,
            ENVIRONMENT,
        ],
    };

    /// The notation `@hostname@`, for template files, which must be valid Nix.
    pub(crate) const AT_SIGNS: Self = Self {
        open: '@',
        close: '@',
        names: [
            "hostname",
            "ip",
            "address",
            "prefixLength",
            "gateway",
            "domain",
            "namespace",
            "openbao_address",
            "nameservers",
            SYSTEM,
            ENVIRONMENT,
        ],
    };

    /// Replaces the placeholders in `text`; `join_servers` writes the list of name servers.
    pub(crate) fn fill(
        self,
        text: &str,
        values: &Values,
        join_servers: impl Fn(&[String]) -> String,
    ) -> String {
        let mut text = text.to_owned();
        for (name, value) in self.names.iter().zip(&values.single) {
            text = text.replace(&self.notation(name), value);
        }
        text = text.replace(
            &self.notation("nameservers"),
            &join_servers(&values.nameservers),
        );
        for (name, value) in &values.own {
            text = text.replace(&self.notation(name), value);
            text = text.replace(&self.notation(&format!("{NEXT}{name}")), value);
        }
        text
    }

    /// Returns the names of the placeholders in a text that have no value in every fleet: `system`,
    /// `environment`, and those of `--set`.
    pub(crate) fn own_names(self, text: &str) -> Vec<String> {
        let mut names = Vec::new();
        for (_, word, _) in self.own_placeholders(text) {
            let name = word.strip_prefix(NEXT).unwrap_or(word).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Returns the attributes of `{next:…}` in a text.
    pub(crate) fn next_names(self, text: &str) -> Vec<String> {
        let words = self.own_placeholders(text).into_iter();
        words
            .filter_map(|(_, word, _)| word.strip_prefix(NEXT).map(str::to_owned))
            .collect()
    }

    /// Returns the values of the placeholders in `pattern` with which it becomes `text`, as far as
    /// it can be told; none if it cannot become that.
    pub(crate) fn match_own(self, pattern: &str, text: &str) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let (mut position, mut rest) = (0, text);
        let placeholders = self.own_placeholders(pattern);
        for (index, (start, word, end)) in placeholders.iter().enumerate() {
            let Some(after) = rest.strip_prefix(&pattern[position..*start]) else {
                return BTreeMap::new();
            };
            let next = placeholders
                .get(index + 1)
                .map_or(pattern.len(), |next| next.0);
            let literal = &pattern[*end..next];
            let line = after.lines().next().unwrap_or_default();
            let literal = literal.lines().next().unwrap_or_default();
            let Some(length) = (if literal.is_empty() {
                Some(line.len())
            } else {
                line.find(literal)
            }) else {
                return BTreeMap::new();
            };
            let value = after[..length].to_owned();
            values.entry((*word).to_owned()).or_insert(value);
            (position, rest) = (*end, &after[length..]);
        }
        values
    }

    /// Returns the own placeholders with their start and end.
    fn own_placeholders(self, text: &str) -> Vec<(usize, &str, usize)> {
        let mut found: Vec<(usize, &str, usize)> = Vec::new();
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        for (start, _) in text.match_indices(self.open) {
            let inner = &text[start + 1..];
            let Some((word, after)) = inner.split_once(self.close) else {
                break;
            };
            let name = word.strip_prefix(NEXT).unwrap_or(word);
            // Nix's `${…}`, HCL's `%{…}`, and the arguments of a function
            let is_code = self.open == '{'
                && (text[..start].ends_with(['$', '%'])
                    || after.trim_start().starts_with([':', '@']));
            let is_output = self.open == '@' && OUTPUTS.contains(&name);
            let is_given = self.names.contains(&name) && ![SYSTEM, ENVIRONMENT].contains(&name);
            let is_name = !name.is_empty() && name.chars().all(letter);
            let is_free = found.last().is_none_or(|last| last.2 <= start);
            if is_name && is_free && !is_code && !is_output && !is_given {
                found.push((start, word, start + 1 + word.len() + 1));
            }
        }
        found
    }

    /// Replaces the placeholders; a line with the placeholder of the name servers is repeated for
    /// each.
    pub(crate) fn fill_lines(self, text: &str, values: &Values) -> String {
        let servers = self.notation("nameservers");
        let lines = text.split_inclusive('\n').flat_map(|line| {
            if line.contains(&servers) {
                values
                    .nameservers
                    .iter()
                    .map(|one| line.replace(&servers, one))
                    .collect()
            } else {
                vec![line.to_owned()]
            }
        });
        self.fill(&lines.collect::<String>(), values, |_| String::new())
    }

    /// Returns whether a text has a placeholder of the address.
    pub(crate) fn uses_address(self, text: &str) -> bool {
        let names = ["ip", "address", self.names[3]];
        names.iter().any(|name| text.contains(&self.notation(name)))
    }

    /// Returns the placeholders in their notation.
    pub(crate) fn list(self) -> Vec<String> {
        self.names.iter().map(|name| self.notation(name)).collect()
    }

    /// Finds the first misspelt placeholder, which would otherwise end up in a host's files. A word
    /// that resembles no placeholder is none: braces and at signs have other meanings, too.
    /// A name in `own` is none of them.
    pub(crate) fn find_misspelt(
        self,
        text: &str,
        own: &BTreeMap<String, String>,
    ) -> Option<Misspelt> {
        for (start, _) in text.match_indices(self.open) {
            let inner = &text[start + 1..];
            let end = inner
                .find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter));
            let Some((name, rest)) = end.and_then(|end| inner.split_at_checked(end)) else {
                continue;
            };
            let interpolated = self.open == '{' && text[..start].ends_with('$'); // Nix's own `${…}`
            if interpolated
                || name.is_empty()
                || !rest.starts_with(self.close)
                || self.names.contains(&name)
                || own.contains_key(name)
            {
                continue;
            }
            if let Some(meant) = closest_name(name, self.names.into_iter()) {
                return Some(Misspelt {
                    offset: start,
                    word: self.notation(name),
                    meant: self.notation(meant),
                });
            }
        }
        None
    }

    fn notation(self, name: &str) -> String {
        format!("{}{name}{}", self.open, self.close)
    }
}

/// The name among `names` that `written` resembles most, if it resembles any.
pub(crate) fn closest_name<'a>(
    written: &str,
    names: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let normalize = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let written = normalize(written);
    names
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&written, &normalize(name)),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let single = [
            "web01",
            "10.0.0.11/24",
            "10.0.0.11",
            "24",
            "10.0.0.1",
            "example.internal",
            "prod",
            "https://openbao.example.internal:8200",
        ];
        Values {
            single: single.map(str::to_owned),
            nameservers: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()],
            own: BTreeMap::from([("vmid".to_owned(), "112".to_owned())]),
        }
    }

    #[test]
    fn every_placeholder_is_filled() {
        let text = "{hostname} {ip} {address} {prefix_length} {gateway} {domain} {namespace} {nameservers} {next:vmid} {vmid} { x }";
        assert_eq!(
            Placeholders::BRACES.fill(text, &values(), |servers| servers.join("+")),
            "web01 10.0.0.11/24 10.0.0.11 24 10.0.0.1 example.internal prod 10.0.0.1+10.0.0.2 112 112 { x }"
        );
    }

    #[test]
    fn a_line_with_name_servers_is_repeated() {
        let text = "a @hostname@\r\n  \"@nameservers@\"\r\nb";
        assert_eq!(
            Placeholders::AT_SIGNS.fill_lines(text, &values()),
            "a web01\r\n  \"10.0.0.1\"\r\n  \"10.0.0.2\"\r\nb"
        );
    }

    #[test]
    fn without_name_servers_their_line_is_omitted() {
        let mut values = values();
        values.nameservers.clear();
        let text = "[\n  \"@nameservers@\"\n]";
        assert_eq!(Placeholders::AT_SIGNS.fill_lines(text, &values), "[\n]");
    }

    #[test]
    fn own_placeholders_are_told_from_code() {
        for (text, names) in [
            ("mk \"{vmid}\" {system}", vec!["vmid", "system"]),
            ("id = {next:vmid} {vmid}", vec!["vmid"]),
            ("{pkgs}: x {lib} @ y ${name} %{if} {hostname} { a }", vec![]),
        ] {
            assert_eq!(Placeholders::BRACES.own_names(text), names, "{text}");
        }
        let text = "\"@vmid@\" @out@/bin root@host @hostname@ inputs@{ } @system@";
        assert_eq!(Placeholders::AT_SIGNS.own_names(text), ["vmid", "system"]);
    }

    #[test]
    fn own_values_are_read_from_a_text() {
        let pattern = "id = @vmid@;\nname = \"@rack@-@vmid@\";\n";
        let read = |text| Placeholders::AT_SIGNS.match_own(pattern, text);
        let values = read("id = 112;\nname = \"b2-112\";\n");
        let pairs: Vec<_> = values
            .iter()
            .map(|(name, value)| [name.as_str(), value])
            .collect();
        assert_eq!(pairs, [["rack", "b2"], ["vmid", "112"]]);
        assert!(read("another text").is_empty());
    }

    #[test]
    fn only_misspelt_placeholders_are_found() {
        for good in [
            "{ }",
            "{",
            "@",
            "root@host",
            "{x}",
            "@out@/bin",
            "{hostname}",
            "${hostnam}",
        ] {
            assert_eq!(
                Placeholders::BRACES.find_misspelt(good, &BTreeMap::new()),
                None,
                "{good}"
            );
            assert_eq!(
                Placeholders::AT_SIGNS.find_misspelt(good, &BTreeMap::new()),
                None,
                "{good}"
            );
        }
        assert!(
            Placeholders::AT_SIGNS
                .find_misspelt("x @hostName@", &BTreeMap::new())
                .is_some()
        );
        assert!(
            Placeholders::BRACES
                .find_misspelt("{host_name}", &BTreeMap::new())
                .is_some()
        );
        assert!(
            Placeholders::BRACES
                .find_misspelt("{name_servers}", &BTreeMap::new())
                .is_some()
        );
    }

    #[test]
    fn the_closest_name_is_found() {
        let names = ["address", "kv_mount", "approle_mount", "wrap_ttl"];
        for (written, meant) in [
            ("adress", Some("address")),
            ("kv-mount", Some("kv_mount")),
            ("wrapTtl", Some("wrap_ttl")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(closest_name(written, names.into_iter()), meant, "{written}");
        }
    }
}
