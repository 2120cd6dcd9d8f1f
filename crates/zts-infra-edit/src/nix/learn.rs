//! The value of a new host's entry, learnt from the other hosts.
//!
//! The host's name is replaced in each value. The most common form is the new one, if more than
//! half of the hosts share it. Otherwise the parts are compared: a part that more than half of the
//! hosts have stays, and one that only some have is left out. Where every host has another value,
//! that of the most typical host stays, unless it is of one machine: a number, a key, a file.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{MARK, Replacement, Wanted, abstract_tokens, render_node};
use super::expression::{function_text, literal_string};
use super::individual::{Shared, is_image};
use super::lesson::{Lesson, Sibling, Unlearnt};
use super::members::Peer;
use super::merge::Merge;
use super::only_host::change_only_host;
use super::origin::Origin;
use super::parse::{cast, parse_source};
use super::settings::is_host_name;
use super::short_names::common_prefix;
use crate::error::MissingValue;

/// The limit of hosts whose parts are compared.
const MAX_COMPARED: usize = 30;

/// Learns the value of a host.
pub(super) fn learn_value(siblings: &[Sibling], wanted: Wanted<'_>) -> Result<Lesson, Unlearnt> {
    let linux: Vec<Sibling> = siblings
        .iter()
        .filter(|one| is_linux(one))
        .cloned()
        .collect();
    let siblings = if linux.is_empty() { siblings } else { &linux };
    let short = shorten(siblings, wanted);
    let (siblings, wanted) = match &short {
        Some((short, wanted)) => (short.as_slice(), *wanted),
        None => (siblings, wanted),
    };
    let forms: Vec<Vec<String>> = siblings
        .iter()
        .map(|sibling| abstract_tokens(&sibling.value, &sibling.name))
        .collect();
    let count = |form: &[String]| forms.iter().filter(|other| *other == form).count();
    let common = forms.iter().position(|form| count(form) * 2 > forms.len());
    let found = match common {
        Some(index) => lesson(&siblings[index], &[], wanted)
            .filter(|_| siblings.len() > 1)
            .or_else(|| learn_alone(&siblings[index], wanted).filter(|_| siblings.len() == 1)),
        None => match learn_parts(siblings, wanted) {
            Some(lesson) => Some(lesson),
            None => learn_typical(siblings, wanted).map_err(Unlearnt::Values)?,
        },
    };
    found.ok_or_else(|| Unlearnt::Individual(list_forms(siblings, &forms)))
}

/// Returns up to three values of different forms.
fn list_forms(siblings: &[Sibling], forms: &[Vec<String>]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut texts = Vec::new();
    for (sibling, form) in siblings.iter().zip(forms) {
        if !seen.contains(&form) && seen.len() < 3 {
            seen.push(form);
            texts.push(render(sibling, &[], "{hostname}"));
        }
    }
    texts
}

/// Returns the hosts by the names in their values, where most of these have only the ends of the
/// hosts' names: `prod-web = mkHost "web"`. The beginning is also taken from the name of the new
/// host.
fn shorten<'w>(siblings: &[Sibling], wanted: Wanted<'w>) -> Option<(Vec<Sibling>, Wanted<'w>)> {
    let names: Vec<&str> = siblings.iter().map(|one| one.name.as_str()).collect();
    let prefix = common_prefix(&names);
    let has = |one: &Sibling, name: &str| {
        let tokens = abstract_tokens(&one.value, name);
        tokens.iter().any(|token| token.contains(MARK))
    };
    let is_short = |one: &&Sibling| has(one, &one.name[prefix.len()..]) && !has(one, &one.name);
    let count = siblings.iter().filter(is_short).count();
    if prefix.is_empty() || count * 2 <= siblings.len() {
        return None;
    }
    let short = siblings.iter().map(|one| Sibling {
        name: one.name[prefix.len()..].to_owned(),
        ..one.clone()
    });
    let name = wanted.name.strip_prefix(prefix).unwrap_or(wanted.name);
    Some((short.collect(), Wanted { name, ..wanted }))
}

/// Returns whether a value does not name a system of macOS.
fn is_linux(sibling: &Sibling) -> bool {
    let text = sibling.value.text().to_string();
    !text.contains("64-darwin\"")
}

/// Learns from what most hosts have in common, with the first host that needs only omissions.
fn learn_parts(siblings: &[Sibling], wanted: Wanted<'_>) -> Option<Lesson> {
    let compared = &siblings[siblings.len().saturating_sub(MAX_COMPARED)..];
    let peers = as_peers(compared);
    let names_itself = |peer: &&Peer<'_>| peer.tokens().iter().any(|token| token.contains(MARK));
    let name_themselves = peers.iter().filter(names_itself).count() * 2 >= peers.len();
    compared.iter().zip(&peers).find_map(|(sibling, base)| {
        let mut merge = Merge::new(wanted, None, &sibling.indent);
        if !merge.merge_values(base, &peers) {
            return None;
        }
        let mut found = lesson(sibling, &merge.replacements, wanted)?;
        // without a file or a name of its own, it would be the common part of all hosts
        if name_themselves && !wanted.is_file && !found.text.contains(wanted.name) {
            return None;
        }
        if merge.is_assumed {
            found.origin = typical(sibling, Vec::new());
        }
        Some(found)
    })
}

