//! Placeholders in templates and in the texts of entries.

use crate::{
    fleet::Settings,
    host::{HostAddress, HostName},
    similar_name::closest,
};

/// How placeholders are written in a text, and what they are called there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholders {
    open: char,
    close: char,
    names: [&'static str; 7],
}

/// What the placeholders stand for, in the order of their names.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    single: [String; 6],
    nameservers: Vec<String>,
}

impl Placeholders {
    /// `{hostname}`: in the texts of entries in `fleet.toml`.
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

    /// `@hostname@`: in template files, which must be Nix as they are.
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

    /// `text` with its placeholders replaced. `list` says how several name servers are written in
    /// place of one.
    pub(crate) fn fill(
        self,
        text: &str,
        values: &Values,
        list: impl Fn(&[String]) -> String,
    ) -> String {
        let mut text = text.to_owned();
        for (name, value) in self.names.iter().zip(&values.single) {
            text = text.replace(&self.written(name), value);
        }
        text.replace(&self.written("nameservers"), &list(&values.nameservers))
    }

    /// Like [`Self::fill`]; a line with the placeholder of the name servers is repeated for each.
    pub(crate) fn fill_lines(self, text: &str, values: &Values) -> String {
        let servers = self.written("nameservers");
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

    /// Refuses what is nearly a placeholder: a misspelt one would end up in a host's files. What is
    /// not near to any is left alone, for braces and at signs mean other things, too.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        let Some((_, misspelt, meant)) = self.misspelt(text) else {
            return Ok(());
        };
        let all: Vec<String> = self.names.iter().map(|name| self.written(name)).collect();
        Err(format!(
            "`{misspelt}` is not a placeholder, did you mean `{meant}`?\nallowed are `{}`",
            all.join("`, `")
        ))
    }

    /// The byte offset and the text of what is nearly a placeholder, and which it nearly is.
    pub(crate) fn misspelt(self, text: &str) -> Option<(usize, String, String)> {
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
            if let Some(near) = closest(name, self.names.into_iter()) {
                return Some((start, self.written(name), self.written(near)));
            }
        }
        None
    }

    fn written(self, name: &str) -> String {
        format!("{}{name}{}", self.open, self.close)
    }
}

impl Values {
    pub(crate) fn new(name: &HostName, address: HostAddress, settings: &Settings) -> Self {
        let network = &settings.network;
        let servers = network.nameservers.iter();
        Self {
            single: [
                name.to_string(),
                address.to_string(),
                address.address().to_string(),
                address.prefix_length().to_string(),
                network.gateway.to_string(),
                network.domain.to_string(),
            ],
            nameservers: servers.map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let text = "[network]\nnameservers = [\"10.0.0.1\", \"10.0.0.2\"]";
        let settings: Settings = toml_edit::de::from_str(text).unwrap();
        let (name, address) = (HostName::parse("web01"), HostAddress::parse("10.0.0.11/24"));
        Values::new(&name.unwrap(), address.unwrap(), &settings)
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
    fn a_line_of_name_servers_is_repeated_with_its_end() {
        let text = "a @hostname@\r\n  \"@nameservers@\"\r\nb";
        assert_eq!(
            Placeholders::AT_SIGNS.fill_lines(text, &values()),
            "a web01\r\n  \"10.0.0.1\"\r\n  \"10.0.0.2\"\r\nb"
        );
    }

    #[test]
    fn without_name_servers_their_line_goes() {
        let mut values = values();
        values.nameservers.clear();
        let text = "[\n  \"@nameservers@\"\n]";
        assert_eq!(Placeholders::AT_SIGNS.fill_lines(text, &values), "[\n]");
    }

    #[test]
    fn only_what_is_nearly_a_placeholder_is_refused() {
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
            assert_eq!(Placeholders::BRACES.check(good), Ok(()), "{good}");
            assert_eq!(Placeholders::AT_SIGNS.check(good), Ok(()), "{good}");
        }
        assert!(Placeholders::AT_SIGNS.check("x @hostName@").is_err());
        assert!(Placeholders::BRACES.check("{host_name}").is_err());
        assert!(Placeholders::BRACES.check("{name_servers}").is_err());
    }
}
