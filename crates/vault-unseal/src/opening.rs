//! Opening one node with the shares at hand.

use std::{
    thread,
    time::{Duration, Instant},
};

use openbao::{Client, Error, sys, unseal};

use crate::{
    attempts::{Attempts, Set},
    shares::Shares,
};

/// How many sets of shares are tried in one look, and for how long: a node is not hammered, and
/// whoever watches over this thread hears of it.
const TRIES: usize = 20;
const LOOK: Duration = Duration::from_secs(10);
/// How often a set is submitted again where somebody else's shares came between.
const AGAIN: usize = 5;
/// How long a node that took its shares may take to open: one that joins a cluster asks the others.
const OPENS: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It is open, by the first shares, and the others are wrong.
    By { set: Set, wrong: Set },
    /// It took the shares, and is not open yet.
    Soon,
    /// There are fewer shares than it needs.
    TooFew,
    /// Somebody else submits shares, too.
    Disturbed,
    /// No set of the shares opens it.
    None,
    /// None of those tried so far does; there are more.
    NotYet,
}

/// Submits sets of shares until one opens the node. A wrong share spoils the whole set, and OpenBao
/// does not say which one it was; so other sets are tried, each once.
///
/// # Errors
/// What keeps the node from answering.
pub(crate) fn open(
    client: &Client,
    shares: &Shares,
    state: &sys::SealStatus,
    attempts: &mut Attempts,
) -> Result<Opened, Error> {
    if shares.len() < state.threshold {
        return Ok(Opened::TooFew);
    }
    attempts.begin(state.threshold);
    let until = Instant::now() + LOOK;
    for _ in 0..TRIES {
        let next = attempts.next(shares.len());
        let Some(set) = next.filter(|_| !attempts.rests()) else {
            break;
        };
        match offer(client, shares, &set)? {
            Offer::Open => {
                let wrong = attempts.open(&set, shares.len());
                return Ok(Opened::By { set, wrong });
            }
            Offer::Taken => return Ok(Opened::Soon),
            Offer::Disturbed => return Ok(Opened::Disturbed),
            Offer::Refused => attempts.refuse(),
        }
        if Instant::now() >= until {
            break;
        }
    }
    if attempts.next(shares.len()).is_some() && !attempts.rests() {
        return Ok(Opened::NotYet);
    }
    if !attempts.rests() {
        attempts.rest();
    }
    Ok(Opened::None)
}

/// What a node said to one set.
enum Offer {
    Open,
    Taken,
    Refused,
    Disturbed,
}

/// Submits a set, again where somebody else's shares came between: others like this program watch the
/// same node, and what each of them submits adds up.
fn offer(client: &Client, shares: &Shares, set: &[usize]) -> Result<Offer, Error> {
    for _ in 0..AGAIN {
        match submit(client, shares, set)? {
            Offer::Disturbed => {}
            Offer::Taken => return opens(client),
            told => return Ok(told),
        }
        thread::sleep(PAUSE + (PAUSE * 4).mul_f64(fastrand::f64())); // so that two of them do not go in step
        if !sys::seal_status(client)?.sealed {
            return Ok(Offer::Open);
        }
    }
    Ok(Offer::Disturbed)
}

/// Submits a set once. The node must count exactly these shares, under one nonce: else its refusal
/// would be about others' shares, and these may well be right.
fn submit(client: &Client, shares: &Shares, set: &[usize]) -> Result<Offer, Error> {
    if sys::seal_status(client)?.progress > 0 {
        unseal::reset(client)?; // left by somebody; with these it would not open
    }
    let mut nonce = None;
    for (count, place) in (1..).zip(set) {
        let Some(share) = shares.get(*place) else {
            return Ok(Offer::Refused);
        };
        let last = count == set.len();
        match unseal::submit(client, share) {
            Ok(state) if !state.sealed => return Ok(Offer::Open),
            Ok(state) if last && !(1..set.len()).contains(&state.progress) => {
                return Ok(Offer::Taken);
            }
            Ok(state) if last || state.progress != count => return Ok(Offer::Disturbed),
            Ok(state) => {
                if *nonce.get_or_insert_with(|| state.nonce.clone()) != state.nonce {
                    return Ok(Offer::Disturbed);
                }
            }
            Err(Error::Refused { .. }) if last => return Ok(Offer::Refused),
            Err(Error::Refused { .. }) => return Ok(Offer::Disturbed),
            Err(error) => return Err(error),
        }
    }
    Ok(Offer::Taken)
}

/// Waits until a node that took its shares is open.
fn opens(client: &Client) -> Result<Offer, Error> {
    let until = Instant::now() + OPENS;
    while sys::seal_status(client)?.sealed {
        if Instant::now() >= until {
            return Ok(Offer::Taken);
        }
        thread::sleep(PAUSE);
    }
    Ok(Offer::Open)
}
