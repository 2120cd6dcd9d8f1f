//! The values of attributes that each host has its own of: given by the user, counted on, or asked
//! for.

use rnix::ast;

use super::abstraction::{MARK, Replacement, parse_ip};
use super::members::{Member, Peer};
use super::merge::Merge;
use super::new_host::ANY_ADDRESS;
use super::parse::{cast, node_range};
use super::scalars::scalar_text;
use super::settings::is_address_of_host;
use crate::error::MissingValue;

impl Merge<'_> {
    /// Takes the value that the user gave for an attribute, unless most hosts have the same.
    pub(super) fn take_given(&mut self, member: &Member<'_>, holders: &[&Member<'_>]) -> bool {
        let given = self.wanted.values.get(&self.path.join("."));
        let value = member.value.as_ref();
        let Some((given, value)) = given.zip(value).filter(|_| !self.wanted.is_file) else {
            return false;
        };
        let forms: Vec<Option<Vec<String>>> = holders
            .iter()
            .map(|holder| holder.value.as_ref().map(Peer::tokens))
            .collect();
        let count = |form| forms.iter().filter(|other| *other == form).count();
        let is_common = forms.iter().any(|form| count(form) * 2 > forms.len());
        if is_common || scalar_text(&value.node).is_none() {
            return false;
        }
        let is_string = cast::<ast::Str>(&value.node).is_some();
        let text = if is_string {
            quote(given)
        } else {
            given.clone()
        };
        self.replacements.push(Replacement {
            range: node_range(&value.node),
            text,
        });
        true
    }

    /// Counts on the numbers of an attribute that all hosts have, or asks for its value. Returns
    /// false for one that is no text or number, and for the host's own address.
    pub(super) fn ask_for_value(&mut self, member: &Member<'_>, holders: &[&Member<'_>]) -> bool {
        let is_asked = self.shared.is_some() && !self.wanted.is_file;
        let Some(value) = member.value.as_ref().filter(|_| is_asked) else {
            return false;
        };
        let texts: Option<Vec<String>> = holders
            .iter()
            .map(|holder| scalar_text(&holder.value.as_ref()?.node))
            .collect();
        let Some(others) = texts.filter(|_| !self.path.iter().any(|name| name.contains(MARK)))
        else {
            return false;
        };
        if let Some(next) = next_in_count(&others) {
            self.is_assumed = true;
            self.replacements.push(Replacement {
                range: node_range(&value.node),
                text: next.to_string(),
            });
            return true;
        }
        let is_any = self.wanted.address == Some(ANY_ADDRESS);
        if is_any && self.wanted.values.is_empty() {
            return true; // the files of a host do not depend on it
        }
        let is_own_address =
            is_address_of_host(&value.node) && others.iter().all(|text| parse_ip(text).is_some());
        if is_own_address && self.wanted.address.is_some() {
            return false;
        }
        self.missing.push(if is_own_address {
            MissingValue::address()
        } else {
            MissingValue {
                name: self.path.join("."),
                example: "VALUE".to_owned(),
                others,
            }
        });
        true
    }
}

/// Returns the number after those of the hosts, if they count without a gap.
fn next_in_count(texts: &[String]) -> Option<i64> {
    const LEAST: usize = 3;
    let numbers: Result<Vec<i64>, _> = texts.iter().map(|text| text.parse::<i64>()).collect();
    let mut numbers = numbers.ok().filter(|numbers| numbers.len() >= LEAST)?;
    numbers.sort_unstable();
    let is_count = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    is_count.then(|| numbers.last().map(|last| last + 1))?
}

/// Returns a text as a string of Nix.
pub(super) fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace("${", "\\${"))
}
