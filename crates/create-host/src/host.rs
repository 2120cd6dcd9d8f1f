//! The name and the address of a host.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use zts_cli::Failure;

/// Returns whether `text` is one label of a domain name (RFC 1123, section 2.1), in lower case.
fn is_label(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text
            .chars()
            .all(|character| letter(character) || character == '-')
        && text.starts_with(letter)
        && text.ends_with(letter)
}

/// The limit for the length of a domain name (RFC 1035, section 2.3.4, without the root).
const MAX_NAME: usize = 253;

/// Returns whether `text` is one or more labels with dots between them, in lower case.
pub(crate) fn is_domain(text: &str) -> bool {
    text.len() <= MAX_NAME && text.split('.').all(is_label)
}

/// The name of a host, alone or with its domain: valid as a folder, as a key in Nix and HCL, and as
/// a policy and a role in OpenBao.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostName(String);

impl HostName {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| {
            Err(Failure::usage(format_args!(
                "`{text}` cannot be the name of a host: {reason}"
            )))
        };
        if is_domain(&text.to_lowercase()) && text != text.to_lowercase() {
            return refuse("it has upper-case letters")
                .map_err(|failure| failure.hint(format!("write `{}`", text.to_lowercase())));
        }
        let hint =
            "use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`";
        if !is_domain(text) {
            return refuse(name_problem(text)).map_err(|failure| failure.hint(hint));
        }
        if text
            .chars()
            .all(|letter| letter.is_ascii_digit() || letter == '.')
        {
            return refuse("some programs read a name of digits only as an address")
                .map_err(|failure| failure.hint("put a letter before it"));
        }
        if text == "localhost" {
            return refuse("every machine has this name for itself")
                .map_err(|failure| failure.hint("choose another name"));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits the name into that of the host alone and its domain.
    pub(crate) fn split_domain(&self) -> Option<(&str, &str)> {
        self.0.split_once('.')
    }
}

fn name_problem(text: &str) -> &'static str {
    let labels = || text.split('.');
    if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_NAME {
        "it is longer than 253 characters"
    } else if labels().any(str::is_empty) {
        "a dot is allowed between two names only"
    } else if labels().any(|label| label.len() > 63) {
        "it is longer than 63 characters"
    } else if labels().any(|label| label.starts_with('-') || label.ends_with('-')) {
        "a hyphen is allowed in the middle only"
    } else {
        "it has a character that is not allowed in a host name"
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The address of a host with its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostAddress(IpNet);

impl HostAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| {
            Failure::usage(format_args!(
                "`{text}` cannot be the address of a host: {reason}"
            ))
        };
        let example =
            "write an address with its prefix length, such as `10.0.0.11/24` or `fd00::11/64`";
        if let Ok(address) = text.parse::<IpAddr>() {
            let length = if address.is_ipv4() { 24 } else { 64 };
            return Err(refuse("the prefix length is missing").hint(format!(
                "write `{text}/{length}`, or the length that the network has"
            )));
        }
        let network = parse_network(text)
            .ok_or_else(|| refuse("it is not an IP address with a prefix length").hint(example))?;
        match address_problem(network) {
            Some(reason) => Err(refuse(&reason).hint("give the address of the host itself")),
            None => Ok(Self(network)),
        }
    }

    /// Returns the address without the prefix length.
    pub(crate) fn address(self) -> IpAddr {
        self.0.addr()
    }

    pub(crate) fn prefix_length(self) -> u8 {
        self.0.prefix_len()
    }

    /// Returns whether `other` is in the same network.
    pub(crate) fn is_in_network_with(self, other: IpAddr) -> bool {
        self.0.contains(&other)
    }

    /// Returns the CIDR block of this address alone.
    pub(crate) fn cidr_block(self) -> String {
        IpNet::from(self.address()).to_string()
    }
}

/// Parses an address with its prefix length. It is stricter than `ipnet`: some programs read
/// `10.0.0.011` as 11, others as 9.
fn parse_network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let is_plain = length.chars().all(|letter| letter.is_ascii_digit());
    let is_plain = is_plain && (length == "0" || !length.starts_with('0'));
    let length = length.parse().ok().filter(|_| is_plain)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

