//! The files of a fleet: read whole, and never outside of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cli::Failure;
use secure_fs::{LARGEST_TEXT, read_bounded};

use crate::{failure, write};

/// The files below a folder by their path from the fleet's root, with `/` between the parts.
pub(crate) type Contents = std::collections::BTreeMap<String, Vec<u8>>;

/// The folder of a fleet.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new(root: &Path) -> Result<Self, Failure> {
        let root = root
            .canonicalize()
            .map_err(|cause| failure::io("open", root, cause))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where `path` really is: symbolic links are followed inside the fleet, and refused where they lead
    /// out of it. What does not exist yet is placed below its nearest folder that does.
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, Failure> {
        let target = self.root.join(path);
        let mut missing = Vec::new();
        let mut there = target.as_path();
        let real = loop {
            match there.canonicalize() {
                Ok(real) => break real,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound && !there.is_symlink() => {}
                Err(cause) => return Err(failure::io("find", &self.root.join(path), cause)),
            }
            let (Some(name), Some(parent)) = (there.file_name(), there.parent()) else {
                break self.root.clone();
            };
            missing.push(name);
            there = parent;
        };
        if !real.starts_with(&self.root) {
            let failure = Failure::failed(format_args!(
                "`{path}` leads out of the fleet, to `{}`",
                real.display()
            ));
            return Err(failure.hint("put the file itself there in place of the symbolic link"));
        }
        Ok(missing
            .iter()
            .rev()
            .fold(real, |path, name| path.join(name)))
    }

    /// The bytes of a file; `None` where it does not exist.
    pub(crate) fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let real = self.resolve(path)?;
        match fs::metadata(&real) {
            Ok(data) if !data.is_file() => {
                return Err(Failure::failed(format_args!("`{path}` is not a file")));
            }
            Err(cause) if is_absent(&cause) => return Ok(None),
            _ => {}
        }
        read_bounded(&real, LARGEST_TEXT)
            .map(Some)
            .map_err(|cause| failure::io("read", &self.root.join(path), cause))
    }

    /// The text of a file; `None` where it does not exist.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        self.bytes(path)?
            .map(|bytes| text_of(path, bytes))
            .transpose()
    }

    /// The text of a file that must be there.
    pub(crate) fn required(&self, path: &str, hint: &str) -> Result<String, Failure> {
        self.text(path)?.ok_or_else(|| {
            Failure::failed(format_args!(
                "`{path}` does not exist in `{}`",
                self.root.display()
            ))
            .hint(hint)
        })
    }

    /// All files below a folder, symbolic links refused; none where the folder does not exist.
    pub(crate) fn folder(&self, path: &str) -> Result<Contents, Failure> {
        let mut files = Contents::new();
        let folder = self.root.join(path);
        if folder.is_symlink() {
            return Err(link(path));
        }
        self.resolve(path)?;
        match fs::metadata(&folder) {
            Ok(data) if data.is_dir() => self.collect(path, &mut files)?,
            Ok(_) => return Err(Failure::failed(format_args!("`{path}` is not a folder"))),
            Err(cause) if is_absent(&cause) => {}
            Err(cause) => return Err(failure::io("read", &folder, cause)),
        }
        Ok(files)
    }

    fn collect(&self, path: &str, files: &mut Contents) -> Result<(), Failure> {
        let folder = self.root.join(path);
        let fail = |cause| failure::io("read", &folder, cause);
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let Some(name) = entry
                .file_name()
                .to_str()
                .map(|name| format!("{path}/{name}"))
            else {
                let name = entry.path();
                return Err(Failure::failed(format_args!(
                    "the name of `{}` is not UTF-8",
                    name.display()
                )));
            };
            if write::is_unfinished(&entry.path()) {
                continue;
            }
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_symlink() {
                return Err(link(&name));
            } else if kind.is_dir() {
                self.collect(&name, files)?;
            } else if let Some(bytes) = self.bytes(&name)? {
                files.insert(name, bytes);
            }
        }
        Ok(())
    }
}

fn is_absent(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn link(path: &str) -> Failure {
    Failure::failed(format_args!("`{path}` is a symbolic link")).hint(
        "create-host follows none in the folders of hosts; put the file itself there, or take the link away",
    )
}

/// `bytes` as text.
pub(crate) fn text_of(path: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = valid.matches('\n').count() + 1;
        Failure::failed(format_args!("`{path}`, line {line}: not valid UTF-8"))
            .hint("save the file as UTF-8")
    })
}
