//! The name and the address of a host.

use std::{fmt, net::IpAddr};

use cli::Failure;
use ipnet::IpNet;

/// Whether `text` is one label of a domain name (RFC 1123, section 2.1), in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text
            .chars()
            .all(|character| letter(character) || character == '-')
        && text.starts_with(letter)
        && text.ends_with(letter)
}

/// The name of a host: good as a folder, as a key in Nix and HCL, and as a policy and role in OpenBao.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostName(String);

impl HostName {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| {
            Err(Failure::usage(format_args!(
                "`{text}` cannot be the name of a host: {reason}"
            )))
        };
        if is_label(&text.to_lowercase()) && text != text.to_lowercase() {
            return refuse("it has upper-case letters")
                .map_err(|failure| failure.hint(format!("write `{}`", text.to_lowercase())));
        }
        let hint = "lower-case letters, digits and hyphens, such as `web01`";
        if !is_label(text) {
            return refuse(what_is_wrong(text)).map_err(|failure| failure.hint(hint));
        }
        if text.chars().all(|letter| letter.is_ascii_digit()) {
            return refuse("a name of digits only is read as an address by some programs")
                .map_err(|failure| failure.hint("put a letter before it"));
        }
        if text == "localhost" {
            return refuse("every machine calls itself that")
                .map_err(|failure| failure.hint("choose another name"));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn what_is_wrong(text: &str) -> &'static str {
    if text.is_empty() {
        "it is empty"
    } else if text.len() > 63 {
        "it is longer than 63 characters"
    } else if text.starts_with('-') || text.ends_with('-') {
        "a hyphen may stand in the middle only"
    } else if text.contains('.') {
        "it has a dot; the domain stands in `fleet.toml`"
    } else {
        "it has a character that no host name has"
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The address of a host with its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostAddress(IpNet);

impl HostAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| {
            Failure::usage(format_args!(
                "`{text}` cannot be the address of a host: {reason}"
            ))
        };
        let example = "an address with its prefix length reads `10.0.0.11/24` or `fd00::11/64`";
        if let Ok(address) = text.parse::<IpAddr>() {
            let length = if address.is_ipv4() { 24 } else { 64 };
            return Err(refuse("the prefix length is missing").hint(format!(
                "write `{text}/{length}`, or whatever length the network has"
            )));
        }
        let network = network_of(text)
            .ok_or_else(|| refuse("it is not an IP address with a prefix length").hint(example))?;
        match what_is_wrong_with(network) {
            Some(reason) => Err(refuse(&reason).hint("give the address of the host itself")),
            None => Ok(Self(network)),
        }
    }

    /// The address alone.
    pub(crate) fn address(self) -> IpAddr {
        self.0.addr()
    }

    pub(crate) fn prefix_length(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether `other` is in the same network.
    pub(crate) fn reaches(self, other: IpAddr) -> bool {
        self.0.contains(&other)
    }

    /// The block that holds this address alone.
    pub(crate) fn block(self) -> String {
        IpNet::from(self.address()).to_string()
    }
}

/// Stricter than `ipnet`'s own reading: `10.0.0.011` is 11 to some programs and 9 to others.
fn network_of(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let is_plain = length.chars().all(|letter| letter.is_ascii_digit());
    let is_plain = is_plain && (length == "0" || !length.starts_with('0'));
    let length = length.parse().ok().filter(|_| is_plain)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

fn what_is_wrong_with(network: IpNet) -> Option<String> {
    let (address, length) = (network.addr(), network.prefix_len());
    // point-to-point links (RFC 3021, RFC 6164) have no network and no broadcast address
    let has_network = network.max_prefix_len() - length > 1;
    let reason = if address.is_loopback() {
        "it is the machine itself, to every machine"
    } else if address.is_multicast() {
        "it is a multicast address"
    } else if address.is_unspecified() || length == 0 {
        "it stands for any address"
    } else if is_reserved(address) {
        "no machine can have it (RFC 1122, RFC 1112)"
    } else if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        "it is an IPv4 address in IPv6's clothes: write it as `10.0.0.11/24`"
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

/// `0.0.0.0/8` and `240.0.0.0/4`.
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

/// The address in a text that may have a prefix length, such as `ip` of an entry in `vms.tf`.
pub(crate) fn address_of(text: &str) -> Option<IpAddr> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn told(failure: &Failure) -> String {
        assert_eq!(failure.status(), cli::Status::Usage);
        format!(
            "{}\nhint: {}",
            failure.message(),
            failure.hint_text().unwrap_or_default()
        )
    }

    fn name(text: &str) -> String {
        told(&HostName::parse(text).expect_err(text))
    }

    fn address(text: &str) -> String {
        told(&HostAddress::parse(text).expect_err(text))
    }

    #[test]
    fn names_of_hosts() {
        let long = "a".repeat(63);
        for text in ["web01", "a", "0a", "db-1-x", "xn--bcher-kva", &long] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn names_that_no_host_has() {
        assert_snapshot!(name(""), @r"
        `` cannot be the name of a host: it is empty
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
        assert_snapshot!(name("Web01"), @r"
        `Web01` cannot be the name of a host: it has upper-case letters
        hint: write `web01`
        ");
        assert_snapshot!(name("-web"), @r"
        `-web` cannot be the name of a host: a hyphen may stand in the middle only
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
        assert_snapshot!(name("web01.example.org"), @r"
        `web01.example.org` cannot be the name of a host: it has a dot; the domain stands in `fleet.toml`
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
        assert_snapshot!(name("../etc"), @r"
        `../etc` cannot be the name of a host: it has a dot; the domain stands in `fleet.toml`
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
        assert_snapshot!(name("web 01"), @r"
        `web 01` cannot be the name of a host: it has a character that no host name has
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
        assert_snapshot!(name("wéb"), @r"
        `wéb` cannot be the name of a host: it has a character that no host name has
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
        assert_snapshot!(name("127"), @r"
        `127` cannot be the name of a host: a name of digits only is read as an address by some programs
        hint: put a letter before it
        ");
        assert_snapshot!(name("localhost"), @r"
        `localhost` cannot be the name of a host: every machine calls itself that
        hint: choose another name
        ");
        assert_snapshot!(name(&"a".repeat(64)).replace(&"a".repeat(64), "<64 letters>"), @r"
        `<64 letters>` cannot be the name of a host: it is longer than 63 characters
        hint: lower-case letters, digits and hyphens, such as `web01`
        ");
    }

    #[test]
    fn addresses_of_hosts() {
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
            HostAddress::parse("192.168.0.255/23").unwrap().block(),
            "192.168.0.255/32"
        );
        assert_eq!(
            HostAddress::parse("fd00::1/64").unwrap().block(),
            "fd00::1/128"
        );
    }

    #[test]
    fn addresses_that_no_host_has() {
        assert_snapshot!(address(""), @r"
        `` cannot be the address of a host: it is not an IP address with a prefix length
        hint: an address with its prefix length reads `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address("10.0.0.11"), @r"
        `10.0.0.11` cannot be the address of a host: the prefix length is missing
        hint: write `10.0.0.11/24`, or whatever length the network has
        ");
        assert_snapshot!(address("fd00::5"), @r"
        `fd00::5` cannot be the address of a host: the prefix length is missing
        hint: write `fd00::5/64`, or whatever length the network has
        ");
        assert_snapshot!(address("10.0.0.11/33"), @r"
        `10.0.0.11/33` cannot be the address of a host: it is not an IP address with a prefix length
        hint: an address with its prefix length reads `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address("10.0.0.011/24"), @r"
        `10.0.0.011/24` cannot be the address of a host: it is not an IP address with a prefix length
        hint: an address with its prefix length reads `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address("10.0.0.11/024"), @r"
        `10.0.0.11/024` cannot be the address of a host: it is not an IP address with a prefix length
        hint: an address with its prefix length reads `10.0.0.11/24` or `fd00::11/64`
        ");
        assert_snapshot!(address("10.0.0.0/24"), @r"
        `10.0.0.0/24` cannot be the address of a host: it is the network's own address in `10.0.0.0/24`
        hint: give the address of the host itself
        ");
        assert_snapshot!(address("10.0.0.255/24"), @r"
        `10.0.0.255/24` cannot be the address of a host: it is the broadcast address of `10.0.0.0/24`
        hint: give the address of the host itself
        ");
        assert_snapshot!(address("fd00::/64"), @r"
        `fd00::/64` cannot be the address of a host: it is the network's own address in `fd00::/64`
        hint: give the address of the host itself
        ");
        assert_snapshot!(address("127.0.0.1/8"), @r"
        `127.0.0.1/8` cannot be the address of a host: it is the machine itself, to every machine
        hint: give the address of the host itself
        ");
        assert_snapshot!(address("224.0.0.1/24"), @r"
        `224.0.0.1/24` cannot be the address of a host: it is a multicast address
        hint: give the address of the host itself
        ");
        for reserved in ["0.0.0.5/24", "240.0.0.1/4", "255.255.255.255/32"] {
            assert!(
                address(reserved).contains("no machine can have it"),
                "{reserved}"
            );
        }
        for mapped in ["::ffff:10.0.0.3/120", "::ffff:127.0.0.1/128"] {
            assert!(
                address(mapped).contains("IPv4 address in IPv6's clothes"),
                "{mapped}"
            );
        }
        assert_snapshot!(address("0.0.0.0/0"), @r"
        `0.0.0.0/0` cannot be the address of a host: it stands for any address
        hint: give the address of the host itself
        ");
    }

    #[test]
    fn addresses_are_read_out_of_entries() {
        assert_eq!(address_of("10.0.0.3/24"), "10.0.0.3".parse().ok());
        assert_eq!(address_of(" fd00::3 "), "fd00::3".parse().ok());
        assert_eq!(address_of("dhcp"), None);
    }
}