fn address_problem(network: IpNet) -> Option<String> {
    let (address, length) = (network.addr(), network.prefix_len());
    // point-to-point links (RFC 3021, RFC 6164) have no network and no broadcast address
    let has_network = network.max_prefix_len() - length > 1;
    let reason = if address.is_loopback() {
        "it is a loopback address"
    } else if address.is_multicast() {
        "it is a multicast address"
    } else if address.is_unspecified() || length == 0 {
        "it means any address"
    } else if is_reserved(address) {
        "it is reserved (RFC 1122, RFC 1112)"
    } else if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        "it is an IPv4-mapped IPv6 address: write it as `10.0.0.11/24`"
    } else if has_network && address == network.network() {
        return Some(format!(
            "it is the network's own address in `{}`",
            network.trunc()
        ));
    } else if has_network && address.is_ipv4() && address == network.broadcast() {
        return Some(format!(
            "it is the broadcast address of `{}`",
            network.trunc()
        ));
    } else {
        return None;
    };
    Some(reason.to_owned())
}

/// Returns whether an address is in `0.0.0.0/8` or `240.0.0.0/4`.
fn is_reserved(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240)
}

impl From<IpNet> for HostAddress {
    fn from(network: IpNet) -> Self {
        Self(network)
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// Parses the address in a text that may have a prefix length, such as `ip` of an entry in
/// `vms.tf`.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn render_failure(failure: &Failure) -> String {
        assert_eq!(failure.status(), zts_cli::Status::Usage);
        format!(
            "{}\nhint: {}",
            failure.message(),
            failure.hint_text().unwrap_or_default()
        )
    }

    fn name_failure(text: &str) -> String {
        render_failure(&HostName::parse(text).expect_err(text))
    }

    fn address_failure(text: &str) -> String {
        render_failure(&HostAddress::parse(text).expect_err(text))
    }

