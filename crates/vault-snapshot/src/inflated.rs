//! The content of a gzip stream, as long as it is in proportion to the stream.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use crate::members::damaged;

/// How many times longer than its stream the content may be: what is in OpenBao's archives is encrypted, and hardly
/// shrinks.
const LONGEST: u64 = 32;
/// How much longer it may be besides, in bytes.
const SLACK: u64 = 16 << 20;

/// Reads the content of a gzip stream. One that grows beyond proportion is refused: a small archive must not take
/// hours to read.
pub(crate) struct Inflated<R> {
    decoder: GzDecoder<Counted<R>>,
    size: u64,
}

impl<R: BufRead> Inflated<R> {
    pub(crate) fn new(stream: R) -> Self {
        let counted = Counted {
            inner: stream,
            count: 0,
        };
        Self {
            decoder: GzDecoder::new(counted),
            size: 0,
        }
    }

    /// Returns the stream, behind what was read of it.
    pub(crate) fn into_stream(self) -> R {
        self.decoder.into_inner().inner
    }
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(buffer)?;
        self.size += length as u64;
        let most = SLACK.saturating_add(self.decoder.get_ref().count.saturating_mul(LONGEST));
        if self.size > most {
            return Err(damaged("it is compressed far more than OpenBao's can be"));
        }
        Ok(length)
    }
}

/// Counts what is taken from a reader.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.inner.consume(amount);
    }
}
