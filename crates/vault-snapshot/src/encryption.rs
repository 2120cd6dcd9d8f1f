//! Encryption of snapshots with age, before they leave the host.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

use age::{
    Decryptor, Encryptor, Identity,
    stream::{StreamReader, StreamWriter},
    x25519,
};
use zts_cli::{Failure, read_text};

use crate::digest::{Digest, DigestStream};

/// The prefix of age's secret keys.
const IDENTITY_PREFIX: &str = "AGE-SECRET-KEY-";

/// The limit of a snapshot's recipients.
pub(crate) const MAX_RECIPIENTS: usize = 50;
/// The limit of an encrypted snapshot's header in bytes, of which each recipient takes some 100.
const MAX_HEADER: usize = 8 << 10;

/// The age recipients of a snapshot. Without any, it is not encrypted.
#[derive(Clone, Default)]
pub(crate) struct Recipients {
    keys: Vec<x25519::Recipient>,
}

impl Recipients {
    /// Parses age's public keys.
    ///
    /// # Errors
    /// A text is no age recipient, or there are too many.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Failure> {
        let keys = texts.iter().map(|text| {
            if text.trim().to_ascii_uppercase().starts_with(IDENTITY_PREFIX) {
                return Err(
                    Failure::usage("the value of `--age-recipient` is an age identity, which opens snapshots")
                        .hint("give its recipient, which `age-keygen -y` prints; other users may have seen the identity in the command"),
                );
            }
            text.trim().parse().map_err(|why| {
                Failure::usage(format!("`{text}` is no age recipient: {why}"))
                    .hint("a recipient begins with `age1`; `age-keygen` prints it")
            })
        });
        let mut keys: Vec<x25519::Recipient> = keys.collect::<Result<_, _>>()?;
        keys.sort_by_key(ToString::to_string);
        keys.dedup_by_key(|key| key.to_string());
        if keys.len() > MAX_RECIPIENTS {
            return Err(Failure::usage(format!(
                "there are {} age recipients, and a snapshot can have {MAX_RECIPIENTS}",
                keys.len()
            ))
            .hint("let several people share an identity"));
        }
        Ok(Self { keys })
    }

    /// Returns their texts.
    pub(crate) fn to_texts(&self) -> Vec<String> {
        self.keys.iter().map(ToString::to_string).collect()
    }
}

/// A writer of an archive's file, encrypted where there are recipients.
pub(crate) enum ArchiveWriter<'a> {
    Plain(&'a File),
    Encrypted(Box<StreamWriter<DigestStream<&'a File>>>),
}

impl<'a> ArchiveWriter<'a> {
    pub(crate) fn new(file: &'a File, recipients: &Recipients) -> io::Result<Self> {
        if recipients.keys.is_empty() {
            return Ok(Self::Plain(file));
        }
        let keys = recipients.keys.iter();
        let encryptor = Encryptor::with_recipients(keys.map(|key| key as &dyn age::Recipient))
            .map_err(io::Error::other)?;
        let stream = encryptor.wrap_output(DigestStream::new(file))?;
        Ok(Self::Encrypted(Box::new(stream)))
    }

    /// Finishes the file, which would otherwise be cut short where it is encrypted. Returns the
    /// digest of the encrypted file.
    pub(crate) fn finish(self) -> io::Result<Option<Digest>> {
        match self {
            Self::Plain(_) => Ok(None),
            Self::Encrypted(stream) => Ok(Some(stream.finish()?.finish().1)),
        }
    }
}

impl Write for ArchiveWriter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(buffer),
            Self::Encrypted(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

/// A reader of the content of an encrypted file.
pub(crate) type DecryptedReader<R> = StreamReader<BufReader<BoundedHeader<R>>>;

/// A reader of an encrypted file that limits its header: age reads a header whole, and parses it
/// again for each line.
pub(crate) struct BoundedHeader<R> {
    inner: R,
    left: usize,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for BoundedHeader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.get() {
            return self.inner.read(buffer);
        }
        let limit = buffer.len().min(self.left);
        if limit == 0 && !buffer.is_empty() {
            let why = "its header is longer than a snapshot's can be";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let length = self.inner.read(&mut buffer[..limit])?;
        self.left -= length;
        Ok(length)
    }
}

/// Returns whether these are the first bytes of an encrypted file.
pub(crate) fn is_encrypted(beginning: &[u8]) -> bool {
    beginning.starts_with(b"age-encryption.org/")
}

/// The age identities that open encrypted snapshots.
#[derive(Default)]
pub(crate) struct Identities {
    keys: Vec<x25519::Identity>,
}

impl Identities {
    /// Reads age's identity files.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no identity.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for path in files {
            keys.extend(read_identities(path)?);
        }
        Ok(Self { keys })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns a reader of OpenBao's archive in the stored file of a snapshot.
    ///
    /// # Errors
    /// It is encrypted, and none of the identities opens it.
    pub(crate) fn open_archive<'a>(
        &self,
        stored: impl Read + 'a,
        encrypted: bool,
    ) -> Result<Box<dyn Read + 'a>, Failure> {
        Ok(if encrypted {
            Box::new(self.decrypt(stored)?)
        } else {
            Box::new(stored)
        })
    }

    /// Returns a reader of OpenBao's archive in an encrypted snapshot.
    ///
    /// # Errors
    /// None of the identities opens it.
    pub(crate) fn decrypt<R: Read>(&self, encrypted: R) -> Result<DecryptedReader<R>, Failure> {
        let failed = |cause: age::DecryptError| match cause {
            age::DecryptError::NoMatchingKeys => {
                Failure::failed("none of the given age identities opens the snapshot")
                    .hint("its recipients are in the file beside it (`encrypted_to`)")
            }
            cause => Failure::failed(format!("the snapshot cannot be decrypted: {cause}")),
        };
        let keys = self.keys.iter().map(|key| key as &dyn Identity);
        let header_ended = Rc::new(Cell::new(false));
        let bounded = BoundedHeader {
            inner: encrypted,
            left: MAX_HEADER,
            ended: Rc::clone(&header_ended),
        };
        let decryptor = Decryptor::new_buffered(BufReader::new(bounded)).map_err(failed)?;
        header_ended.set(true);
        decryptor.decrypt(keys).map_err(failed)
    }
}

fn read_identities(path: &Path) -> Result<Vec<x25519::Identity>, Failure> {
    let shown = path.display();
    let text = read_text(path)?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Result<Vec<x25519::Identity>, _> = lines.map(str::parse).collect();
    // The parser's message could show a part of the file.
    keys.ok().filter(|keys| !keys.is_empty()).ok_or_else(|| {
        Failure::usage(format!("`{shown}` holds no age identity"))
            .hint("`age-keygen` makes one: a line that begins with `AGE-SECRET-KEY-1`")
    })
}
