//! Placeholders in templates and in the texts of entries, and suggestions for misspelt names.

/// The notation and the names of placeholders in one kind of text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholders {
    open: char,
    close: char,
    names: [&'static str; 7],
}

/// The values of the placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// All but the name servers, in the order of the placeholders' names.
    pub(crate) single: [String; 6],
    pub(crate) nameservers: Vec<String>,
}

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
            "nameservers",
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
            "nameservers",
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
        text.replace(
            &self.notation("nameservers"),
            &join_servers(&values.nameservers),
        )
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
    pub(crate) fn find_misspelt(self, text: &str) -> Option<Misspelt> {
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
        ];
        Values {
            single: single.map(str::to_owned),
            nameservers: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()],
        }
    }

    #[test]
    fn every_placeholder_is_filled() {
        let text =
            "{hostname} {ip} {address} {prefix_length} {gateway} {domain} {nameservers} { x }";
        assert_eq!(
            Placeholders::BRACES.fill(text, &values(), |servers| servers.join("+")),
            "web01 10.0.0.11/24 10.0.0.11 24 10.0.0.1 example.internal 10.0.0.1+10.0.0.2 { x }"
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
            assert_eq!(Placeholders::BRACES.find_misspelt(good), None, "{good}");
            assert_eq!(Placeholders::AT_SIGNS.find_misspelt(good), None, "{good}");
        }
        assert!(
            Placeholders::AT_SIGNS
                .find_misspelt("x @hostName@")
                .is_some()
        );
        assert!(Placeholders::BRACES.find_misspelt("{host_name}").is_some());
        assert!(
            Placeholders::BRACES
                .find_misspelt("{name_servers}")
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
