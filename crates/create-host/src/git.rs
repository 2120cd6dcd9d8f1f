//! What git knows of the fleet's files. Without git, or outside a repository, it knows nothing.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    process::{Command, Stdio},
};

use cli::{Failure, with_signals};
use secure_fs::{Guard, Place};

use crate::failure;

/// Whether git tracks `path`.
pub(crate) fn tracks(root: &Path, path: &str) -> bool {
    git(root, &["ls-files", "--error-unmatch", "--", path]).is_some()
}

/// Those of `paths` that git has as they are.
pub(crate) fn unchanged<'a>(root: &Path, paths: impl Iterator<Item = &'a String>) -> Vec<String> {
    let clean = |path: &&String| {
        let status = [
            "status",
            "--porcelain",
            "--ignored",
            "--untracked-files=all",
            "--",
            path.as_str(),
        ];
        tracks(root, path) && git(root, &status).is_some_and(|changes| changes.is_empty())
    };
    paths.filter(clean).cloned().collect()
}

/// Whether the fleet is in a git repository.
pub(crate) fn is_repository(root: &Path) -> bool {
    git(root, &["rev-parse", "--git-dir"]).is_some()
}

/// Sees that git never takes up files of that pattern, in any folder: adds it to what this copy of the
/// repository excludes (`.git/info/exclude`) unless it is ignored already.
///
/// # Errors
/// A file of git's that cannot be written.
pub(crate) fn exclude(root: &Path, pattern: &str) -> Result<(), Failure> {
    let example = pattern.replace('*', "x");
    if !is_repository(root) || git(root, &["check-ignore", "--quiet", "--", &example]).is_some() {
        return Ok(());
    }
    let Some(path) = git(root, &["rev-parse", "--git-path", "info/exclude"]) else {
        return Ok(());
    };
    let path = String::from_utf8_lossy(&path);
    let path = root.join(path.trim_end_matches('\n'));
    append(&path, &format!("{pattern}\n")).map_err(|cause| failure::io("write", &path, cause))
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o775)
            .create(folder)?;
    }
    let place = Place::find(path, Guard::Links)?;
    let mut file = File::options()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o664)
        .open(place.path())?;
    let mut text = Vec::new();
    (&file).take(1 << 20).read_to_end(&mut text)?;
    let ended = text.last().is_none_or(|byte| *byte == b'\n');
    let line = if ended {
        line.to_owned()
    } else {
        format!("\n{line}")
    };
    file.write_all(line.as_bytes())
}

fn git(root: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    // variables that lead to another repository, as hooks have them, and tokens that git has no use for
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "BAO_TOKEN",
        "VAULT_TOKEN",
    ] {
        command.env_remove(name);
    }
    // paths are meant to the letter; `check-ignore` takes them so by itself, and refuses the option
    if arguments.first() != Some(&"check-ignore") {
        command.arg("--literal-pathspecs");
    }
    // a look changes nothing
    command
        .args(["--no-optional-locks", "-C"])
        .arg(root)
        .args(arguments);
    let output = with_signals(|| command.stdin(Stdio::null()).output()).ok()?;
    output.status.success().then_some(output.stdout)
}
