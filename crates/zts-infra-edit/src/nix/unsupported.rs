//! The errors for flakes that cannot be edited safely, with the edit to make by hand.

use std::rc::Rc;

use rnix::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::abstraction::rename_segments;
use super::expression::has_token;
use super::files::SourceFile;
use super::flake_hosts::{FlakeHosts, HostEntry, HostSet, Obstacle};
use super::individual::is_image;
use super::name::format_name;
use super::parse::node_range;
use crate::error::{Error, FileError, ManualEdit, Position};
use crate::text::reindent;

/// The reason for a set with the hosts of each system, where no text shows these.
pub(super) const SET_FOR_EACH_SYSTEM: &str = "it has a set for each system";

/// A folder of hosts, for an instruction.
pub(super) struct FolderToCopy {
    pub(super) folder: String,
    /// One of the hosts.
    pub(super) like: String,
    /// The files outside of the folder with the names of most hosts.
    pub(super) naming: Vec<String>,
}

/// Returns the error for a shape that cannot be edited.
pub(super) fn unsupported_shape(source: &str, node: &SyntaxNode, problem: &str) -> Error {
    unsupported(source, node, problem, "edit it by hand")
}

/// Returns the error for hosts that cannot be listed.
pub(super) fn cannot_list(source: &str, output: &[&str], obstacle: &Obstacle) -> Error {
    let problem = format!("cannot read `{}`: {}", output.join("."), obstacle.reason);
    unsupported(
        source,
        &obstacle.node,
        &problem,
        "write the hosts out as a set",
    )
}

fn unsupported(source: &str, node: &SyntaxNode, problem: &str, instruction: &str) -> Error {
    Error::Unsupported {
        problem: problem.to_owned(),
        position: Position::at(source, node_range(node).start),
        manual_edit: ManualEdit::Other(instruction.to_owned()),
    }
}

/// Returns the error for a host that cannot be added, with the lines to add.
pub(super) fn cannot_add(
    source: &str,
    found: &FlakeHosts,
    output: &[&str],
    host: &str,
    value: &str,
) -> Error {
    let output = output.join(".");
    let problem = |reason: &str| format!("cannot add `{host}` to `{output}`: {reason}");
    match found.obstacles.first() {
        Some(obstacle) => Error::Unsupported {
            problem: problem(&obstacle.reason),
            position: Position::at(source, node_range(&obstacle.node).start),
            manual_edit: addition_by_hand(source, obstacle, &output, host, value),
        },
        None => Error::Unsupported {
            problem: problem("no set is found that can take it"),
            position: Position { line: 1, column: 1 },
            manual_edit: ManualEdit::Add {
                lines: format_entry(host, value, &format!("{output}."), ""),
                place: "to the set of outputs".to_owned(),
            },
        },
    }
}

/// Returns the instruction for hosts in a file of data, which is not edited.
pub(super) fn add_to_data_by_hand(file: &str) -> ManualEdit {
    ManualEdit::Other(format!(
        "add the host to `{file}` by hand, then run the same command again with `--enroll`"
    ))
}

/// Returns the instruction for hosts that are read from a folder in a way that the text does not
/// show.
pub(super) fn copy_folder_by_hand(
    copy: &FolderToCopy,
    file: Option<&(String, String)>,
    host: &str,
) -> ManualEdit {
    let FolderToCopy {
        folder,
        like,
        naming,
    } = copy;
    let naming: Vec<String> = naming.iter().map(|file| format!("`{file}`")).collect();
    let named = match naming.as_slice() {
        [] => String::new(),
        files => format!(", add `{host}` beside `{like}` in {}", files.join(", ")),
    };
    let inside = format!("{folder}/");
    let file = file.filter(|(_, copy)| !copy.starts_with(&inside));
    let written = file.map_or_else(String::new, |(like, copy)| {
        format!(", write `{copy}` like `{like}`")
    });
    ManualEdit::Other(format!(
        "the hosts seem to be the folders in `{folder}`: make `{folder}/{host}` by hand like \
         `{folder}/{like}`{named}{written}, then run `create-host --hostname {host} --enroll`"
    ))
}

/// Returns the instruction for hosts that are made in files of their own in a way that the text
/// does not show.
pub(super) fn copy_file_by_hand(like: &str, copy: &str, host: &str) -> ManualEdit {
    ManualEdit::Other(format!(
        "write `{copy}` by hand like `{like}`, with the files that it names, then run \
         `create-host --hostname {host} --enroll`"
    ))
}

/// Returns the error for a file that makes hosts in a way that the flake does not show.
pub(super) fn hosts_elsewhere(host: &str, output: &[&str]) -> Error {
    let output = output.join(".");
    Error::Unsupported {
        problem: format!(
            "cannot add `{host}` to `{output}`: this file makes hosts, and the flake does not show which"
        ),
        position: Position { line: 1, column: 1 },
        manual_edit: ManualEdit::Other(format!(
            "add `{host}` by hand where this file gets its hosts from"
        )),
    }
}

