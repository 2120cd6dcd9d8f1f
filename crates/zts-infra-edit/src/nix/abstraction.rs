//! Values without the name of their host.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rnix::{NodeOrToken, SyntaxKind, SyntaxNode, SyntaxToken};

use super::name::format_name;
use super::name::is_system;
use super::scope::{Binding, resolve_variable};
use crate::text::{is_word, replace_name};

/// The mark in the place of a host's name, which no source contains.
pub(super) const MARK: &str = "\u{1}";

/// The mark in the place of a host's name with a capital letter.
const CAPITAL_MARK: &str = "\u{2}";

/// Names of hosts that are words of any fleet.
const GENERIC: [&str; 6] = ["nixos", "nix", "home", "host", "default", "main"];

/// A part of a value with another text, or none.
#[derive(Clone, Debug)]
pub(super) struct Replacement {
    /// The place in the source of the value.
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// The host that the value is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// The address with its prefix length.
    pub(super) address: Option<&'a str>,
    /// The path of its configuration, as the file of the entry names it.
    pub(super) module: &'a str,
    /// True if the value is all of a file.
    pub(super) is_file: bool,
    /// True if the file is data that a function reads, so that a host needs all of it.
    pub(super) is_data: bool,
    /// The file of the value.
    pub(super) file: &'a str,
    /// The values that the user gave for attributes, by their paths.
    pub(super) values: &'a BTreeMap<String, String>,
}

impl Wanted<'_> {
    /// Returns whether the value is a module, whose settings a host may lack.
    pub(super) fn is_module(self) -> bool {
        self.is_file && !self.is_data
    }
}

/// Returns the tokens of a value without blanks and comments, with a mark for the host's name.
pub(super) fn abstract_tokens(value: &SyntaxNode, name: &str) -> Vec<String> {
    tokens(value)
        .filter(|token| !is_trivia(token))
        .map(|token| rename_token(&token, name, MARK))
        .collect()
}

/// Renders a value for another host, without comments, which are about one host. `names` are the
/// present name and the new one. Lines lose `indent`.
pub(super) fn render_node(
    value: &SyntaxNode,
    replacements: &[Replacement],
    names: (&str, &str),
    indent: &str,
) -> String {
    let mut text = String::new();
    let mut blank = String::new();
    let mut replaced = BTreeSet::new();
    for token in tokens(value) {
        let start = usize::from(token.text_range().start());
        let within = replacements.iter().find(|one| one.range.contains(&start));
        if let Some(replacement) = within {
            let is_new = replaced.insert((replacement.range.start, replacement.range.end));
            if is_new && !replacement.text.is_empty() {
                text.push_str(&std::mem::take(&mut blank));
                text.push_str(&replacement.text);
            }
            continue;
        }
        match token.kind() {
            SyntaxKind::TOKEN_COMMENT => {}
            SyntaxKind::TOKEN_WHITESPACE => blank = render_blank(&token, &text, indent),
            kind => {
                let closes = matches!(kind, SyntaxKind::TOKEN_R_BRACK | SyntaxKind::TOKEN_R_BRACE);
                if closes && !replaced.is_empty() && text.ends_with(['[', '{']) {
                    " ".clone_into(&mut blank); // nothing is left between them
                }
                text.push_str(&std::mem::take(&mut blank));
                text.push_str(&rename_token(&token, names.0, names.1));
            }
        }
    }
    text
}

/// Renders white space after `text`.
fn render_blank(token: &SyntaxToken, text: &str, indent: &str) -> String {
    let unix = token.text().replace("\r\n", "\n");
    let blank = unix.replace(&format!("\n{indent}"), "\n");
    // what stood behind an opening bracket may be left out
    if text.ends_with(['{', '[']) {
        return blank.replace("\n\n", "\n");
    }
    blank
}

fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    node.descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
}

fn is_trivia(token: &SyntaxToken) -> bool {
    matches!(
        token.kind(),
        SyntaxKind::TOKEN_WHITESPACE | SyntaxKind::TOKEN_COMMENT
    )
}

