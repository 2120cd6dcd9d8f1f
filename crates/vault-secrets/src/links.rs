//! Symbolic links to files of secrets, at paths where programs expect them. A link names its target
//! by path, so that it follows each exchange of the output directory.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zts_cli::{note, warn};
use zts_delivery::DeclaredSecret;
use zts_secure_fs::{Folder, Guard};

/// A link, declared or made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Link {
    path: PathBuf,
    target: PathBuf,
}

/// The entry at a link's path.
enum PathEntry {
    Absent,
    /// A link with this target.
    LinkTo(PathBuf),
    Other,
}

impl Link {
    /// Returns the links that a secret declares.
    pub(crate) fn of(secret: &DeclaredSecret) -> impl Iterator<Item = Self> {
        secret.links.iter().map(|(path, file)| Self {
            path: path.components().collect(),
            target: secret.output_directory.join(file),
        })
    }

    /// Makes the link, and returns whether it exists. Another entry at its path stays, unless it is
    /// one of the links `earlier`.
    pub(crate) fn make(&self, earlier: &BTreeSet<Self>) -> bool {
        match self.try_make(earlier) {
            Ok(is_there) => is_there,
            Err(cause) => {
                let path = self.path.display();
                warn(format_args!("the link `{path}` could not be made: {cause}"));
                false
            }
        }
    }

    fn try_make(&self, earlier: &BTreeSet<Self>) -> io::Result<bool> {
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let folder =
            Folder::create(parent, Guard::Strict, 0o755, 0o755).map_err(io::Error::other)?;
        let place = self.within(&folder);
        let (path, target) = (self.path.display(), self.target.display());
        let is_ours = |other: &Path| {
            let target = other.to_owned();
            let path = self.path.clone();
            earlier.contains(&Self { path, target })
        };
        match entry_at(&place)? {
            PathEntry::LinkTo(other) if other == self.target => return Ok(true),
            PathEntry::Absent => symlink(&self.target, &place)?,
            PathEntry::LinkTo(other) if is_ours(&other) => {
                let mut name = self.path.file_name().unwrap_or_default().to_owned();
                name.push(".vault-fetch");
                let link = self.path.file_name().unwrap_or_default();
                folder.replace_link(link, &self.target, &name)?;
            }
            PathEntry::LinkTo(_) | PathEntry::Other => {
                warn(format_args!(
                    "`{path}` is not a link of this program's and stays: a link to `{target}` is \
                     declared there"
                ));
                return Ok(false);
            }
        }
        note(format_args!("made the link `{path}` to `{target}`"));
        Ok(true)
    }

    /// Removes the link, and gives whether that succeeded. Anything else at its path stays.
    pub(crate) fn remove(&self) -> bool {
        let path = self.path.display();
        match self.try_remove() {
            Ok(true) => note(format_args!("removed the link `{path}`")),
            Ok(false) => {}
            Err(cause) => {
                warn(format_args!(
                    "the link `{path}` is no longer declared, and could not be removed: {cause}"
                ));
                return false;
            }
        }
        true
    }

    fn try_remove(&self) -> io::Result<bool> {
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let folder = match Folder::open(parent, Guard::Strict) {
            Ok(folder) => folder,
            Err(error) if error.is_absent() => return Ok(false),
            Err(error) => return Err(io::Error::other(error)),
        };
        let place = self.within(&folder);
        let is_ours = matches!(entry_at(&place)?, PathEntry::LinkTo(other) if other == self.target);
        if is_ours {
            fs::remove_file(&place)?;
        }
        Ok(is_ours)
    }

    fn within(&self, folder: &Folder) -> PathBuf {
        folder.within(self.path.file_name().unwrap_or_default())
    }

    /// Returns the path at which it is made.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Looks at a path once: another process may replace the entry meanwhile.
fn entry_at(path: &Path) -> io::Result<PathEntry> {
    match fs::read_link(path) {
        Ok(target) => Ok(PathEntry::LinkTo(target)),
        Err(cause) => match cause.kind() {
            io::ErrorKind::InvalidInput => Ok(PathEntry::Other), // it is no link
            io::ErrorKind::NotFound => Ok(PathEntry::Absent),
            _ => Err(cause),
        },
    }
}
