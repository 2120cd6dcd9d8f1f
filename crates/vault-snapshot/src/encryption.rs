//! Snapshots encrypted to people with age, before they leave the host.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
    rc::Rc,
};

use age::{
    Decryptor, Encryptor, Identity,
    stream::{StreamReader, StreamWriter},
    x25519,
};
use cli::Failure;

use crate::digest::{Digest, Digesting};

/// How age's secret keys begin.
const IDENTITY: &str = "AGE-SECRET-KEY-";

/// How many recipients a snapshot may have.
pub(crate) const MOST_RECIPIENTS: usize = 50;
/// The longest header of an encrypted snapshot, in bytes: each recipient takes some 100.
const LONGEST_HEADER: usize = 8 << 10;

/// Whom a snapshot is encrypted to; nobody for an empty list.
#[derive(Clone, Default)]
pub(crate) struct Recipients {
    keys: Vec<x25519::Recipient>,
}

impl Recipients {
    /// Reads age's public keys.
    ///
    /// # Errors
    /// A text that is none.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Failure> {
        let keys = texts.iter().map(|text| {
            if text.trim().to_ascii_uppercase().starts_with(IDENTITY) {
                return Err(
                    Failure::usage("what `--age-recipient` names is an age identity, which opens snapshots")
                        .hint("name its recipient, which `age-keygen -y` prints; the identity has been seen by who reads commands"),
                );
            }
            text.trim().parse().map_err(|why| {
                Failure::usage(format!("`{text}` is no age recipient: {why}"))
                    .hint("it begins with `age1`; `age-keygen` prints it")
            })
        });
        let mut keys: Vec<x25519::Recipient> = keys.collect::<Result<_, _>>()?;
        keys.sort_by_key(ToString::to_string);
        keys.dedup_by_key(|key| key.to_string());
        if keys.len() > MOST_RECIPIENTS {
            return Err(Failure::usage(format!(
                "there are {} age recipients, and a snapshot can have {MOST_RECIPIENTS}",
                keys.len()
            ))
            .hint("let several people share an identity"));
        }
        Ok(Self { keys })
    }

    /// Their texts, for the description beside the snapshot.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.keys.iter().map(ToString::to_string).collect()
    }
}

/// Writes to a file, encrypted where there are recipients.
pub(crate) enum Sink<'a> {
    Plain(&'a File),
    Encrypted(Box<StreamWriter<Digesting<&'a File>>>),
}

impl<'a> Sink<'a> {
    /// Begins to write.
    pub(crate) fn open(file: &'a File, recipients: &Recipients) -> io::Result<Self> {
        if recipients.keys.is_empty() {
            return Ok(Self::Plain(file));
        }
        let keys = recipients.keys.iter();
        let encryptor = Encryptor::with_recipients(keys.map(|key| key as &dyn age::Recipient))
            .map_err(io::Error::other)?;
        let stream = encryptor.wrap_output(Digesting::new(file))?;
        Ok(Self::Encrypted(Box::new(stream)))
    }

    /// Ends the writing: without it, what is encrypted is cut short. Gives the digest of what the file got, where
    /// that is not what was written.
    pub(crate) fn finish(self) -> io::Result<Option<Digest>> {
        match self {
            Self::Plain(_) => Ok(None),
            Self::Encrypted(stream) => Ok(Some(stream.finish()?.finish().1)),
        }
    }
}

impl Write for Sink<'_> {
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

/// A reader of what is encrypted in a file.
pub(crate) type Opened<R> = StreamReader<BufReader<Headed<R>>>;

/// Reads an encrypted file, whose header must end within some kilobytes: age reads a header whole, and parses it anew
/// for each line.
pub(crate) struct Headed<R> {
    inner: R,
    left: usize,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Headed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.get() {
            return self.inner.read(buffer);
        }
        let most = buffer.len().min(self.left);
        if most == 0 && !buffer.is_empty() {
            let why = "its header is longer than that of any snapshot";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let length = self.inner.read(&mut buffer[..most])?;
        self.left -= length;
        Ok(length)
    }
}

/// Whether an encrypted file begins so.
pub(crate) fn is_encrypted(beginning: &[u8]) -> bool {
    beginning.starts_with(b"age-encryption.org/")
}

/// Who can read encrypted snapshots.
#[derive(Default)]
pub(crate) struct Identities {
    keys: Vec<x25519::Identity>,
}

impl Identities {
    /// Reads age's identity files.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no identity.
    pub(crate) fn read(files: &[std::path::PathBuf]) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for path in files {
            keys.extend(read_identities(path)?);
        }
        Ok(Self { keys })
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// OpenBao's archive in what is stored of a snapshot.
    ///
    /// # Errors
    /// It is encrypted, and none of the identities opens it.
    pub(crate) fn archive<'a>(
        &self,
        stored: impl Read + 'a,
        encrypted: bool,
    ) -> Result<Box<dyn Read + 'a>, Failure> {
        Ok(if encrypted {
            Box::new(self.open(stored)?)
        } else {
            Box::new(stored)
        })
    }

    /// OpenBao's archive in an encrypted snapshot.
    ///
    /// # Errors
    /// None of the identities opens it.
    pub(crate) fn open<R: Read>(&self, encrypted: R) -> Result<Opened<R>, Failure> {
        let failed = |cause: age::DecryptError| {
            match cause {
            age::DecryptError::NoMatchingKeys => {
                Failure::failed("no age identity that was given opens the snapshot").hint(
                    "the recipients that it is encrypted to stand in the file beside it (`encrypted_to`)",
                )
            }
            cause => Failure::failed(format!("the snapshot cannot be decrypted: {cause}")),
        }
        };
        let keys = self.keys.iter().map(|key| key as &dyn Identity);
        let header_ended = Rc::new(Cell::new(false));
        let headed = Headed {
            inner: encrypted,
            left: LONGEST_HEADER,
            ended: Rc::clone(&header_ended),
        };
        let decryptor = Decryptor::new_buffered(BufReader::new(headed)).map_err(failed)?;
        header_ended.set(true);
        decryptor.decrypt(keys).map_err(failed)
    }
}

fn read_identities(path: &Path) -> Result<Vec<x25519::Identity>, Failure> {
    let shown = path.display();
    // Longer than any list of keys: `/dev/zero` has no end.
    let mut text = zeroize::Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(1 << 20).read_to_string(&mut text))
        .map_err(|cause| Failure::usage(format!("`{shown}` could not be read: {cause}")))?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Result<Vec<x25519::Identity>, _> = lines.map(str::parse).collect();
    // The message could show a part of the file.
    keys.ok().filter(|keys| !keys.is_empty()).ok_or_else(|| {
        Failure::usage(format!("`{shown}` holds no age identity"))
            .hint("`age-keygen` makes one: a line that begins with `AGE-SECRET-KEY-1`")
    })
}
