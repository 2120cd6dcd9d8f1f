//! SHA-256 of what flows by.

use std::{
    cell::Cell,
    fmt::Write as _,
    io::{self, Read, Write},
    rc::Rc,
};

use ring::digest::{Context, SHA256};

/// Counts and digests what is read or written through it.
pub(crate) struct Digesting<T> {
    inner: T,
    context: Context,
    size: u64,
}

/// How much flowed by, and its SHA-256 (hex).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

impl<T> Digesting<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            context: Context::new(&SHA256),
            size: 0,
        }
    }

    /// What it was given, and the digest of what flowed by.
    pub(crate) fn finish(self) -> (T, Digest) {
        let digest = Digest {
            size: self.size,
            sha256: hex(self.context.finish().as_ref()),
        };
        (self.inner, digest)
    }

    /// Returns the SHA-256 (hex) of what flowed by so far.
    fn sha256(&self) -> String {
        hex(self.context.clone().finish().as_ref())
    }

    fn note(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<T: Read> Read for Digesting<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.note(&buffer[..length]);
        Ok(length)
    }
}

impl<T: Write> Write for Digesting<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(buffer)?;
        self.note(&buffer[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How much [`Attested`] reads at a time, in bytes.
const PIECE: u64 = 64 << 10;

/// Reads what has a known digest, and withholds the last piece of anything else. A receiver that needs the whole
/// never gets one that was replaced after it was checked.
pub(crate) struct Attested<R> {
    source: Digesting<R>,
    expected: Digest,
    piece: Vec<u8>,
    taken: usize,
    replaced: Rc<Cell<bool>>,
}

impl<R: Read> Attested<R> {
    /// Returns a reader of `source`, which must have the digest `expected`.
    pub(crate) fn new(source: R, expected: Digest) -> Self {
        Self {
            source: Digesting::new(source),
            expected,
            piece: Vec::new(),
            taken: 0,
            replaced: Rc::default(),
        }
    }

    /// Returns what becomes true when the source turns out to be something else.
    pub(crate) fn replaced(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.replaced)
    }

    fn next_piece(&mut self) -> io::Result<()> {
        self.taken = 0;
        self.piece.clear();
        let left = self.expected.size - self.source.size;
        if left == 0 {
            return Ok(());
        }
        let mut piece = Vec::new();
        (&mut self.source)
            .take(left.min(PIECE))
            .read_to_end(&mut piece)?;
        let complete = self.source.size == self.expected.size;
        if piece.is_empty() || complete && self.source.sha256() != self.expected.sha256 {
            self.replaced.set(true);
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is no longer what it was when it was checked",
            ));
        }
        self.piece = piece;
        Ok(())
    }
}

impl<R: Read> Read for Attested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            self.next_piece()?;
        }
        let left = &self.piece[self.taken..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.taken += length;
        Ok(length)
    }
}

/// The SHA-256 (hex) of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// Bytes as people write them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_is_not_given_whole() {
        for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let content = vec![7; size];
            let expected = Digest {
                size: size as u64,
                sha256: sha256(&content),
            };
            let read = |content: &[u8]| {
                let mut given = Vec::new();
                let read = Attested::new(content, expected.clone()).read_to_end(&mut given);
                (read.is_ok(), given)
            };
            assert_eq!(read(&content), (true, content.clone()));
            let longer = [content.as_slice(), b"more"].concat();
            assert_eq!(read(&longer), (true, content.clone()));
            for place in [0, size / 2, size.saturating_sub(1)] {
                let mut other = content.clone();
                let Some(byte) = other.get_mut(place) else {
                    continue;
                };
                *byte = 8;
                let (whole, given) = read(&other);
                assert!(!whole && given.len() < size, "{size} {place}");
                assert!(!read(&content[..place]).0);
            }
        }
    }
}
