//! Chooses where a new host goes.

use rnix::{SyntaxKind, SyntaxNode};

use super::found::{Found, Host, Site};
use super::parse::range;
use super::scope;
use crate::layout::{Block, Place, Slot, Syntax};
use crate::order;

const SYNTAX: Syntax = Syntax {
    empty: " ",
    commas: false,
};

/// Where a new host goes and how it is written there.
pub(super) struct Plan {
    pub(super) place: Place,
    /// What stands before the name, such as `nixosConfigurations.`.
    pub(super) prefix: String,
    /// Whether the name is quoted though it need not be, as the others are.
    pub(super) quoted: bool,
}

/// Plans the addition of `host`; `None` where no set can take it.
pub(super) fn plan(source: &str, found: &Found, host: &str) -> Option<Plan> {
    match (found.last_site(), &found.opening) {
        (Some(site), _) => plan_in_site(source, found, site, host),
        (None, Some(opening)) if found.obstacles.is_empty() => {
            let block = block(source, &opening.container)?;
            let all: Vec<usize> = (0..block.entries.len()).collect();
            let slot = all.last().map_or(Slot::Empty, |&last| Slot::After(last));
            let place = block.place(slot, block.is_spaced(&all));
            Some(Plan {
                place,
                prefix: opening.prefix.clone(),
                quoted: false,
            })
        }
        _ => None,
    }
}

fn plan_in_site(source: &str, found: &Found, site: &Site, host: &str) -> Option<Plan> {
    let block = block(source, &site.container)?;
    let there: Vec<(&Host, usize)> = found
        .hosts
        .iter()
        .filter(|host| host.container == site.container && is_dotted(host) == site.dotted)
        .filter_map(|host| Some((host, index_of(&block, &host.entry)?)))
        .collect();
    let named: Vec<(&str, usize)> = there
        .iter()
        .filter(|(host, _)| host.value.is_some())
        .map(|(host, index)| (host.name.as_str(), *index))
        .collect();
    let mut indexes: Vec<usize> = if site.dotted {
        there.iter().map(|(_, index)| *index).collect()
    } else {
        (0..block.entries.len()).collect()
    };
    indexes.dedup();
    let last = indexes
        .last()
        .map_or(Slot::Empty, |&last| Slot::After(last));
    let slot = order::slot(&named, host).unwrap_or(last);
    let is_string = |host: &Host| {
        matches!(
            host.attribute.kind(),
            SyntaxKind::NODE_STRING | SyntaxKind::NODE_DYNAMIC
        )
    };
    Some(Plan {
        place: block.place(slot, block.is_spaced(&indexes)),
        prefix: if site.dotted {
            prefix(source, there.last()?.0)
        } else {
            String::new()
        },
        quoted: !there.is_empty() && there.iter().all(|(host, _)| is_string(host)),
    })
}

fn is_dotted(host: &Host) -> bool {
    host.entry.kind() == SyntaxKind::NODE_ATTRPATH_VALUE
        && range(&host.entry).start < range(&host.attribute).start
}

/// What stands before the name of a dotted host.
fn prefix(source: &str, host: &Host) -> String {
    source[range(&host.entry).start..range(&host.attribute).start].to_owned()
}

fn index_of(block: &Block<'_>, entry: &SyntaxNode) -> Option<usize> {
    let wanted = range(entry);
    block.entries.iter().position(|range| *range == wanted)
}

/// The entries of a set or `let` with their delimiters.
pub(super) fn block<'a>(source: &'a str, container: &SyntaxNode) -> Option<Block<'a>> {
    let delimiter = |kinds: [SyntaxKind; 2]| {
        container
            .children_with_tokens()
            .filter_map(rnix::NodeOrToken::into_token)
            .find(|token| kinds.contains(&token.kind()))
            .map(|token| token.text_range())
    };
    let (open, close) = match container.kind() {
        SyntaxKind::NODE_LET_IN => (
            delimiter([SyntaxKind::TOKEN_LET; 2])?,
            delimiter([SyntaxKind::TOKEN_IN; 2])?,
        ),
        _ => (
            delimiter([SyntaxKind::TOKEN_L_BRACE; 2])?,
            delimiter([SyntaxKind::TOKEN_R_BRACE; 2])?,
        ),
    };
    let entries = scope::entries(container);
    Some(Block {
        source,
        inner: open.end().into()..close.start().into(),
        entries: entries
            .iter()
            .map(|entry| range(&super::parse::node(entry)))
            .collect(),
        syntax: SYNTAX,
    })
}
