//! The value of a new host, from that of the only host of a fleet.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{
    MARK, Replacement, Wanted, abstract_tokens, own_address, parse_ip, rename_path, rename_segments,
};
use super::discovery::is_name_of_hosts;
use super::expression::{function_text, literal_string};
use super::files::is_nix_file;
use super::folders::is_folder_of_others;
use super::individual::{is_hardware, is_key};
use super::lesson::Sibling;
use super::members::indent_of;
use super::parse::{cast, node_range};
use super::settings::{is_address_of_host, is_deployed, is_of_disks};

/// Returns the changes of the only host's value for a new host. A value of its own cannot be told
/// from a value of all hosts. Its address is replaced where an attribute says that it is one, and
/// another address is refused.
pub(super) fn change_only_host(sibling: &Sibling, wanted: Wanted<'_>) -> Option<Vec<Replacement>> {
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
        if let Some(disks) = entry_of_disks(&node).filter(|_| wanted.is_file) {
            replacements.push(disks);
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
    Some(replacements)
}

/// Returns the replacement that leaves out the setting of disks around a value.
fn entry_of_disks(value: &SyntaxNode) -> Option<Replacement> {
    let is_setting = |node: &SyntaxNode| {
        let path = cast::<ast::AttrpathValue>(node).and_then(|entry| entry.attrpath());
        path.is_some_and(|path| is_of_disks(&path.to_string()))
    };
    let entry = value.ancestors().find(is_setting)?;
    Some(Replacement {
        range: node_range(&entry),
        text: String::new(),
    })
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

/// Returns the replacement of an only host's only file or folder, whatever its name, by one beside
/// it. A
/// folder of modules is of all hosts.
fn own_file_beside(only: &SyntaxNode, name: &str) -> Option<Replacement> {
    let path = only.to_string();
    let (folder, file) = path.rsplit_once('/')?;
    let parent = folder.rsplit('/').next().unwrap_or_default();
    let is_folder = !file.contains('.') && is_name_of_hosts(parent);
    let is_own = is_nix_file(file) && !is_own_name(&path) && file != "default.nix";
    let extension = if is_folder { "" } else { ".nix" };
    ((is_own || is_folder) && !is_folder_of_others(folder)).then(|| Replacement {
        range: node_range(only),
        text: format!("{folder}/{name}{extension}"),
    })
}