    #[test]
    fn valid_names_are_accepted() {
        let long = "a".repeat(63);
        let domain = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61),
        ]
        .join(".");
        for text in [
            "web01",
            "a",
            "0a",
            "db-1-x",
            "xn--bcher-kva",
            "web01.example.org",
            &long,
            &domain,
        ] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn invalid_names_are_refused() {
        assert_snapshot!(name_failure(""), @r"
        `` cannot be the name of a host: it is empty
        hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
        ");
        assert_snapshot!(name_failure("Web01"), @r"
        `Web01` cannot be the name of a host: it has upper-case letters
        hint: write `web01`
        ");
        assert_snapshot!(name_failure("-web"), @r"
        `-web` cannot be the name of a host: a hyphen is allowed in the middle only
        hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
        ");
        assert_snapshot!(name_failure("10.0.0.11"), @r"
        `10.0.0.11` cannot be the name of a host: some programs read a name of digits only as an address
        hint: put a letter before it
        ");
        assert_snapshot!(name_failure("../etc"), @r"
        `../etc` cannot be the name of a host: a dot is allowed between two names only
        hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
        ");
        assert_snapshot!(name_failure("web 01"), @r"
        `web 01` cannot be the name of a host: it has a character that is not allowed in a host name
        hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
        ");
        assert_snapshot!(name_failure("wéb"), @r"
        `wéb` cannot be the name of a host: it has a character that is not allowed in a host name
        hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
        ");
        assert_snapshot!(name_failure("127"), @r"
        `127` cannot be the name of a host: some programs read a name of digits only as an address
        hint: put a letter before it
        ");
        assert_snapshot!(name_failure("localhost"), @r"
        `localhost` cannot be the name of a host: every machine has this name for itself
        hint: choose another name
        ");
        assert_snapshot!(name_failure(&"a".repeat(64)).replace(&"a".repeat(64), "<64 letters>"), @r"
        `<64 letters>` cannot be the name of a host: it is longer than 63 characters
        hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
        ");
    }

    #[test]
    fn addresses_of_hosts_are_accepted() {
        for text in [
            "10.0.0.11/24",
            "10.0.0.1/31",
            "10.0.0.0/31",
            "10.0.0.1/32",
            "fd00::11/64",
            "fd00::/127",
            "192.168.0.0/23",
        ] {
            let parsed = HostAddress::parse(text);
            assert_eq!(parsed.is_ok(), text != "192.168.0.0/23", "{text}");
        }
        assert_eq!(
            HostAddress::parse("FD00:0::0011/64").unwrap().to_string(),
            "fd00::11/64"
        );
        assert_eq!(
            HostAddress::parse("192.168.0.255/23").unwrap().cidr_block(),
            "192.168.0.255/32"
        );
        assert_eq!(
            HostAddress::parse("fd00::1/64").unwrap().cidr_block(),
            "fd00::1/128"
        );
    }

    #[test]
    fn invalid_addresses_are_refused() {
        assert_snapshot!(address_failure(""), @r"
        `` cannot be the address of a host: it is not an IP address with a prefix length
        hint: write an address with its prefix length, such as `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address_failure("10.0.0.11"), @r"
        `10.0.0.11` cannot be the address of a host: the prefix length is missing
        hint: write `10.0.0.11/24`, or the length that the network has
        ");
        assert_snapshot!(address_failure("fd00::5"), @r"
        `fd00::5` cannot be the address of a host: the prefix length is missing
        hint: write `fd00::5/64`, or the length that the network has
        ");
        assert_snapshot!(address_failure("10.0.0.11/33"), @r"
        `10.0.0.11/33` cannot be the address of a host: it is not an IP address with a prefix length
        hint: write an address with its prefix length, such as `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address_failure("10.0.0.011/24"), @r"
        `10.0.0.011/24` cannot be the address of a host: it is not an IP address with a prefix length
        hint: write an address with its prefix length, such as `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address_failure("10.0.0.11/024"), @r"
        `10.0.0.11/024` cannot be the address of a host: it is not an IP address with a prefix length
        hint: write an address with its prefix length, such as `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address_failure("10.0.0.0/24"), @r"
        `10.0.0.0/24` cannot be the address of a host: it is the network's own address in `10.0.0.0/24`
        hint: give the address of the host itself
        ");
        assert_snapshot!(address_failure("10.0.0.255/24"), @r"
        `10.0.0.255/24` cannot be the address of a host: it is the broadcast address of `10.0.0.0/24`
        hint: give the address of the host itself
        ");
        assert_snapshot!(address_failure("fd00::/64"), @r"
        `fd00::/64` cannot be the address of a host: it is the network's own address in `fd00::/64`
        hint: give the address of the host itself
        ");
        assert_snapshot!(address_failure("127.0.0.1/8"), @r"
        `127.0.0.1/8` cannot be the address of a host: it is a loopback address
        hint: give the address of the host itself
        ");
        assert_snapshot!(address_failure("224.0.0.1/24"), @r"
        `224.0.0.1/24` cannot be the address of a host: it is a multicast address
        hint: give the address of the host itself
        ");
        for reserved in ["0.0.0.5/24", "240.0.0.1/4", "255.255.255.255/32"] {
            assert!(
                address_failure(reserved).contains("it is reserved"),
                "{reserved}"
            );
        }
        for mapped in ["::ffff:10.0.0.3/120", "::ffff:127.0.0.1/128"] {
            assert!(
                address_failure(mapped).contains("IPv4-mapped IPv6 address"),
                "{mapped}"
            );
        }
        assert_snapshot!(address_failure("0.0.0.0/0"), @r"
        `0.0.0.0/0` cannot be the address of a host: it means any address
        hint: give the address of the host itself
        ");
    }

    #[test]
    fn addresses_are_read_out_of_entries() {
        assert_eq!(parse_address("10.0.0.3/24"), "10.0.0.3".parse().ok());
        assert_eq!(parse_address(" fd00::3 "), "fd00::3".parse().ok());
        assert_eq!(parse_address("dhcp"), None);
    }
}
