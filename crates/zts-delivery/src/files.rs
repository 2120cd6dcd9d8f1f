//! The files of a secret's version.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};
use rustix::fs::Mode;
use zeroize::Zeroizing;

use crate::Ownership;

/// A set of files: their names, contents and ownership.
#[derive(Clone, Default)]
pub struct Files {
    contents: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// The ownership of the files that have another one than the secret.
    ownership: BTreeMap<String, Ownership>,
    /// The parts of the declaration that shape the files.
    shape: String,
}

impl fmt::Debug for Files {
    /// Shows only the names, because the contents are secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.contents.keys()).finish()
    }
}

impl From<BTreeMap<String, Zeroizing<Vec<u8>>>> for Files {
    /// Creates a set in which all files have the secret's ownership.
    fn from(contents: BTreeMap<String, Zeroizing<Vec<u8>>>) -> Self {
        Self {
            contents,
            ownership: BTreeMap::new(),
            shape: String::new(),
        }
    }
}

impl Files {
    /// Adds a file.
    pub(crate) fn insert(&mut self, name: String, content: Zeroizing<Vec<u8>>) {
        self.contents.insert(name, content);
    }

    /// Sets the ownership of the files that have another one than the secret.
    pub(crate) fn set_ownership(&mut self, ownership: BTreeMap<String, Ownership>) {
        self.ownership = ownership;
    }

    pub(crate) fn set_shape(&mut self, shape: String) {
        self.shape = shape;
    }

    /// Returns a digest of the declaration that the files are made by, where `of_secret` is the
    /// secret's ownership.
    pub(crate) fn digest_of_declaration(&self, of_secret: Ownership) -> String {
        digest_of(&self.shape, of_secret)
    }

    /// Returns the names with the contents, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.contents.iter();
        files.map(|(name, content)| (name.as_str(), content.as_slice()))
    }

    /// Returns the content of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.contents.get(name).map(|content| content.as_slice())
    }

    /// Returns the number of files.
    pub(crate) fn count(&self) -> usize {
        self.contents.len()
    }

    /// Returns the ownership of a file, where `of_secret` is the secret's.
    pub(crate) fn ownership_of(&self, name: &str, of_secret: Ownership) -> Ownership {
        self.ownership.get(name).copied().unwrap_or(of_secret)
    }

    /// Returns the mode of the directory. Users that may read one of the files may enter it.
    pub(crate) fn directory_mode(&self, of_secret: Ownership) -> Mode {
        let others = self.ownership.values();
        others.fold(of_secret.directory_mode(), |mode, one| {
            mode | one.directory_mode_in(of_secret)
        })
    }
}

/// Returns a digest of a declaration: `shape`, and the secret's ownership.
pub(crate) fn digest_of(shape: &str, ownership: Ownership) -> String {
    let text = format!("{shape} {ownership:?}");
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}
