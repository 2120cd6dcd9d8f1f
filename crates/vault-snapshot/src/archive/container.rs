//! The container of OpenBao's archives: a gzip stream with a tar archive of a few regular files
//! with short names.
//!
//! The `tar` crate reads long names and extended headers whole, however long they claim to be. Here
//! each header is one block, and a member that OpenBao does not write is refused before its content
//! is read.

use std::io::{self, BufRead, ErrorKind, Read, Take};

use flate2::bufread::GzDecoder;
use tar::{EntryType, Header, PaxExtensions};

/// The size of a tar block in bytes.
const BLOCK: usize = 512;
/// The limit of an extended header in bytes: the size of a member beyond 8 GiB takes some 20 bytes.
const EXTENSION: u64 = 1024;

/// The limit of the content's size as a multiple of the stream's: OpenBao's archives are encrypted
/// and hardly shrink.
const RATIO: u64 = 32;
/// The number of bytes by which the content may exceed that.
const SLACK: u64 = 16 << 20;

/// Reads the members of a tar archive, one after the other.
pub(crate) struct MemberReader<R> {
    source: R,
    /// The number of bytes between the last member's content and the next header.
    padding: u64,
}

impl<R: Read> MemberReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, padding: 0 }
    }

    /// Returns the next member's name and a reader of its content, which must be read to its end.
    /// Returns `None` at the end of the archive.
    ///
    /// # Errors
    /// An archive that is damaged, cut short, or not written by OpenBao; errors of the source.
    pub(crate) fn next_member(&mut self) -> io::Result<Option<(String, Take<&mut R>)>> {
        let Some(mut header) = self.read_header()? else {
            return Ok(None);
        };
        let mut size = header.entry_size()?;
        if header.entry_type() == EntryType::XHeader {
            let extended = self.read_extended_size(size)?;
            header = self.read_header()?.ok_or_else(unexpected_member)?;
            size = extended;
        }
        if header.entry_type() != EntryType::Regular {
            return Err(unexpected_member());
        }
        self.padding = padding(size);
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        Ok(Some((name, (&mut self.source).take(size))))
    }

    /// Returns the source behind the members.
    pub(crate) fn into_rest(self) -> R {
        self.source
    }

    /// Reads a header. Returns `None` at the end of the archive.
    fn read_header(&mut self) -> io::Result<Option<Header>> {
        let mut skipped = [0; BLOCK];
        let padding = usize::try_from(self.padding).unwrap_or_default();
        self.source.read_exact(&mut skipped[..padding])?;
        self.padding = 0;
        let mut header = Header::new_old();
        self.source.read_exact(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if header.cksum()? != checksum(header.as_bytes()) {
            return Err(damaged("a header in it does not have its checksum"));
        }
        Ok(Some(header))
    }

    /// Reads an extended header (pax). OpenBao writes it only for the size of a member beyond 8
    /// GiB.
    fn read_extended_size(&mut self, length: u64) -> io::Result<u64> {
        if length > EXTENSION {
            return Err(unexpected_member());
        }
        let mut bytes = Vec::new();
        (&mut self.source).take(length).read_to_end(&mut bytes)?;
        self.padding = padding(length);
        let mut size = None;
        for extension in PaxExtensions::new(&bytes) {
            let extension = extension?;
            let value = extension
                .value()
                .ok()
                .filter(|_| extension.key() == Ok("size"));
            size = Some(
                value
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(unexpected_member)?,
            );
        }
        size.ok_or_else(unexpected_member)
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Returns the sum of a header's bytes, in which the sum's own field counts as spaces.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let others = header[..148].iter().chain(&header[156..]);
    others.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ')
}

/// Reads the content of a gzip stream, and refuses one that is compressed out of proportion: a
/// small archive must not take hours to read.
pub(crate) struct BoundedGzip<R> {
    decoder: GzDecoder<CountingReader<R>>,
    size: u64,
}

impl<R: BufRead> BoundedGzip<R> {
    pub(crate) fn new(stream: R) -> Self {
        let counted = CountingReader {
            inner: stream,
            count: 0,
        };
        Self {
            decoder: GzDecoder::new(counted),
            size: 0,
        }
    }

    /// Returns the stream behind the part that was read.
    pub(crate) fn into_stream(self) -> R {
        self.decoder.into_inner().inner
    }
}

impl<R: BufRead> Read for BoundedGzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(buffer)?;
        self.size += length as u64;
        let limit = SLACK.saturating_add(self.decoder.get_ref().count.saturating_mul(RATIO));
        if self.size > limit {
            return Err(damaged("it is compressed far more than OpenBao's can be"));
        }
        Ok(length)
    }
}

/// A reader that counts the bytes taken from it.
struct CountingReader<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}

impl<R: BufRead> BufRead for CountingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.inner.consume(amount);
    }
}

/// Returns the error for a member that OpenBao does not write.
pub(crate) fn unexpected_member() -> io::Error {
    damaged("it holds a part that OpenBao does not write")
}

/// Returns the error for a damaged archive.
pub(crate) fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