/// Returns the lines that add a host in spite of the obstacle, and their place.
fn addition_by_hand(
    source: &str,
    obstacle: &Obstacle,
    output: &str,
    host: &str,
    value: &str,
) -> ManualEdit {
    let range = node_range(&obstacle.node);
    let (lines, place) = match &obstacle.prefix {
        None => {
            let instruction = "write it as `{ outputs = inputs: { … }; }`";
            return ManualEdit::Other(instruction.to_owned());
        }
        // `//` replaces an inner set as a whole, so it is only right for the hosts themselves.
        Some(prefix) if !prefix.is_empty() => {
            let line = Position::at(source, range.start).line;
            let place = format!("to the set that the expression in line {line} makes");
            (format_entry(host, value, prefix, ""), place)
        }
        Some(_) if obstacle.reason != SET_FOR_EACH_SYSTEM && can_precede_update(&obstacle.node) => {
            let entry = format_entry(host, value, "", "  ");
            let end = Position::at(source, range.end);
            let place = format!("after the expression that ends at {end}");
            (format!("// {{\n  {entry}\n}}"), place)
        }
        Some(_) => {
            let place = format!("to the set that `{output}` is made from");
            (format_entry(host, value, "", ""), place)
        }
    };
    ManualEdit::Add { lines, place }
}

/// Formats an entry, its further lines after `indent`.
fn format_entry(host: &str, value: &str, prefix: &str, indent: &str) -> String {
    let value = reindent(value, indent, "\n", &[]);
    format!("{prefix}{} = {value};", format_name(host, false))
}

/// Returns whether `//` can follow the expression without parentheses.
fn can_precede_update(node: &SyntaxNode) -> bool {
    matches!(
        node.kind(),
        SyntaxKind::NODE_APPLY
            | SyntaxKind::NODE_IDENT
            | SyntaxKind::NODE_SELECT
            | SyntaxKind::NODE_PAREN
            | SyntaxKind::NODE_ATTR_SET
    )
}

/// Returns the error for a host that a computed part of the flake names.
pub(super) fn cannot_remove(
    found: &FlakeHosts,
    output: &[&str],
    host: &str,
    place: impl Fn(&SyntaxNode) -> Rc<SourceFile>,
) -> Option<FileError> {
    let obstacle = found
        .obstacles
        .iter()
        .find(|obstacle| names_host(&obstacle.node, host))?;
    let problem = format!(
        "cannot remove `{host}` from `{}`: {}",
        output.join("."),
        obstacle.reason
    );
    let instruction = format!("remove `{host}` from this expression by hand");
    let file = place(&obstacle.node);
    Some(FileError {
        file: file.path.clone(),
        error: unsupported(&file.text, &obstacle.node, &problem, &instruction),
    })
}

/// Returns whether `node` contains `host` as a string or as the name of an attribute, not as a
/// variable.
fn names_host(node: &SyntaxNode, host: &str) -> bool {
    has_token(node, host, |token| match token.kind() {
        SyntaxKind::TOKEN_STRING_CONTENT => true,
        SyntaxKind::TOKEN_IDENT => is_attribute_name(token),
        _ => false,
    })
}

/// Returns whether an identifier is the name of an attribute that is defined or inherited.
fn is_attribute_name(identifier: &SyntaxToken) -> bool {
    let around: Vec<SyntaxKind> = identifier
        .parent_ancestors()
        .skip(1)
        .take(2)
        .map(|node| node.kind())
        .collect();
    matches!(
        around.as_slice(),
        [SyntaxKind::NODE_INHERIT, ..]
            | [SyntaxKind::NODE_ATTRPATH, SyntaxKind::NODE_ATTRPATH_VALUE]
    )
}

/// Returns the error for a set in a file that is another host's alone.
pub(super) fn file_of_one_host(
    found: &FlakeHosts,
    set: &HostSet,
    place: &SourceFile,
    name: &str,
) -> Option<Error> {
    let hosts = found.hosts.iter();
    let all = hosts.filter(|host| host.container == set.container);
    let all: Vec<&HostEntry> = all.collect();
    let is_machine = |host: &&&HostEntry| !is_image(&host.name);
    let machines: Vec<&HostEntry> = all.iter().filter(is_machine).copied().collect();
    let hosts = if machines.is_empty() { all } else { machines };
    let mut hosts = hosts.into_iter();
    let (only, rest) = (hosts.next()?, hosts.next());
    let own = rename_segments(&place.path, &only.name, name);
    let root = |host: &HostEntry| host.container.ancestors().last();
    let mut files: Vec<_> = found.hosts.iter().map(root).collect();
    files.dedup();
    if rest.is_some() || (own == place.path && files.len() < 3) {
        return None;
    }
    let position = Position::at(&place.text, node_range(&only.entry).start);
    let own = if own == place.path {
        format!("a file for `{name}`")
    } else {
        format!("`{own}`")
    };
    Some(Error::Unsupported {
        problem: format!("cannot add `{name}` here: each host has a file of its own"),
        position,
        manual_edit: ManualEdit::Other(format!(
            "write {own} by hand like `{}`, with the files beside it",
            place.path
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_names_the_folder_the_lists_and_the_file() {
        let copy = FolderToCopy {
            folder: "hosts".to_owned(),
            like: "otter".to_owned(),
            naming: vec!["addresses.nix".to_owned()],
        };
        let instruction = |file: &str| {
            let file = ("outputs/otter.nix".to_owned(), file.to_owned());
            let ManualEdit::Other(text) = copy_folder_by_hand(&copy, Some(&file), "web01") else {
                panic!("it is a text");
            };
            text
        };
        assert_eq!(
            instruction("outputs/web01.nix"),
            "the hosts seem to be the folders in `hosts`: make `hosts/web01` by hand like \
             `hosts/otter`, add `web01` beside `otter` in `addresses.nix`, write \
             `outputs/web01.nix` like `outputs/otter.nix`, then run `create-host --hostname web01 \
             --enroll`"
        );
        // a file in the folder is copied with it
        assert!(!instruction("hosts/web01/default.nix").contains("write"));
    }
}
