//! The value of a new host's entry, learnt from the other hosts.
//!
//! The host's name is replaced in each value. The most common form is the new one, if more than
//! half of the hosts share it. Otherwise the parts are compared: a part that more than half of the
//! hosts have stays, and one that only some have is left out. Where every host has another value,
//! that of the most typical host stays, unless it is of one machine: a number, a key, a file.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{
    MARK, Replacement, Wanted, abstract_tokens, own_address, parse_ip, rename_path,
    rename_segments, render_node,
};
use super::discovery::is_folder_of_others;
use super::expression::{function_text, literal_string};
use super::files::is_nix_file;
use super::individual::{Shared, is_hardware, is_image, is_key};
use super::members::{Peer, indent_of};
use super::merge::Merge;
use super::origin::Origin;
use super::parse::{cast, node_range, parse_source};
use super::settings::{is_address_of_host, is_deployed, is_host_name};
use super::short_names::common_prefix;

/// A host with its value.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) name: String,
    pub(super) value: SyntaxNode,
    /// The path between the name and the value: empty, or such as `.modules`.
    pub(super) tail: String,
    /// The indentation of the entry.
    pub(super) indent: String,
}

/// A value, and its origin.
#[derive(Debug)]
pub(super) struct Lesson {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The limit of hosts whose parts are compared.
const MAX_COMPARED: usize = 30;

/// Learns the value of a host; the forms of the others as an error, if they have too little in
/// common.
pub(super) fn learn_value(siblings: &[Sibling], wanted: Wanted<'_>) -> Result<Lesson, Vec<String>> {
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
        None => learn_parts(siblings, wanted).or_else(|| learn_typical(siblings, wanted)),
    };
    found.ok_or_else(|| {
        let mut seen = Vec::new();
        let mut texts = Vec::new();
        for (sibling, form) in siblings.iter().zip(&forms) {
            if !seen.contains(&form) && seen.len() < 3 {
                seen.push(form);
                texts.push(render(sibling, &[], "{hostname}"));
            }
        }
        texts
    })
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
    compared.iter().zip(&peers).find_map(|(sibling, base)| {
        let mut merge = Merge::new(wanted, None, &sibling.indent);
        if !merge.merge_values(base, &peers) {
            return None;
        }
        let mut found = lesson(sibling, &merge.replacements, wanted)?;
        if merge.is_assumed {
            found.origin = typical(sibling, Vec::new());
        }
        Some(found)
    })
}

