//! An archive on its way from one end to another: looked into meanwhile, by a thread of its own, so that neither
//! waits for the other. Memory stays flat whatever its size.

use std::{
    io::{self, PipeWriter, Read, Write},
    thread,
};

use crate::archive::{self, Archive};

/// How much is handed on at a time, in bytes.
const PIECE: u64 = 64 << 10;

/// What became of an archive.
pub(crate) struct Inspected {
    /// What it says of itself, or what is wrong with it.
    pub(crate) archive: io::Result<Archive>,
    /// What kept it from being read or written to its end, if anything did.
    pub(crate) trouble: Option<Trouble>,
}

/// Which end failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Reading.
    From(io::Error),
    /// Writing.
    To(io::Error),
}

/// Reads an archive from `source` to its end, writes it to `to`, and compares it with its own digests. Ends where
/// it turns out to be damaged.
///
/// # Errors
/// The system has no room for a pipe.
pub(crate) fn inspect(source: impl Read, to: impl Write) -> io::Result<Inspected> {
    let (end, beginning) = io::pipe()?;
    thread::scope(|scope| {
        let look = move || archive::check(end);
        let looking = thread::Builder::new().spawn_scoped(scope, look)?;
        let trouble = hand_on(source, to, beginning).err();
        let archive = looking
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("it could not be looked into")));
        Ok(Inspected { archive, trouble })
    })
}

/// Closes `beginning` when it returns: who reads from it must know.
fn hand_on(
    mut source: impl Read,
    mut to: impl Write,
    mut beginning: PipeWriter,
) -> Result<(), Trouble> {
    let mut piece = Vec::new();
    loop {
        piece.clear();
        // Full pieces: small ones would wake the other thread for nothing. Before an error, what came is there.
        let read = source.by_ref().take(PIECE).read_to_end(&mut piece);
        to.write_all(&piece).map_err(Trouble::To)?;
        if beginning.write_all(&piece).is_err() {
            return Ok(()); // nobody reads on: it is damaged
        }
        if read.map_err(Trouble::From)? == 0 {
            return Ok(());
        }
    }
}
