//! The address of a server.

use std::{fmt, net::IpAddr, str::FromStr};

use ureq::http::{Uri, uri::Scheme};

/// The base address of one server: scheme, host and port, such as `https://10.0.0.5:8200`.
#[derive(Clone, Debug)]
pub struct Address {
    base: String,
    encrypted: bool,
}

/// Addresses of the same server are equal: upper case and a default port make no difference.
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.encrypted == other.encrypted
            && self.port() == other.port()
            && self.host().eq_ignore_ascii_case(other.host())
    }
}

impl Eq for Address {}

impl Address {
    /// Returns whether connections use TLS.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Returns whether it is an address of this machine.
    pub fn is_loopback(&self) -> bool {
        let address = self.host().parse::<IpAddr>();
        address.map_or(self.host() == "localhost", |address| address.is_loopback())
    }

    /// Returns the host: a name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, port)| {
                if port.ends_with(']') { authority } else { host }
            });
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Returns the port; without one, the scheme's default.
    pub fn port(&self) -> u16 {
        let port = self.authority().rsplit_once(':').map(|(_, port)| port);
        let default = if self.encrypted { 443 } else { 80 };
        port.and_then(|port| port.parse().ok()).unwrap_or(default)
    }

    fn authority(&self) -> &str {
        let after_scheme = self.base.split_once("://");
        after_scheme.map_or(self.base.as_str(), |(_, authority)| authority)
    }

    /// Returns the URL of `path_and_query`, which comes without `/v1/`.
    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("{}/v1/{path_and_query}", self.base)
    }

    /// Parses a comma-separated list, such as that in `BAO_ADDR`. Blanks around the items and empty
    /// items are ignored.
    ///
    /// # Errors
    /// An item that is not an address, or no item at all.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ParseAddressError> {
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let addresses = items.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(ParseAddressError {
                text: text.to_owned(),
                reason: "it is empty",
            });
        }
        Ok(addresses)
    }
}

/// The error for a text that is not an address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of an OpenBao server: {reason}")]
pub struct ParseAddressError {
    text: String,
    reason: &'static str,
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| ParseAddressError {
            text: without_user(text),
            reason,
        };
        let uri: Uri = text.trim().parse().map_err(|_| refuse("it is not a URL"))?;
        let scheme = uri
            .scheme()
            .ok_or_else(|| refuse("`http://` or `https://` is missing"))?;
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(refuse("only `http://` and `https://` are supported"));
        }
        let authority = uri
            .authority()
            .ok_or_else(|| refuse("the host is missing"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it must not have a user or a password"));
        }
        if authority.host().is_empty() {
            return Err(refuse("the host is missing"));
        }
        if !authority.host().chars().all(is_host_character) {
            return Err(refuse("its host has a character that is not allowed"));
        }
        let has_port = authority.as_str().len() > authority.host().len();
        if has_port && authority.port_u16().is_none() {
            return Err(refuse("its port is not a number up to 65535"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("nothing may follow the host and the port"));
        }
        Ok(Self {
            base: format!("{scheme}://{authority}"),
            encrypted: *scheme == Scheme::HTTPS,
        })
    }
}

/// Returns whether host names and IP addresses may have this character. URLs allow more, which a
/// shell could execute: messages show addresses in commands to paste.
fn is_host_character(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._:[]%".contains(letter)
}

/// Returns the text without a user and a password, which must not be shown.
pub(crate) fn without_user(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let scheme = before.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) => format!("{scheme}://…@{host}"),
        None => format!("…@{host}"),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_are_kept() {
        for text in [
            "https://10.0.0.5:8200",
            "http://[::1]:8200",
            "https://bao.example.com",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(
            "https://a:1/".parse::<Address>().unwrap().to_string(),
            "https://a:1"
        );
    }

    #[test]
    fn loopback_addresses_are_recognised() {
        for text in [
            "http://127.0.0.1:8200",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(text.parse::<Address>().unwrap().is_loopback(), "{text}");
        }
        for text in [
            "http://127.0.0.1.example.org",
            "http://10.0.0.1",
            "http://[fd00::1]",
        ] {
            assert!(!text.parse::<Address>().unwrap().is_loopback(), "{text}");
        }
    }

    #[test]
    fn addresses_of_one_server_are_equal() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(address("https://A"), address("https://a:443"));
        assert_ne!(address("https://a:443"), address("http://a:443"));
        assert_ne!(address("https://a:1"), address("https://a:2"));
    }

    #[test]
    fn host_and_port_are_separated() {
        for (text, host, port) in [
            ("https://10.0.0.5:8200", "10.0.0.5", 8200),
            ("https://[fd00::1]:8200", "fd00::1", 8200),
            ("https://[fd00::1]", "fd00::1", 443),
            ("http://bao.example.com", "bao.example.com", 80),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in [
            "",
            "10.0.0.5:8200",
            "ftp://a",
            "https://",
            "https://u:p@a",
            "https://a/v1",
            "https://a:",
            "https://a:65536",
            "https://[::1]:x",
            "https://a?x",
            "https://$(id).example",
            "https://a;id",
            "https://a'b",
            "a b",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_shows_no_password() {
        for text in [
            "https://user:p@ss@a:1",
            "user:p@ss@a:1",
            "https://user:p@ss@a b",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("ss@") && error.contains("…@a"), "{error}");
        }
    }

    #[test]
    fn lists_are_parsed() {
        let list = Address::parse_list(" https://a:1, https://b:2 ,").unwrap();
        assert_eq!(list.len(), 2);
        assert!(Address::parse_list(" , ").is_err());
    }
}
