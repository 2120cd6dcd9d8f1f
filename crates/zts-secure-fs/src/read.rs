//! Files read up to a limit.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// A limit above the size of any file that people write and of the programs' own files: settings,
/// flakes, keys, certificates.
pub const LARGEST_TEXT: u64 = 4 << 20;

/// The error of a file that exceeds its limit, within the [`io::Error`] that the readers return.
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

/// Reads a whole file of at most `limit` bytes. Checks its size first, so a larger file is not
/// read. A file without a size (`/dev/zero`) is read up to the limit.
///
/// # Errors
/// The system's errors, and [`TooLarge`].
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_file_bounded(File::open(path)?, limit)
}

/// Opens a file to read it and its metadata, which are then of the same file even if another
/// process replaces it. Does not wait for the writer of a named pipe.
///
/// # Errors
/// The system's errors.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}

/// Reads an open file as [`read_bounded`] does.
///
/// # Errors
/// As [`read_bounded`].
pub fn read_file_bounded(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, TooLarge { limit });
    let size = file.metadata()?.len();
    if size > limit {
        return Err(too_large());
    }
    // one byte more: a buffer that grows is copied, and a secret stays in the old one
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
    decode_text(read_bounded(path, limit)?)
}

/// Returns the text of a file.
///
/// # Errors
/// Text that is not UTF-8 ([`io::ErrorKind::InvalidData`]).
pub fn decode_text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_byte_too_many_is_refused() {
        let folder = zts_testkit::scratch_dir();
        let path = folder.join("file");
        fs::write(&path, [b'a'; 1024]).unwrap();
        assert_eq!(read_bounded(&path, 1024).unwrap().len(), 1024);
        let error = read_bounded(&path, 1023).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1023 bytes");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_file_without_an_end_is_refused() {
        let error = read_text_bounded(Path::new("/dev/zero"), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 MiB");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let folder = zts_testkit::scratch_dir();
        let path = folder.join("file");
        fs::write(&path, b"\xff").unwrap();
        let error = read_text_bounded(&path, 10).unwrap_err();
        assert_eq!(error.to_string(), "it is not valid UTF-8");
    }
}