/// Returns the text of a token with another name in the places where it is the host's name: words
/// of a string, parts of a path, attributes. A variable that the file defines stays. Of a name with
/// a domain, the first label is replaced, too, and of a name with capitals its lower-case form in a
/// path.
pub(super) fn rename_token(token: &SyntaxToken, from: &str, to: &str) -> String {
    let renamed = rename_whole(token, token.text(), from, to);
    let lower = from.to_lowercase();
    if lower != from && renamed == token.text() && token.kind() == SyntaxKind::TOKEN_PATH_REL {
        return rename_segments(&renamed, &lower, to);
    }
    let label = |name: &str| name.split('.').next().map(str::to_owned);
    match (label(from), label(to)) {
        (Some(short), Some(to)) if short != from && renamed == token.text() => {
            rename_whole(token, &renamed, &short, &to)
        }
        _ => renamed,
    }
}

fn rename_whole(token: &SyntaxToken, text: &str, from: &str, to: &str) -> String {
    match token.kind() {
        // a host may have the name of its system
        SyntaxKind::TOKEN_STRING_CONTENT if is_system(text) => text.to_owned(),
        SyntaxKind::TOKEN_STRING_CONTENT => replace_name(text, from, to, is_word),
        SyntaxKind::TOKEN_PATH_REL | SyntaxKind::TOKEN_PATH_ABS | SyntaxKind::TOKEN_PATH_HOME => {
            rename_path(text, from, to)
        }
        SyntaxKind::TOKEN_IDENT if text == from && is_attribute(token) => {
            if to == MARK {
                to.to_owned()
            } else {
                format_name(to, false)
            }
        }
        SyntaxKind::TOKEN_IDENT if text.contains(from) && is_module_name(token, from) => {
            rename_part(text, from, to)
        }
        SyntaxKind::TOKEN_IDENT if is_module_name(token, from) => rename_capital(text, from, to),
        _ => text.to_owned(),
    }
}

/// Replaces `from` where it is a part of an identifier such as `hosts-web01`, `web01Disks` or, of a
/// name with a capital letter, `hostWeb01`. The name of a host that is no identifier stays.
fn rename_part(text: &str, from: &str, to: &str) -> String {
    let is_identifier = |letter: char| letter.is_ascii_alphanumeric() || "_-\u{1}".contains(letter);
    let continues = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let Some(start) = text.find(from).filter(|_| to.chars().all(is_identifier)) else {
        return text.to_owned();
    };
    let (before, after) = (&text[..start], &text[start + from.len()..]);
    let is_capital = from.starts_with(|letter: char| letter.is_ascii_uppercase());
    let begins = before.is_empty()
        || before.ends_with(['-', '_'])
        || (is_capital && before.ends_with(|letter: char| letter.is_ascii_lowercase()));
    if !begins || after.starts_with(continues) {
        return text.to_owned();
    }
    format!("{before}{to}{after}")
}

/// Replaces `from` where it is a word of an identifier with a capital letter, such as `diskoWeb01`.
fn rename_capital(text: &str, from: &str, to: &str) -> String {
    let is_identifier = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    let continues = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let capital = capitalize(from);
    let start = text.find(capital.as_str()).filter(|_| capital != from);
    let Some(start) = start else {
        return text.to_owned();
    };
    let (before, after) = (&text[..start], &text[start + capital.len()..]);
    let is_word = before.ends_with(|letter: char| letter.is_ascii_lowercase());
    let to = match to {
        MARK => CAPITAL_MARK.to_owned(),
        to if to.chars().all(is_identifier) => capitalize(to),
        _ => return text.to_owned(),
    };
    if !is_word || after.starts_with(continues) {
        return text.to_owned();
    }
    format!("{before}{to}{after}")
}

