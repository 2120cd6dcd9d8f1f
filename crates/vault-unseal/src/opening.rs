//! Opening one node with the shares at hand.

use std::collections::HashSet;

use itertools::Itertools;
use openbao::{Client, Error, sys, unseal};

use crate::shares::Shares;

/// How many sets of shares are tried in one look: a node whose shares are wrong is not hammered.
const TRIES: usize = 20;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It is open, by the shares with these numbers (from 1 on).
    By(Vec<usize>),
    /// There are fewer shares than it needs.
    TooFew { needed: usize },
    /// No set of the shares opens it.
    None,
    /// None of those tried so far does; there are more.
    NotYet,
}

/// The sets of shares that a node refused.
pub(crate) type Refused = HashSet<Vec<usize>>;

/// Submits sets of shares until one opens the node. A wrong share spoils the whole set, and OpenBao
/// does not say which one it was; so other sets are tried, each once.
///
/// # Errors
/// What keeps the node from answering.
pub(crate) fn open(
    client: &Client,
    shares: &Shares,
    state: &sys::SealStatus,
    refused: &mut Refused,
) -> Result<Opened, Error> {
    let needed = state.threshold;
    if shares.len() < needed {
        return Ok(Opened::TooFew { needed });
    }
    let sets = (0..shares.len()).combinations(needed);
    let untried: Vec<_> = sets
        .filter(|set| !refused.contains(set))
        .take(TRIES + 1)
        .collect();
    for set in untried.iter().take(TRIES) {
        if opens(client, shares, set)? {
            return Ok(Opened::By(set.iter().map(|place| place + 1).collect()));
        }
        refused.insert(set.clone());
    }
    Ok(if untried.len() > TRIES {
        Opened::NotYet
    } else {
        Opened::None
    })
}

/// Whether this set opens the node. What others submitted before would mix with it, and is dropped.
fn opens(client: &Client, shares: &Shares, set: &[usize]) -> Result<bool, Error> {
    if sys::seal_status(client)?.progress > 0 {
        unseal::reset(client)?;
    }
    for share in set.iter().filter_map(|place| shares.get(*place)) {
        match unseal::submit(client, share) {
            Ok(state) if !state.sealed => return Ok(true),
            Ok(_) => {}
            Err(Error::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(!sys::seal_status(client)?.sealed)
}
