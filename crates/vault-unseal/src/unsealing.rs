//! Unseals one node with the key shares.

use std::{
    thread,
    time::{Duration, Instant},
};

use zts_openbao::{Client, Error, sys, unseal};

use crate::{
    attempts::{Attempts, ShareSet},
    shares::KeyShares,
};

/// The limits for the sets that are tried in one probe: their number and the time. They bound the
/// load on the node, and the thread shows that it is alive after each probe.
const MAX_SETS_PER_PROBE: usize = 20;
const MAX_TIME_PER_PROBE: Duration = Duration::from_secs(10);
/// The attempts to submit a set while another client submits shares, too.
const MAX_SUBMISSIONS: usize = 5;
/// The time that a node may take to unseal after the last share: one that joins a cluster asks the
/// others.
const UNSEAL_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// The result of unsealing a node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnsealResult {
    /// `set` unsealed it. The shares in `wrong` do not belong to it.
    Unsealed { set: ShareSet, wrong: ShareSet },
    /// It accepted the shares, and is still sealed.
    Pending,
    /// There are fewer shares than its threshold.
    TooFewShares,
    /// Another client submits shares, too.
    Disturbed,
    /// It refused all sets.
    AllRefused,
    /// It refused the sets so far, and there are more.
    SomeRefused,
}

/// Submits sets of shares until one unseals the node. OpenBao refuses a set with a wrong share and
/// does not say which one is wrong, so other sets are tried, each once.
///
/// # Errors
/// The node does not answer.
pub(crate) fn unseal_node(
    client: &Client,
    shares: &KeyShares,
    state: &sys::SealStatus,
    attempts: &mut Attempts,
) -> Result<UnsealResult, Error> {
    if shares.len() < state.threshold {
        return Ok(UnsealResult::TooFewShares);
    }
    attempts.prepare(state.threshold);
    let until = Instant::now() + MAX_TIME_PER_PROBE;
    for _ in 0..MAX_SETS_PER_PROBE {
        let next = attempts.next_set(shares.len());
        let Some(set) = next.filter(|_| !attempts.is_paused()) else {
            break;
        };
        match submit_set(client, shares, &set)? {
            Submission::Unsealed => {
                let wrong = attempts.record_success(&set, shares.len());
                return Ok(UnsealResult::Unsealed { set, wrong });
            }
            Submission::Accepted => return Ok(UnsealResult::Pending),
            Submission::Disturbed => return Ok(UnsealResult::Disturbed),
            Submission::Refused => attempts.record_refusal(),
        }
        if Instant::now() >= until {
            break;
        }
    }
    if attempts.next_set(shares.len()).is_some() && !attempts.is_paused() {
        return Ok(UnsealResult::SomeRefused);
    }
    if !attempts.is_paused() {
        attempts.start_pause();
    }
    Ok(UnsealResult::AllRefused)
}

/// The node's answer to one set.
enum Submission {
    Unsealed,
    Accepted,
    Refused,
    Disturbed,
}

/// Submits a set, and repeats it if another client submitted shares meanwhile. OpenBao counts the
/// shares of all clients together, such as those of several unsealers.
fn submit_set(client: &Client, shares: &KeyShares, set: &[usize]) -> Result<Submission, Error> {
    for _ in 0..MAX_SUBMISSIONS {
        match submit_set_once(client, shares, set)? {
            Submission::Disturbed => {}
            Submission::Accepted => return wait_until_unsealed(client),
            submission => return Ok(submission),
        }
        // a random time, so that two unsealers do not repeat at the same time
        thread::sleep(PAUSE + (PAUSE * 4).mul_f64(fastrand::f64()));
        if !sys::seal_status(client)?.sealed {
            return Ok(Submission::Unsealed);
        }
    }
    Ok(Submission::Disturbed)
}

/// Submits a set once. The node must count exactly these shares, with one nonce. Otherwise its
/// refusal may be about shares of another client.
fn submit_set_once(
    client: &Client,
    shares: &KeyShares,
    set: &[usize],
) -> Result<Submission, Error> {
    if sys::seal_status(client)?.progress > 0 {
        unseal::reset_shares(client)?; // removes the shares that another client left
    }
    let mut nonce = None;
    for (count, index) in (1..).zip(set) {
        let Some(share) = shares.get(*index) else {
            return Ok(Submission::Refused);
        };
        let last = count == set.len();
        match unseal::submit_share(client, share) {
            Ok(state) if !state.sealed => return Ok(Submission::Unsealed),
            Ok(state) if last && !(1..set.len()).contains(&state.progress) => {
                return Ok(Submission::Accepted);
            }
            Ok(state) if last || state.progress != count => return Ok(Submission::Disturbed),
            Ok(state) => {
                if *nonce.get_or_insert_with(|| state.nonce.clone()) != state.nonce {
                    return Ok(Submission::Disturbed);
                }
            }
            Err(Error::Refused { .. }) if last => return Ok(Submission::Refused),
            Err(Error::Refused { .. }) => return Ok(Submission::Disturbed),
            Err(error) => return Err(error),
        }
    }
    Ok(Submission::Accepted)
}

/// Waits until a node that accepted its shares is unsealed.
fn wait_until_unsealed(client: &Client) -> Result<Submission, Error> {
    let until = Instant::now() + UNSEAL_TIMEOUT;
    while sys::seal_status(client)?.sealed {
        if Instant::now() >= until {
            return Ok(Submission::Accepted);
        }
        thread::sleep(PAUSE);
    }
    Ok(Submission::Unsealed)
}
