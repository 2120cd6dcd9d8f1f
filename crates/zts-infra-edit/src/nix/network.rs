//! Addresses in a network of their own, such as a private one over the internet.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::parse_ip;
use super::parse::cast;
use super::scope::entry_path;

/// Words in the name of such a network.
const WORDS: [&str; 16] = [
    "wg",
    "wg0",
    "wireguard",
    "vpn",
    "tailscale",
    "tailnet",
    "headscale",
    "ts",
    "zerotier",
    "zt",
    "nebula",
    "netbird",
    "innernet",
    "mesh",
    "tinc",
    "yggdrasil",
];

/// Returns whether an address is one of such a network: a name around it or of its file says so,
/// and the new host's address is in none of theirs. `addresses` are those of the other hosts.
pub(super) fn is_of_other_network(
    (node, file): (&SyntaxNode, &str),
    addresses: &[IpAddr],
    own: Option<&str>,
) -> bool {
    let is_near = own.is_some_and(|own| addresses.iter().any(|other| is_together(own, *other)));
    !is_near && (is_shared(addresses) || has_name(node) || is_named(file))
}

/// Returns whether a name around a value has a word of such a network.
fn has_name(node: &SyntaxNode) -> bool {
    let entries = node
        .ancestors()
        .filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let mut names = entries.flat_map(|entry| entry_path(&entry).into_iter().filter_map(|it| it.0));
    names.any(|name| is_named(&name))
}

/// Returns whether a name or a path has a word of such a network.
fn is_named(name: &str) -> bool {
    let words = split_words(name);
    words.iter().any(|word| WORDS.contains(&word.as_str()))
}

/// Returns the words of a name such as `wgIp` or `wg_ip`, in lower case.
fn split_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

/// Returns whether two addresses are in one network by the prefix length of the first.
fn is_together(own: &str, other: IpAddr) -> bool {
    let own = own.parse::<IpNet>();
    own.is_ok_and(|own| own.contains(&other))
}

/// Returns whether all addresses are of the networks that a service such as Tailscale assigns:
/// `100.64.0.0/10` and `fd7a:115c:a1e0::/48`.
fn is_shared(addresses: &[IpAddr]) -> bool {
    let is_assigned = |address: &IpAddr| match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            first == 100 && second & 0xc0 == 64
        }
        IpAddr::V6(address) => address.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0],
    };
    !addresses.is_empty() && addresses.iter().all(is_assigned)
}

/// Returns the text of the address after the largest of these, such as `10.100.0.4/24`; `None`
/// where a service assigns them, or they are not in one notation.
pub(super) fn next_address(texts: &[String]) -> Option<String> {
    let read = |text: &String| {
        let (address, length) = text.split_once('/').map_or((text.as_str(), ""), |it| it);
        Some((address.parse::<IpAddr>().ok()?, length.to_owned()))
    };
    let read: Option<Vec<(IpAddr, String)>> = texts.iter().map(read).collect();
    let read = read?;
    let (_, length) = read.first()?;
    let addresses: Vec<IpAddr> = read.iter().map(|(address, _)| *address).collect();
    let is_one_notation = read.iter().all(|(_, other)| other == length);
    if !is_one_notation || is_shared(&addresses) {
        return None;
    }
    let next = next_of(*addresses.iter().max()?)?;
    Some(match length.as_str() {
        "" => next.to_string(),
        length => format!("{next}/{length}"),
    })
}

/// Returns the next address that can be one of a host.
fn next_of(last: IpAddr) -> Option<IpAddr> {
    match last {
        IpAddr::V4(last) if last.octets()[3] < 254 => {
            Some(IpAddr::V4(Ipv4Addr::from_bits(last.to_bits() + 1)))
        }
        IpAddr::V4(_) => None,
        IpAddr::V6(last) => {
            let next = last.to_bits().checked_add(1)?;
            Some(IpAddr::V6(Ipv6Addr::from_bits(next)))
        }
    }
}

/// Returns the addresses in texts.
pub(super) fn parse_addresses(texts: &[String]) -> Vec<IpAddr> {
    texts.iter().filter_map(|text| parse_ip(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_words() {
        assert_eq!(split_words("wgIp"), ["wg", "ip"]);
        assert_eq!(split_words("vpn_address"), ["vpn", "address"]);
    }

    #[test]
    fn the_next_address_has_the_notation_of_the_others() {
        let next = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            next_address(&texts)
        };
        assert_eq!(
            next(&["10.1.0.9/24", "10.1.0.2/24"]).as_deref(),
            Some("10.1.0.10/24")
        );
        assert_eq!(next(&["fd00::a", "fd00::1"]).as_deref(), Some("fd00::b"));
        assert_eq!(next(&["100.64.0.1", "100.64.0.2"]), None);
        assert_eq!(next(&["10.1.0.9/24", "10.1.0.2"]), None);
    }
}
