//! The place of a new host.

use rnix::{SyntaxKind, SyntaxNode, ast};

use super::flake_hosts::{FlakeHosts, HostEntry, HostSet, SetKind};
use super::parse::{cast, node_range, untyped};
use super::scope::list_entries;
use crate::layout::{Block, Insertion, Separator, Slot, Syntax, slot_in_order};

const SYNTAX: Syntax = Syntax {
    empty: " ",
    separator: Separator::Blank,
};

/// The place of a new host, and the notation of its name.
pub(super) struct HostInsertion {
    pub(super) insertion: Insertion,
    /// The text before the name, such as `nixosConfigurations.`.
    pub(super) prefix: String,
    /// True if the name is quoted like the others, even if it need not be.
    pub(super) quoted: bool,
}

/// Chooses the place of `host`; `None` if no set can take it.
pub(super) fn choose_insertion(
    source: &str,
    found: &FlakeHosts,
    set: Option<&HostSet>,
    host: &str,
) -> Option<HostInsertion> {
    match (set, &found.first_host_set) {
        (Some(set), _) => insertion_in_set(source, found, set, host),
        (None, Some(first)) if found.obstacles.is_empty() => {
            let block = layout_block(source, &first.container)?;
            let all: Vec<usize> = (0..block.entries.len()).collect();
            let slot = all.last().map_or(Slot::Empty, |&last| Slot::After(last));
            let insertion = block.insertion(slot, block.is_spaced(&all));
            Some(HostInsertion {
                insertion,
                prefix: first.prefix.clone(),
                quoted: false,
            })
        }
        _ => None,
    }
}

fn insertion_in_set(
    source: &str,
    found: &FlakeHosts,
    set: &HostSet,
    host: &str,
) -> Option<HostInsertion> {
    let block = layout_block(source, &set.container)?;
    let existing: Vec<(&HostEntry, usize)> = found
        .hosts
        .iter()
        .filter(|host| host.container == set.container && is_dotted(host) == (set.is_dotted()))
        .filter_map(|host| Some((host, index_of(&block, &host.entry)?)))
        .collect();
    let named: Vec<(&str, usize)> = existing
        .iter()
        .filter(|(host, _)| host.value.is_some() || set.kind == SetKind::List)
        .map(|(host, index)| (host.name.as_str(), *index))
        .collect();
    let computed = computed_entries(found, set);
    let mut indexes: Vec<usize> = if set.is_dotted() {
        let computed = computed.iter();
        let computed = computed.filter_map(|(entry, _)| index_of(&block, entry));
        let named = existing.iter().map(|(_, index)| *index);
        named
            .chain(computed.filter(|_| existing.is_empty()))
            .collect()
    } else {
        (0..block.entries.len()).collect()
    };
    indexes.dedup();
    let last = indexes
        .last()
        .map_or(Slot::Empty, |&last| Slot::After(last));
    let slot = slot_in_order(&named, host).unwrap_or(last);
    Some(HostInsertion {
        insertion: block.insertion(slot, block.is_spaced(&indexes)),
        prefix: match existing.last() {
            _ if !set.is_dotted() => String::new(),
            Some((host, _)) => name_prefix(source, host),
            None => {
                let (entry, attribute) = computed.last()?;
                source[node_range(entry).start..node_range(attribute).start].to_owned()
            }
        },
        quoted: !existing.is_empty() && existing.iter().all(|(host, _)| is_quoted(host)),
    })
}

/// Returns the entries of a set whose names are computed, with these names:
/// `nixosConfigurations.${host} = …`.
fn computed_entries(found: &FlakeHosts, set: &HostSet) -> Vec<(SyntaxNode, SyntaxNode)> {
    let names = found.obstacles.iter().map(|obstacle| &obstacle.node);
    let entries = names.filter_map(|name| {
        let path = name
            .parent()
            .filter(|path| cast::<ast::Attrpath>(path).is_some())?;
        let entry = path.parent()?;
        (entry.parent().as_ref() == Some(&set.container)).then(|| (entry, name.clone()))
    });
    entries.collect()
}

/// Returns whether the name of a host is a string.
fn is_quoted(host: &HostEntry) -> bool {
    matches!(
        host.attribute.kind(),
        SyntaxKind::NODE_STRING | SyntaxKind::NODE_DYNAMIC
    )
}

fn is_dotted(host: &HostEntry) -> bool {
    host.entry.kind() == SyntaxKind::NODE_ATTRPATH_VALUE
        && node_range(&host.entry).start < node_range(&host.attribute).start
}

/// Returns the text before the name of a dotted host.
fn name_prefix(source: &str, host: &HostEntry) -> String {
    source[node_range(&host.entry).start..node_range(&host.attribute).start].to_owned()
}

fn index_of(block: &Block<'_>, entry: &SyntaxNode) -> Option<usize> {
    let wanted = node_range(entry);
    block.entries.iter().position(|range| *range == wanted)
}

/// Returns the layout of a set, `let` or list.
pub(super) fn layout_block<'a>(source: &'a str, container: &SyntaxNode) -> Option<Block<'a>> {
    let delimiter = |kind: SyntaxKind| {
        container
            .children_with_tokens()
            .filter_map(rnix::NodeOrToken::into_token)
            .find(|token| token.kind() == kind)
            .map(|token| token.text_range())
    };
    let (open, close) = match container.kind() {
        SyntaxKind::NODE_LET_IN => (
            delimiter(SyntaxKind::TOKEN_LET)?,
            delimiter(SyntaxKind::TOKEN_IN)?,
        ),
        SyntaxKind::NODE_LIST => (
            delimiter(SyntaxKind::TOKEN_L_BRACK)?,
            delimiter(SyntaxKind::TOKEN_R_BRACK)?,
        ),
        _ => (
            delimiter(SyntaxKind::TOKEN_L_BRACE)?,
            delimiter(SyntaxKind::TOKEN_R_BRACE)?,
        ),
    };
    let elements = cast::<ast::List>(container).map(|list| list.items().collect::<Vec<_>>());
    let entries: Vec<SyntaxNode> = match elements {
        Some(elements) => elements.iter().map(untyped).collect(),
        None => list_entries(container).iter().map(untyped).collect(),
    };
    Some(Block {
        source,
        inner: open.end().into()..close.start().into(),
        entries: entries.iter().map(node_range).collect(),
        syntax: SYNTAX,
    })
}
