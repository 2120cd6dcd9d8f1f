//! The text of a new host where each other host has one of its own.

use rnix::SyntaxNode;

use super::abstraction::{MARK, Wanted, own_address, parse_ip};
use super::individual::{is_host_id, new_host_id};
use super::name::is_system;
use super::network::{is_of_other_network, next_address, parse_addresses};

/// A text that follows from those of the other hosts.
pub(super) struct CommonText {
    pub(super) text: String,
    /// True for an address in another network, which is the next one there.
    pub(super) is_assumed: bool,
}

/// Returns the text for a new host: the most common system, the newest release, an id of its own,
/// its own address, or the next one in another network.
pub(super) fn common_text(
    base: &SyntaxNode,
    texts: &[String],
    wanted: Wanted<'_>,
) -> Option<CommonText> {
    let certain = |text: String| CommonText {
        text,
        is_assumed: false,
    };
    let all = |is_such: fn(&str) -> bool| texts.iter().all(|text| is_such(text));
    if all(is_system) {
        let count = |system: &str| texts.iter().filter(|other| *other == system).count();
        let best = texts
            .iter()
            .max_by_key(|text| (count(text), *text == "x86_64-linux"));
        return best.cloned().map(certain);
    }
    if all(is_release) {
        return texts.iter().max().cloned().map(certain);
    }
    if all(is_host_id) {
        return Some(certain(new_host_id(wanted.name)));
    }
    let addresses = parse_addresses(texts);
    if is_of_other_network((base, wanted.file), &addresses, wanted.address) {
        return next_address(texts).map(|text| CommonText {
            text,
            is_assumed: true,
        });
    }
    text_with_address(texts, wanted.address).map(certain)
}

/// Returns whether a text is the release of NixOS, such as `25.05`.
fn is_release(text: &str) -> bool {
    let number = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(year, month)| number(year) && number(month))
}

/// Returns the text with the host's own address, if most texts are the same but for theirs.
fn text_with_address(texts: &[String], own: Option<&str>) -> Option<String> {
    let forms: Vec<(String, bool)> = texts
        .iter()
        .filter_map(|text| split_address(text))
        .collect();
    let count = |form: &(String, bool)| forms.iter().filter(|other| *other == form).count();
    let common = forms.iter().find(|form| count(form) * 2 > texts.len());
    let (form, has_length) = common?;
    let own = own_address(*has_length, own)?;
    Some(form.replace(MARK, &own))
}

/// Returns a text with a mark for the only address in it, and true for an address with a prefix
/// length.
fn split_address(text: &str) -> Option<(String, bool)> {
    let is_letter = |letter: char| letter.is_ascii_hexdigit() || ".:/".contains(letter);
    let mut words = text.split(|letter| !is_letter(letter));
    let address = words.find(|word| parse_ip(word).is_some())?;
    Some((text.replacen(address, MARK, 1), address.contains('/')))
}
