//! Snapshots encrypted to people with age, before they leave the host.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use age::{
    Decryptor, Encryptor, Identity,
    stream::{StreamReader, StreamWriter},
    x25519,
};
use cli::Failure;

use crate::{
    digest::{Digest, Digesting},
    metadata::Metadata,
};

/// How age's secret keys begin.
const IDENTITY: &str = "AGE-SECRET-KEY-";

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
        metadata: &Metadata,
    ) -> Result<Box<dyn Read + 'a>, Failure> {
        Ok(if metadata.is_encrypted() {
            Box::new(self.open(stored)?)
        } else {
            Box::new(stored)
        })
    }

    /// OpenBao's archive in an encrypted snapshot.
    ///
    /// # Errors
    /// None of the identities opens it.
    pub(crate) fn open<R: Read>(&self, encrypted: R) -> Result<StreamReader<R>, Failure> {
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
        Decryptor::new(encrypted)
            .and_then(|decryptor| decryptor.decrypt(keys))
            .map_err(failed)
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
