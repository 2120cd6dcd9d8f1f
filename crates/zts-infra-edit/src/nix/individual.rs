//! The parts of a value that are of one machine: addresses, keys, numbers, files.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rnix::{SyntaxKind, SyntaxNode};

use super::abstraction::{MARK, abstract_tokens, parse_ip, rename_token};
use super::members::Peer;

/// The number of hosts that have a token.
pub(super) struct Shared {
    counts: BTreeMap<String, usize>,
    hosts: usize,
    /// The number of hosts with the same address or key for which it is not of one machine.
    least: usize,
    /// True if the values of most hosts have their names.
    pub(super) name_themselves: bool,
}

impl Shared {
    /// Counts the tokens of the hosts' values. Of modules, an address is shared only if most hosts
    /// have it.
    pub(super) fn read(peers: &[Peer<'_>], are_modules: bool) -> Self {
        let mut counts = BTreeMap::new();
        for peer in peers {
            let mut tokens = abstract_tokens(&peer.node, peer.name);
            tokens.sort();
            tokens.dedup();
            for token in tokens {
                *counts.entry(token).or_insert(0) += 1;
            }
        }
        let names_itself =
            |peer: &&Peer<'_>| peer.tokens().iter().any(|token| token.contains(MARK));
        let name_themselves = peers.iter().filter(names_itself).count() * 2 > peers.len();
        Self {
            counts,
            hosts: peers.len(),
            least: if are_modules { peers.len() / 2 + 1 } else { 2 },
            name_themselves,
        }
    }

    /// Orders hosts by what they have in common with the others. Hosts that name themselves come
    /// first.
    pub(super) fn rank(&self, peer: &Peer<'_>) -> (bool, isize, Reverse<usize>) {
        let tokens = abstract_tokens(&peer.node, peer.name);
        let is_common = |token: &&String| self.count(token) * 2 > self.hosts;
        let common = tokens.iter().filter(is_common).count();
        let own = isize::try_from(tokens.len() - common).unwrap_or(isize::MAX);
        (
            tokens.iter().any(|token| token.contains(MARK)),
            isize::try_from(common).unwrap_or_default() - own,
            Reverse(tokens.len()),
        )
    }

    fn count(&self, token: &str) -> usize {
        self.counts.get(token).copied().unwrap_or_default()
    }

    /// Returns whether a part of a host's value is of that machine alone.
    pub(super) fn is_individual(&self, node: &SyntaxNode, name: &str) -> bool {
        node.descendants_with_tokens()
            .filter_map(rnix::NodeOrToken::into_token)
            .any(|token| {
                let text = rename_token(&token, name, MARK);
                match token.kind() {
                    // a variable, or a part of another name
                    SyntaxKind::TOKEN_IDENT | SyntaxKind::TOKEN_STRING_CONTENT
                        if text.contains(name) =>
                    {
                        true
                    }
                    // a key, also one whose comment is the host's name
                    SyntaxKind::TOKEN_STRING_CONTENT if is_key(&text) && self.count(&text) == 1 => {
                        true
                    }
                    SyntaxKind::TOKEN_STRING_CONTENT if self.count(&text) < self.least => {
                        !text.contains(MARK) && is_of_machine(&text)
                    }
                    _ if text.contains(MARK) || self.count(&text) > 1 => false,
                    SyntaxKind::TOKEN_PATH_REL | SyntaxKind::TOKEN_INTEGER => true,
                    SyntaxKind::TOKEN_STRING_CONTENT => is_of_machine(&text),
                    _ => false,
                }
            })
    }
}

/// Returns whether the name of a host is that of an image, an installer or a system inside of
/// Windows, which are no models for a machine.
pub(super) fn is_image(name: &str) -> bool {
    const WORDS: [&str; 8] = [
        "iso",
        "installer",
        "image",
        "live",
        "minimal",
        "bootstrap",
        "vm",
        "wsl",
    ];
    let name = name.to_lowercase();
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    words.any(|word| WORDS.contains(&word)) || name.contains("installer")
}

/// Returns whether a text is an address, a key or an identifier of one machine.
pub(super) fn is_of_machine(text: &str) -> bool {
    let mut words =
        text.split(|letter: char| !letter.is_ascii_hexdigit() && !".:".contains(letter));
    let is_digest = !text.contains(['/', ' ', '.']) && text.len() >= 32;
    let is_address = |word: &str| parse_ip(word).is_some() || is_mac(word);
    is_key(text) || is_digest || is_host_id(text) || is_hardware(text) || words.any(is_address)
}

/// Returns whether a text is a host id of Linux, as ZFS needs it: eight hexadecimal digits.
pub(super) fn is_host_id(text: &str) -> bool {
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() == 8 && is_hexadecimal && text.contains(|letter: char| letter.is_ascii_digit())
}

/// Returns a host id for a name (FNV-1a). No two hosts may have the same.
pub(super) fn new_host_id(name: &str) -> String {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}

/// Returns whether a text is the public key of a machine.
pub(super) fn is_key(text: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["ssh-", "ecdsa-", "age1", "sk-ssh", "AAAA"];
    BEGINNINGS.iter().any(|key| text.starts_with(key))
}

pub(super) fn is_hardware(text: &str) -> bool {
    text.starts_with("/dev/disk/by-") || (text.len() == 36 && text.matches('-').count() == 4)
}

fn is_mac(word: &str) -> bool {
    word.len() == 17 && word.matches(':').count() == 5
}
