//! Files read up to a limit.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// More than any file that people write, and than any of our programs' own: settings, flakes, keys,
/// certificates.
pub const LARGEST_TEXT: u64 = 4 << 20;

/// A file with more bytes than it may have; in the [`io::Error`] that the readers return.
#[derive(Debug)]
pub struct TooLarge {
    limit: u64,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "it is larger than {}", Size(self.limit))
    }
}

impl std::error::Error for TooLarge {}

struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 20) == 0 => write!(formatter, "{} MiB", bytes >> 20),
            bytes if bytes % (1 << 10) == 0 => write!(formatter, "{} KiB", bytes >> 10),
            bytes => write!(formatter, "{bytes} bytes"),
        }
    }
}

/// Reads a whole file of at most `limit` bytes. Its size is looked at first, so a larger one costs
/// nothing; one that does not say how large it is (`/dev/zero`) is read up to the limit.
///
/// # Errors
/// The system's errors, and [`TooLarge`].
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, TooLarge { limit });
    let size = file.metadata()?.len();
    if size > limit {
        return Err(too_large());
    }
    // one more, lest the buffer is copied and the old one left behind with a secret in it
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(content)
}

/// Reads a whole text file of at most `limit` bytes.
///
/// # Errors
/// As [`read_bounded`], and text that is not UTF-8 ([`io::ErrorKind::InvalidData`]).
pub fn read_text_bounded(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_bounded(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_byte_too_many_is_refused() {
        let folder = testkit::scratch_dir();
        let path = folder.join("file");
        fs::write(&path, [b'a'; 1024]).unwrap();
        assert_eq!(read_bounded(&path, 1024).unwrap().len(), 1024);
        let error = read_bounded(&path, 1023).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1023 bytes");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let error = read_text_bounded(Path::new("/dev/zero"), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 MiB");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let folder = testkit::scratch_dir();
        let path = folder.join("file");
        fs::write(&path, b"\xff").unwrap();
        let error = read_text_bounded(&path, 10).unwrap_err();
        assert_eq!(error.to_string(), "it is not valid UTF-8");
    }
}