/// Returns a name with a capital letter.
pub(super) fn capitalize(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Returns whether an identifier may have the name of a host as a part: an attribute or a variable
/// of a `with`, but none of an input, and no function.
fn is_module_name(identifier: &SyntaxToken, host: &str) -> bool {
    if GENERIC.contains(&host) || !(is_attribute(identifier) || is_of_with(identifier)) {
        return false;
    }
    let select = identifier
        .parent_ancestors()
        .find(|node| node.kind() == SyntaxKind::NODE_SELECT);
    let Some(select) = select.filter(|_| is_attribute(identifier)) else {
        return true;
    };
    let is_function = select.parent().is_some_and(|parent| {
        parent.kind() == SyntaxKind::NODE_APPLY && parent.first_child().as_ref() == Some(&select)
    });
    !is_function && !select.text().to_string().starts_with("inputs.")
}

/// Returns whether a variable comes from a `with`, so that it is an attribute of its set.
fn is_of_with(identifier: &SyntaxToken) -> bool {
    let name = identifier.text();
    identifier.parent().is_some_and(|node| {
        let has_with = node
            .ancestors()
            .any(|ancestor| ancestor.kind() == SyntaxKind::NODE_WITH);
        has_with && matches!(resolve_variable(name, &node), Binding::Unknown)
    })
}

fn is_attribute(identifier: &SyntaxToken) -> bool {
    let mut parents = identifier.parent_ancestors().skip(1);
    parents
        .next()
        .is_some_and(|node| node.kind() == SyntaxKind::NODE_ATTRPATH)
}

/// Replaces `from` where it is a part of a path, with or without `.nix`.
pub(super) fn rename_segments(path: &str, from: &str, to: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .map(|part| match part.strip_prefix(from) {
            Some(rest) if rest.is_empty() || is_extension(rest) || is_tag(rest) => {
                format!("{to}{rest}")
            }
            _ => part.to_owned(),
        })
        .collect();
    parts.join("/")
}

/// Replaces `from` in a path, also where it is a word of a part: `web01-disks.nix`, `vps-web01/`.
pub fn rename_path(path: &str, from: &str, to: &str) -> String {
    let renamed = rename_segments(path, from, to);
    if renamed != path || GENERIC.contains(&from) {
        return renamed;
    }
    let parts = path.split('/').map(|part| rename_word(part, from, to));
    parts.collect::<Vec<_>>().join("/")
}

fn rename_word(name: &str, from: &str, to: &str) -> String {
    let is_letter = |letter: char| letter.is_alphanumeric();
    let places = name.match_indices(from).map(|(start, _)| start);
    let mut whole = places.filter(|start| {
        let (before, after) = (&name[..*start], &name[start + from.len()..]);
        !before.ends_with(is_letter) && !after.starts_with(is_letter)
    });
    match whole.next() {
        Some(start) => format!("{}{to}{}", &name[..start], &name[start + from.len()..]),
        None => name.to_owned(),
    }
}

/// Returns whether a text is a tag behind the name of a folder: ` [N]`.
fn is_tag(text: &str) -> bool {
    text.starts_with(" [") && text.ends_with(']')
}

fn is_extension(text: &str) -> bool {
    let letters = text.strip_prefix('.').unwrap_or_default();
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    !letters.is_empty() && letters.bytes().all(is_letter)
}

/// Parses an address with or without a prefix length.
pub(super) fn parse_ip(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}

/// Returns the host's own address, with or without its prefix length.
pub(super) fn own_address(has_length: bool, address: Option<&str>) -> Option<String> {
    let address = address?;
    let plain = address.split('/').next()?;
    Some(if has_length { address } else { plain }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_tags_have_the_names_of_hosts() {
        for (path, renamed) in [
            ("hosts/otter [N]/otter.nix", "hosts/web01 [N]/web01.nix"),
            ("hosts/otter2/otter.txt", "hosts/otter2/web01.txt"),
            ("hosts/otter room/a.nix", "hosts/otter room/a.nix"),
        ] {
            assert_eq!(rename_segments(path, "otter", "web01"), renamed);
        }
    }

    #[test]
    fn words_with_capitals_are_replaced_in_identifiers() {
        for (text, renamed) in [
            ("configOtter", "configWeb01"),
            ("diskoOtterMain", "diskoWeb01Main"),
            ("configOtters", "configOtters"),
            ("Otter", "Otter"),
        ] {
            assert_eq!(rename_capital(text, "otter", "web01"), renamed);
        }
        assert_eq!(
            rename_part("hostOtterDisks", "Otter", "web01"),
            "hostweb01Disks"
        );
    }
}
