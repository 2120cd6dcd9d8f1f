//! SHA-256 digests of streams.

use std::{
    cell::Cell,
    fmt::Write as _,
    io::{self, Read, Write},
    rc::Rc,
};

use ring::digest::{Context, SHA256};

/// A reader or writer that computes the size and the SHA-256 of all that passes through it.
pub(crate) struct DigestStream<T> {
    inner: T,
    context: Context,
    size: u64,
}

/// The size in bytes and the SHA-256 (hex) of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

impl<T> DigestStream<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            context: Context::new(&SHA256),
            size: 0,
        }
    }

    /// Returns the inner stream and the digest of all that passed.
    pub(crate) fn finish(self) -> (T, Digest) {
        let digest = Digest {
            size: self.size,
            sha256: hex(self.context.finish().as_ref()),
        };
        (self.inner, digest)
    }

    /// Returns the SHA-256 (hex) of all that has passed so far.
    fn sha256(&self) -> String {
        hex(self.context.clone().finish().as_ref())
    }

    fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<T: Read> Read for DigestStream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.update(&buffer[..length]);
        Ok(length)
    }
}

impl<T: Write> Write for DigestStream<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(buffer)?;
        self.update(&buffer[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The number of bytes that [`VerifyingReader`] reads at a time.
const CHUNK: u64 = 64 << 10;

/// A reader of a stream whose digest is known. It withholds the last chunk of any other stream, so
/// that a receiver never gets the whole of a file that was replaced after its verification.
pub(crate) struct VerifyingReader<R> {
    source: DigestStream<R>,
    expected: Digest,
    chunk: Vec<u8>,
    consumed: usize,
    mismatch: Rc<Cell<bool>>,
}

impl<R: Read> VerifyingReader<R> {
    /// Returns a reader of `source`, which must have the digest `expected`.
    pub(crate) fn new(source: R, expected: Digest) -> Self {
        Self {
            source: DigestStream::new(source),
            expected,
            chunk: Vec::new(),
            consumed: 0,
            mismatch: Rc::default(),
        }
    }

    /// Returns a flag that becomes true when the digest turns out to differ.
    pub(crate) fn mismatch(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.mismatch)
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        self.consumed = 0;
        self.chunk.clear();
        let left = self.expected.size - self.source.size;
        if left == 0 {
            return Ok(());
        }
        let mut chunk = Vec::new();
        (&mut self.source)
            .take(left.min(CHUNK))
            .read_to_end(&mut chunk)?;
        let complete = self.source.size == self.expected.size;
        if chunk.is_empty() || complete && self.source.sha256() != self.expected.sha256 {
            self.mismatch.set(true);
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it has changed since it was verified",
            ));
        }
        self.chunk = chunk;
        Ok(())
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.consumed == self.chunk.len() {
            self.next_chunk()?;
        }
        let left = &self.chunk[self.consumed..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.consumed += length;
        Ok(length)
    }
}

/// Returns the SHA-256 of `bytes` in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// Formats bytes in hex.
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
    fn a_replaced_stream_is_not_passed_on_whole() {
        for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let content = vec![7; size];
            let expected = Digest {
                size: size as u64,
                sha256: sha256(&content),
            };
            let read = |content: &[u8]| {
                let mut given = Vec::new();
                let read = VerifyingReader::new(content, expected.clone()).read_to_end(&mut given);
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
                let (ok, given) = read(&other);
                assert!(!ok && given.len() < size, "{size} {place}");
                assert!(!read(&content[..place]).0);
            }
        }
    }
}