/// Learns from the host that has the most in common with the others. It must name itself, or a file
/// of its own. The error has the attributes that each host has a value of its own of.
fn learn_typical(
    siblings: &[Sibling],
    wanted: Wanted<'_>,
) -> Result<Option<Lesson>, Vec<MissingValue>> {
    if siblings.len() < 2 {
        return Ok(None);
    }
    let compared = &siblings[siblings.len().saturating_sub(MAX_COMPARED)..];
    let compared = most_of_one_function(compared);
    if let ([only], false) = (compared.as_slice(), wanted.is_file)
        && let Some(mut found) = learn_alone(only, wanted)
    {
        found.origin = typical(only, Vec::new());
        return Ok(Some(found));
    }
    let peers = as_peers(&compared);
    let shared = Shared::read(&peers, wanted.is_module());
    let mut bases: Vec<(&Sibling, &Peer<'_>)> = compared.iter().zip(&peers).rev().collect();
    bases.sort_by_key(|(_, peer)| std::cmp::Reverse(shared.rank(peer)));
    let (mut asked, mut nameless) = (Vec::new(), None);
    for (sibling, base) in bases {
        let mut merge = Merge::new(wanted, Some(&shared), &sibling.indent);
        // nobody can guess a value that every host needs
        if !merge.merge_values(base, &peers) || (merge.lacks_part && !wanted.is_file) {
            continue;
        }
        if !merge.missing.is_empty() {
            asked.push(merge.missing);
        } else if let Some(mut found) = lesson(sibling, &merge.replacements, wanted) {
            found.origin = typical(sibling, merge.left_out);
            // without a name or a file of its own, it would be the common part of all hosts
            if wanted.is_file || !shared.name_themselves || found.text.contains(wanted.name) {
                return Ok(Some(found));
            }
            nameless = nameless.or(Some(found));
        }
    }
    match (nameless, asked.into_iter().next()) {
        (None, Some(values)) => Err(values),
        (nameless, _) => Ok(nameless),
    }
}

fn typical(sibling: &Sibling, left_out: Vec<String>) -> Origin {
    Origin::Typical {
        like: sibling.name.clone(),
        left_out,
    }
}

/// Returns the hosts that the most common function makes, or whose values are of the most common
/// kind. Images and installers are no models.
fn most_of_one_function(siblings: &[Sibling]) -> Vec<Sibling> {
    let function = |sibling: &Sibling| {
        let call = cast::<ast::Apply>(&sibling.value);
        let name = call.map(|call| function_text(&call));
        // one of another release: `nixpkgs-unstable.lib.nixosSystem`
        let last = name.map(|name| name.rsplit('.').next().unwrap_or_default().to_owned());
        (sibling.value.kind(), last)
    };
    let machines: Vec<Sibling> = siblings
        .iter()
        .filter(|sibling| !is_image(&sibling.name) && !makes_image(&sibling.value))
        .cloned()
        .collect();
    let siblings = if machines.is_empty() {
        siblings
    } else {
        machines.as_slice()
    };
    let functions: Vec<_> = siblings.iter().map(function).collect();
    let count = |name: &_| functions.iter().filter(|other| *other == name).count();
    let best = functions.iter().rev().max_by_key(|name| count(name));
    let is_best = |sibling: &&Sibling| Some(&function(sibling)) == best;
    siblings.iter().filter(is_best).cloned().collect()
}

fn as_peers(siblings: &[Sibling]) -> Vec<Peer<'_>> {
    let peers = siblings.iter().map(|sibling| Peer {
        name: &sibling.name,
        node: sibling.value.clone(),
    });
    peers.collect()
}

/// Learns from the only host.
fn learn_alone(sibling: &Sibling, wanted: Wanted<'_>) -> Option<Lesson> {
    lesson(sibling, &change_only_host(sibling, wanted)?, wanted)
}

fn lesson(sibling: &Sibling, replacements: &[Replacement], wanted: Wanted<'_>) -> Option<Lesson> {
    let text = render(sibling, replacements, wanted.name);
    // a name in place of another must not change the syntax
    parse_source(&text).ok()?;
    Some(Lesson {
        text,
        origin: Origin::Learnt(sibling.name.clone()),
    })
}

fn render(sibling: &Sibling, replacements: &[Replacement], name: &str) -> String {
    render_node(
        &sibling.value,
        replacements,
        (&sibling.name, name),
        &sibling.indent,
    )
}

/// Returns whether a configuration has the host name of an image or an installer.
fn makes_image(value: &SyntaxNode) -> bool {
    let strings = value.descendants();
    let mut strings = strings.filter(is_host_name);
    strings.any(|node| {
        let string = cast::<ast::Str>(&node);
        let text = string.and_then(|string| literal_string(&string));
        text.is_some_and(|text| is_image(&text))
    })
}
