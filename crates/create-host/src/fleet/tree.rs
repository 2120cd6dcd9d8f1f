//! The files of a fleet. Each is read whole, and none outside of the fleet.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use zts_cli::Failure;
use zts_infra_edit::nix::FleetFiles;
use zts_secure_fs::{LARGEST_TEXT, TooLarge, open_at_once, read_file_bounded};

use crate::failure::file_failure;

/// The prefix of drafts: files that are not yet under their own name, or that a killed run left.
pub(crate) const DRAFT_PREFIX: &str = ".create-host.";

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
            .map_err(|cause| file_failure("open", root, cause))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a path of the fleet as a command in the current folder takes it.
    pub(crate) fn path_from_here(&self, path: &str) -> String {
        let current = env::current_dir().ok();
        let current = current.and_then(|folder| folder.canonicalize().ok());
        let below =
            current.and_then(|current| self.root.strip_prefix(current).ok().map(Path::to_owned));
        let place = below.unwrap_or_default().join(path);
        place.to_str().unwrap_or(path).to_owned()
    }

    /// Returns the absolute path of a file of the fleet. Symbolic links are followed inside the
    /// fleet, and refused if they lead out of it. A missing file is placed below its nearest
    /// existing folder.
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, Failure> {
        let target = self.root.join(path);
        let mut missing = Vec::new();
        let mut existing = target.as_path();
        let real = loop {
            match existing.canonicalize() {
                Ok(real) => break real,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound && !existing.is_symlink() => {
                }
                Err(cause) => return Err(file_failure("find", &self.root.join(path), cause)),
            }
            let (Some(name), Some(parent)) = (existing.file_name(), existing.parent()) else {
                break self.root.clone();
            };
            missing.push(name);
            existing = parent;
        };
        if !real.starts_with(&self.root) {
            let failure = Failure::failed(format_args!(
                "`{path}` leads out of the fleet, to `{}`",
                real.display()
            ));
            return Err(failure.hint("replace the symbolic link by the file itself"));
        }
        Ok(missing
            .iter()
            .rev()
            .fold(real, |path, name| path.join(name)))
    }

    /// Reads a file; `None` if it does not exist.
    pub(crate) fn read_bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let real = self.resolve(path)?;
        let fail = |cause| file_failure("read", &self.root.join(path), cause);
        let file = match open_at_once(&real) {
            Ok(file) => file,
            Err(cause) if is_absent(&cause) => return Ok(None),
            Err(cause) => return Err(fail(cause)),
        };
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(Failure::failed(format_args!("`{path}` is not a file")));
        }
        read_file_bounded(file, LARGEST_TEXT)
            .map(Some)
            .map_err(|cause| match cause.get_ref() {
                Some(inner) if inner.is::<TooLarge>() => too_large(path, metadata.len()),
                _ => fail(cause),
            })
    }

    /// Reads a text file; `None` if it does not exist.
    pub(crate) fn read_text(&self, path: &str) -> Result<Option<String>, Failure> {
        self.read_bytes(path)?
            .map(|bytes| decode_text(path, bytes))
            .transpose()
    }

    /// Reads a text file that must exist; `hint` says how to name or create it.
    pub(crate) fn read_required(&self, path: &str, hint: &str) -> Result<String, Failure> {
        self.read_text(path)?.ok_or_else(|| {
            Failure::failed(format_args!(
                "`{path}` does not exist in `{}`",
                self.root.display()
            ))
            .hint(hint)
        })
    }

    /// Lists the files in a folder, not those below it. A missing folder has none.
    pub(crate) fn list_files(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let path = self.resolve(folder)?;
        let Ok(entries) = fs::read_dir(path) else {
            return Ok(Vec::new());
        };
        let names = entries.flatten().filter(|entry| entry.path().is_file());
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<String> = names
            .map(|name| {
                if folder.is_empty() {
                    name
                } else {
                    format!("{folder}/{name}")
                }
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// Reads all files below a folder, and refuses symbolic links. A missing folder has no files.
    pub(crate) fn read_folder(&self, path: &str) -> Result<Contents, Failure> {
        let mut files = Contents::new();
        let folder = self.root.join(path);
        if folder.is_symlink() {
            return Err(symbolic_link(path));
        }
        self.resolve(path)?;
        match fs::metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => self.collect_files(path, &mut files)?,
            Ok(_) => return Err(Failure::failed(format_args!("`{path}` is not a folder"))),
            Err(cause) if is_absent(&cause) => {}
            Err(cause) => return Err(file_failure("read", &folder, cause)),
        }
        Ok(files)
    }

    /// Finds the files that `is_wanted`, by their paths from the fleet's root, sorted. Hidden
    /// folders and symbolic links are left out.
    pub(crate) fn find_files(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(self.root.join(&folder)).into_iter().flatten();
            for entry in entries.flatten() {
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                let path = match folder.as_str() {
                    "" => name.clone(),
                    folder => format!("{folder}/{name}"),
                };
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !name.starts_with('.') => folders.push(path),
                    Ok(kind) if kind.is_file() && is_wanted(&path) => files.push(path),
                    _ => {}
                }
            }
        }
        files.sort();
        files
    }

    fn collect_files(&self, path: &str, files: &mut Contents) -> Result<(), Failure> {
        let folder = self.root.join(path);
        let fail = |cause| file_failure("read", &folder, cause);
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
            if is_draft(&entry.path()) {
                continue;
            }
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_symlink() {
                return Err(symbolic_link(&name));
            } else if kind.is_dir() {
                self.collect_files(&name, files)?;
            } else if let Some(bytes) = self.read_bytes(&name)? {
                files.insert(name, bytes);
            }
        }
        Ok(())
    }
}

/// The files as a search for hosts reads them. A file that cannot be read is none.
impl FleetFiles for Tree {
    fn read(&self, path: &str) -> Option<String> {
        self.read_text(path).ok().flatten()
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        let entries = self.resolve(folder).and_then(|real| {
            fs::read_dir(&real).map_err(|cause| file_failure("read", &real, cause))
        });
        for entry in entries.into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match entry.file_name().into_string() {
                Ok(name) if !is_draft(Path::new(&name)) && name != ".git" => {
                    names.push(if is_folder { name + "/" } else { name });
                }
                _ => {}
            }
        }
        names.sort();
        names
    }
}

/// Returns whether a file is a draft, which its run has not finished.
pub(crate) fn is_draft(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(DRAFT_PREFIX)
}

/// Decodes the text of a file.
pub(crate) fn decode_text(path: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = valid.matches('\n').count() + 1;
        Failure::failed(format_args!("`{path}`, line {line}: not valid UTF-8"))
            .hint("save the file as UTF-8")
    })
}

fn is_absent(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn too_large(path: &str, size: u64) -> Failure {
    Failure::failed(format_args!(
        "`{path}` is too large: it has {size} bytes, and create-host reads at most {LARGEST_TEXT} ({} MiB)",
        LARGEST_TEXT >> 20
    ))
    .hint("move its data, or a part of its entries, to a file that create-host does not read")
}

fn symbolic_link(path: &str) -> Failure {
    Failure::failed(format_args!("`{path}` is a symbolic link")).hint(
        "create-host follows none in the folders of hosts: replace it by the file itself, or remove it",
    )
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_file_that_is_removed_meanwhile_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path()).unwrap();
        let path = folder.path().join("flake.nix");
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                for _ in 0..1000 {
                    fs::write(&path, "{ }").unwrap();
                    fs::remove_file(&path).unwrap();
                }
            });
            while !other.is_finished() {
                tree.read_text("flake.nix").unwrap();
            }
        });
    }
}
