//! The members of a tar archive as OpenBao writes it: a few regular files with short names.
//!
//! The `tar` crate reads long names and extended headers whole, however long they claim to be. Here each header is
//! one block, and whatever OpenBao does not write is refused before anything of it is read.

use std::io::{self, ErrorKind, Read, Take};

use tar::{EntryType, Header, PaxExtensions};

/// The size of a tar block in bytes.
const BLOCK: usize = 512;
/// The longest extended header that is read: the size of a member beyond 8 GiB takes some 20 bytes.
const LONGEST_EXTENSION: u64 = 1024;

/// Reads the members of a tar archive, one after the other.
pub(crate) struct Members<R> {
    source: R,
    /// The bytes between the last member's content and the next header.
    padding: u64,
}

impl<R: Read> Members<R> {
    /// Returns the members of the archive that `source` gives.
    pub(crate) fn new(source: R) -> Self {
        Self { source, padding: 0 }
    }

    /// Returns the next member's name, and a reader of its content, which must be read to its end; `None` at the
    /// end of the archive.
    ///
    /// # Errors
    /// An archive that is damaged, cut short, or not one that OpenBao writes; what the source gives.
    pub(crate) fn next_member(&mut self) -> io::Result<Option<(String, Take<&mut R>)>> {
        let Some(mut header) = self.header()? else {
            return Ok(None);
        };
        let mut size = header.entry_size()?;
        if header.entry_type() == EntryType::XHeader {
            let extended = self.extended_size(size)?;
            header = self.header()?.ok_or_else(foreign)?;
            size = extended;
        }
        if header.entry_type() != EntryType::Regular {
            return Err(foreign());
        }
        self.padding = padding(size);
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        Ok(Some((name, (&mut self.source).take(size))))
    }

    /// Returns what is left of the source.
    pub(crate) fn into_rest(self) -> R {
        self.source
    }

    /// Reads a header; `None` where the archive ends.
    fn header(&mut self) -> io::Result<Option<Header>> {
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
            return Err(damaged("a header in it is not what its checksum says"));
        }
        Ok(Some(header))
    }

    /// Reads an extended header (pax), of which OpenBao writes only the size of a member beyond 8 GiB.
    fn extended_size(&mut self, length: u64) -> io::Result<u64> {
        if length > LONGEST_EXTENSION {
            return Err(foreign());
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
                    .ok_or_else(foreign)?,
            );
        }
        size.ok_or_else(foreign)
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// The sum of a header's bytes, in which the sum itself counts as spaces.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let others = header[..148].iter().chain(&header[156..]);
    others.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ')
}

/// Returns the error for a member that OpenBao does not write.
pub(crate) fn foreign() -> io::Error {
    damaged("it holds something that OpenBao's do not")
}

/// Returns an error that says what is wrong with the archive.
pub(crate) fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