/// Learns from the host that has the most in common with the others. It must name itself, or a file
/// of its own.
fn learn_typical(siblings: &[Sibling], wanted: Wanted<'_>) -> Option<Lesson> {
    if siblings.len() < 2 {
        return None;
    }
    let compared = &siblings[siblings.len().saturating_sub(MAX_COMPARED)..];
    let compared = most_of_one_function(compared);
    if let ([only], false) = (compared.as_slice(), wanted.is_file)
        && let Some(mut found) = learn_alone(only, wanted)
    {
        found.origin = typical(only, Vec::new());
        return Some(found);
    }
    let peers = as_peers(&compared);
    let shared = Shared::read(&peers, wanted.is_module());
    let mut bases: Vec<(&Sibling, &Peer<'_>)> = compared.iter().zip(&peers).rev().collect();
    bases.sort_by_key(|(_, peer)| std::cmp::Reverse(shared.rank(peer)));
    bases.into_iter().find_map(|(sibling, base)| {
        let mut merge = Merge::new(wanted, Some(&shared), &sibling.indent);
        // nobody can guess a value that every host needs
        if !merge.merge_values(base, &peers) || (merge.lacks_part && !wanted.is_file) {
            return None;
        }
        let mut found = lesson(sibling, &merge.replacements, wanted)?;
        found.origin = typical(sibling, merge.left_out);
        Some(found)
    })
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

/// Learns from the only host. A value of its own cannot be told from a value of all hosts, so its
/// address is replaced where an attribute says that it is one, and another address is refused.
fn learn_alone(sibling: &Sibling, wanted: Wanted<'_>) -> Option<Lesson> {
    let mut replacements = Vec::new();
    for string in sibling
        .value
        .descendants()
        .filter_map(|node| cast::<ast::Str>(&node))
    {
        let text = literal_string(&string).unwrap_or_default();
        let node = super::parse::untyped(&string);
        if wanted.is_file && is_key(&text) {
            replacements.extend(leave_out_entry(&node));
            continue;
        }
        let is_target = is_address_of_host(&node) && is_deployed(&sibling.value);
        let is_target = is_target && !text.contains(&sibling.name);
        let is_individual = parse_ip(&text).is_some() || is_hardware(&text) || is_target;
        if !is_individual {
            continue;
        }
        Some(())
            .filter(|()| is_target || (parse_ip(&text).is_some() && is_address_of_host(&node)))?;
        let own = own_address(text.contains('/'), wanted.address)?;
        replacements.push(Replacement {
            range: node_range(&node),
            text: format!("\"{own}\""),
        });
    }
    replacements.extend(own_files(sibling, wanted));
    replacements.extend(add_module(sibling, wanted, &replacements));
    replacements.extend(keep_shared_files(sibling));
    lesson(sibling, &replacements, wanted)
}

/// Returns the replacement that leaves out an attribute by its value: the key of one machine.
fn leave_out_entry(value: &SyntaxNode) -> Option<Replacement> {
    let entry = value.parent()?;
    cast::<ast::AttrpathValue>(&entry)?;
    Some(Replacement {
        range: node_range(&entry),
        text: String::new(),
    })
}

/// Returns the replacement that adds the host's own module to those of a host that has none with
/// its name.
fn add_module(
    sibling: &Sibling,
    wanted: Wanted<'_>,
    others: &[Replacement],
) -> Option<Replacement> {
    let call = cast::<ast::Apply>(&sibling.value)?;
    let tokens = abstract_tokens(&sibling.value, &sibling.name);
    let names_itself = tokens.iter().any(|token| token.contains(MARK));
    let is_own =
        |one: &Replacement| one.text.contains(wanted.module) || one.text.contains(wanted.name);
    let is_nixos = function_text(&call).ends_with("nixosSystem");
    if !is_nixos || names_itself || wanted.module.is_empty() || others.iter().any(is_own) {
        return None;
    }
    let entries = sibling.value.descendants();
    let mut entries = entries.filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let modules = entries.find_map(|entry| match (entry.attrpath()?, entry.value()?) {
        (path, ast::Expr::List(list)) if path.to_string() == "modules" => Some(list),
        _ => None,
    })?;
    let first = super::parse::untyped(&modules.items().next()?);
    let indent = indent_of(&first);
    let inner = indent.strip_prefix(sibling.indent.as_str());
    let between = if modules.to_string().contains('\n') {
        format!("\n{}", inner.unwrap_or_default())
    } else {
        " ".to_owned()
    };
    Some(Replacement {
        range: node_range(&first),
        text: format!("{}{between}{first}", wanted.module),
    })
}

/// Returns the replacements that keep the files with the only host's name as a word of theirs: no
/// other host tells that they are its own.
fn keep_shared_files(sibling: &Sibling) -> impl Iterator<Item = Replacement> {
    let nodes = sibling.value.descendants();
    let is_word = |node: &SyntaxNode| {
        let path = node.to_string();
        let is_whole = rename_segments(&path, &sibling.name, MARK) != path;
        let has_word = rename_path(&path, &sibling.name, MARK) != path;
        cast::<ast::PathRel>(node).is_some() && has_word && !is_whole
    };
    nodes.filter(is_word).map(|node| Replacement {
        range: node_range(&node),
        text: node.to_string(),
    })
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

/// Returns the replacement of an only host's configuration, in files without its name, by that of
/// the new host. The host's other files are left out.
fn own_files(sibling: &Sibling, wanted: Wanted<'_>) -> Vec<Replacement> {
    let paths: Vec<SyntaxNode> = sibling
        .value
        .descendants()
        .filter(|node| cast::<ast::PathRel>(node).is_some())
        .collect();
    let has_name = |node: &SyntaxNode| {
        let path = node.to_string();
        rename_segments(&path, &sibling.name, MARK) != path
    };
    if paths.iter().any(has_name) {
        return Vec::new();
    }
    if let [only] = paths.as_slice()
        && let Some(beside) = own_file_beside(only, wanted.name)
    {
        return vec![beside];
    }
    let is_own = |node: &&SyntaxNode| is_own_name(&node.to_string());
    let own = paths.iter().filter(is_own).enumerate();
    own.map(|(index, node)| Replacement {
        range: node_range(node),
        text: if index == 0 {
            wanted.module.to_owned()
        } else {
            String::new()
        },
    })
    .collect()
}

/// Returns whether a file has the name of a machine's own settings.
fn is_own_name(path: &str) -> bool {
    const OWN: [&str; 4] = [
        "configuration.nix",
        "hardware-configuration.nix",
        "hardware.nix",
        "disko.nix",
    ];
    OWN.contains(&path.rsplit('/').next().unwrap_or_default())
}

/// Returns the replacement of an only host's only file, whatever its name, by one beside it. A
/// folder of modules is of all hosts.
fn own_file_beside(only: &SyntaxNode, name: &str) -> Option<Replacement> {
    let path = only.to_string();
    let (folder, file) = path.rsplit_once('/')?;
    let is_own = is_nix_file(file) && !is_own_name(&path) && !is_folder_of_others(folder);
    (is_own && file != "default.nix").then(|| Replacement {
        range: node_range(only),
        text: format!("{folder}/{name}.nix"),
    })
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
