//! The Nix files of a fleet.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use zts_cli::{Failure, read_text};

/// The largest number of files that are read.
const MOST_FILES: usize = 20_000;

/// A Nix file of the fleet.
pub(crate) struct NixFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Reads these files, and the Nix files below these folders, sorted by path. Hidden folders and
/// links are left out, such as `.git` and `result`.
pub(crate) fn nix_files(paths: &[PathBuf]) -> Result<Vec<NixFile>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            collect(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    let mut found: Vec<_> = found.iter().map(|path| without_dots(path)).collect();
    found.sort();
    found.dedup();
    let files = found.into_iter();
    files
        .map(|path| {
            let text = read_text(&path)?.to_string();
            Ok(NixFile { path, text })
        })
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |cause: std::io::Error| {
        Failure::usage(format_args!(
            "`{}` could not be read: {cause}",
            folder.display()
        ))
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !is_hidden {
            collect(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "nix") {
            if found.len() == MOST_FILES {
                return Err(Failure::usage(format_args!(
                    "there are more than {MOST_FILES} Nix files"
                ))
                .hint("name the host's own files with `--file`"));
            }
            found.push(path);
        }
    }
    Ok(())
}

/// Returns the path without `.` and `..`, as Nix reads it.
pub(crate) fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_taken_out_of_paths() {
        for (path, plain) in [
            ("hosts/web01/../../secrets/a.yaml", "secrets/a.yaml"),
            ("./a/./b", "a/b"),
            ("../../a", "../../a"),
            ("a/../../b", "../b"),
            ("/a/../b", "/b"),
        ] {
            assert_eq!(without_dots(Path::new(path)), Path::new(plain), "{path}");
        }
    }
}
