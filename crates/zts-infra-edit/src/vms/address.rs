//! The addresses in an entry, in any notation.

use core::net::IpAddr;
use std::ops::Range;

use crate::tree::{Kind, Node};

/// Words in the name of an attribute that has the machine's address.
const NAMES: [&str; 10] = [
    "ip",
    "ips",
    "ipv4",
    "ipv6",
    "ip4",
    "ip6",
    "ipaddr",
    "ipaddress",
    "address",
    "addr",
];

/// Words in the name of an attribute that has another address than the machine's.
const OTHERS: [&str; 24] = [
    "gateway",
    "gw",
    "gw4",
    "dns",
    "nameserver",
    "nameservers",
    "netmask",
    "mask",
    "broadcast",
    "network",
    "subnet",
    "mac",
    "vip",
    "ntp",
    "server",
    "servers",
    "wg",
    "wireguard",
    "vpn",
    "tailscale",
    "tailnet",
    "zerotier",
    "nebula",
    "netbird",
];

/// Returns the addresses of a machine as written, each with its length if it has one. That of an
/// attribute of the entry itself comes before those of objects inside.
pub(super) fn list_addresses(entry: &Node) -> Vec<String> {
    address_nodes(entry)
        .into_iter()
        .filter_map(|node| {
            let text = node.text()?;
            find_in_text(text).map(|range| text[range].to_owned())
        })
        .collect()
}

/// Returns the values that have an address of the machine, in the order of [`list_addresses`].
pub(super) fn address_nodes(entry: &Node) -> Vec<&Node> {
    let mut found = Vec::new();
    let mut level = vec![(true, entry)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (is_named, node) in level {
            match &node.kind {
                Kind::Text(text) if is_named && find_in_text(text).is_some() => found.push(node),
                Kind::List(values) => next.extend(values.iter().map(|value| (is_named, value))),
                Kind::Map(items) => next.extend(items.iter().map(|item| {
                    let name = item.name.as_deref().unwrap_or_default();
                    (is_address_name(name), &item.value)
                })),
                _ => {}
            }
        }
        level = next;
    }
    found
}

fn is_address_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = lower
        .split(['_', '-', '.'])
        .filter(|word| !word.is_empty())
        .peekable();
    let is_other = words.clone().any(|word| OTHERS.contains(&word));
    let is_config = lower.starts_with("ipconfig") || lower == "host";
    !is_other && (is_config || words.any(|word| NAMES.contains(&word)))
}

/// Finds the address in a text: `10.0.0.5`, `10.0.0.5/24`, or that of `ip=10.0.0.5/24,gw=…`.
pub(super) fn find_in_text(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for part in text.split(',') {
        let value = ["ip=", "ip6="]
            .iter()
            .find_map(|key| part.trim_start().strip_prefix(key));
        let value = value.or((part.len() == text.len()).then_some(part));
        if let Some(value) = value.map(str::trim).filter(|value| is_address(value)) {
            let at = start + part.find(value)?;
            return Some(at..at + value.len());
        }
        start += part.len() + 1;
    }
    None
}

fn is_address(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    address.parse::<IpAddr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 128)
}

/// Returns whether a text is a hardware address.
pub(super) fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let is_byte = |part: &&str| part.len() == 2 && u8::from_str_radix(part, 16).is_ok();
    parts.len() == 6 && parts.iter().all(is_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_notations() {
        for (text, address) in [
            ("10.0.0.5", Some("10.0.0.5")),
            ("10.0.0.5/24", Some("10.0.0.5/24")),
            ("fd00::5/64", Some("fd00::5/64")),
            ("ip=10.0.0.5/24,gw=10.0.0.1", Some("10.0.0.5/24")),
            ("gw=10.0.0.1,ip=10.0.0.5/24", Some("10.0.0.5/24")),
            ("ip=dhcp", None),
            ("dhcp", None),
            ("", None),
            ("10.0.0.5,10.0.0.6", None),
        ] {
            let found = find_in_text(text).map(|range| &text[range]);
            assert_eq!(found, address, "{text}");
        }
    }

    #[test]
    fn names_tell_the_machines_address_from_others() {
        for name in [
            "ip",
            "ip_address",
            "ipv4",
            "ipconfig0",
            "vm_ip_v4",
            "address",
            "IP",
        ] {
            assert!(is_address_name(name), "{name}");
        }
        for name in [
            "gateway",
            "ip_gw",
            "mac_address",
            "dns_ip",
            "zip",
            "description",
            "network_ip",
        ] {
            assert!(!is_address_name(name), "{name}");
        }
    }
}
