//! Queries to git about the fleet's files. Without git, or outside a repository, every answer is
//! no.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use zts_cli::{Failure, with_signals};
use zts_secure_fs::{Guard, ResolvedFile};

use crate::failure;

/// Returns whether git tracks `path`.
pub(crate) fn is_tracked(root: &Path, path: &str) -> bool {
    run_git(
        root,
        &["ls-files", "--error-unmatch", "--", &literal_pathspec(path)],
    )
    .is_some()
}

/// Returns whether `git add --all` would take a file: git neither tracks nor ignores it, and
/// `folder` is in a repository.
pub(crate) fn would_add(folder: &Path, file: &Path) -> bool {
    let Some(file) = file.to_str() else {
        return false;
    };
    is_repository(folder) && run_git(folder, &["check-ignore", "--quiet", "--", file]).is_none()
}

/// Returns those of `paths` that are committed in their present state.
pub(crate) fn list_committed<'a>(
    root: &Path,
    paths: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    let clean = |path: &&String| {
        let status = [
            "status",
            "--porcelain",
            "--ignored",
            "--untracked-files=all",
            "--",
            &literal_pathspec(path),
        ];
        is_tracked(root, path) && run_git(root, &status).is_some_and(|changes| changes.is_empty())
    };
    paths.filter(clean).cloned().collect()
}

/// Returns whether the fleet is in a git repository.
pub(crate) fn is_repository(root: &Path) -> bool {
    run_git(root, &["rev-parse", "--git-dir"]).is_some()
}

/// Makes git ignore files of that pattern in every folder: adds it to `.git/info/exclude`, unless
/// it is ignored already.
///
/// # Errors
/// A file of git that cannot be written.
pub(crate) fn exclude_pattern(root: &Path, pattern: &str) -> Result<(), Failure> {
    let example = pattern.replace('*', "x");
    if !is_repository(root) || run_git(root, &["check-ignore", "--quiet", "--", &example]).is_some()
    {
        return Ok(());
    }
    let Some(path) = run_git(root, &["rev-parse", "--git-path", "info/exclude"]) else {
        return Ok(());
    };
    let path = String::from_utf8_lossy(&path);
    let path = root.join(path.trim_end_matches('\n'));
    append_line(&path, &format!("{pattern}\n"))
        .map_err(|cause| failure::file_failure("write", &path, cause))
}

/// Returns the pathspec that matches this path and no other. `check-ignore` takes plain paths only.
fn literal_pathspec(path: &str) -> String {
    format!(":(literal){path}")
}

fn append_line(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o775)
            .create(folder)?;
    }
    let resolved = ResolvedFile::resolve(path, Guard::Links)?;
    let mut file = File::options()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o664)
        .open(resolved.path())?;
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

/// Returns the root of the repository, and the path of the fleet below it, which is empty or ends
/// with a slash.
pub(crate) fn locate_repository(root: &Path) -> Option<(PathBuf, String)> {
    let line = |option| {
        let bytes = run_git(root, &["rev-parse", option])?;
        let text = String::from_utf8(bytes).ok()?;
        Some(text.trim_end_matches('\n').to_owned())
    };
    Some((
        PathBuf::from(line("--show-toplevel")?),
        line("--show-prefix")?,
    ))
}

/// Returns whether the repository has a part of its history only.
pub(crate) fn is_shallow(root: &Path) -> bool {
    run_git(root, &["rev-parse", "--is-shallow-repository"]).is_some_and(|text| text == b"true\n")
}

/// Returns those of `paths` that git neither tracks nor ignores.
pub(crate) fn list_untracked(root: &Path, paths: &[String]) -> Vec<String> {
    list_paths(root, &["ls-files", "--others", "--exclude-standard"], paths)
}

/// Returns those of `paths` that git ignores.
pub(crate) fn list_ignored(root: &Path, paths: &[String]) -> Vec<String> {
    let mut arguments = vec!["check-ignore", "--"];
    arguments.extend(paths.iter().map(String::as_str));
    let listed = run_git(root, &arguments).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    listed.lines().map(str::to_owned).collect()
}

/// Returns those of `paths` that git is to track, without their contents: the result of
/// [`add_intents`].
pub(crate) fn list_intents(root: &Path, paths: &[String]) -> Vec<String> {
    let difference = [
        "diff",
        "--name-only",
        "--relative",
        "--no-renames",
        "--diff-filter=A",
    ];
    list_paths(root, &difference, paths)
}

fn list_paths(root: &Path, command: &[&str], paths: &[String]) -> Vec<String> {
    if paths.is_empty() {
        return Vec::new(); // git would take all
    }
    let specs: Vec<String> = paths.iter().map(|path| literal_pathspec(path)).collect();
    let mut arguments = [command, &["-z", "--"]].concat();
    arguments.extend(specs.iter().map(String::as_str));
    let listed = run_git(root, &arguments).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let listed = listed.split('\0').filter(|path| !path.is_empty());
    listed.map(str::to_owned).collect()
}

/// Makes git track new files, without their contents.
///
/// # Errors
/// The message of git, such as one about an index that another git has locked.
pub(crate) fn add_intents(root: &Path, paths: &[String]) -> Result<(), String> {
    let specs: Vec<String> = paths.iter().map(|path| literal_pathspec(path)).collect();
    change_index(root, &["add", "--intent-to-add", "--"], &specs)
}

/// Takes the files of [`add_intents`] out of the index again.
///
/// # Errors
/// As [`add_intents`].
pub(crate) fn remove_intents(root: &Path, paths: &[String]) -> Result<(), String> {
    change_index(root, &["update-index", "--force-remove", "--"], paths)
}

fn change_index(root: &Path, command: &[&str], paths: &[String]) -> Result<(), String> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut git = git_command(root);
    git.args(command).args(paths);
    let output = with_signals(|| git.output()).map_err(|cause| cause.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty());
    Err(line.unwrap_or("it says nothing").to_owned())
}

fn run_git(root: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = git_command(root);
    command.arg("--no-optional-locks"); // a query changes nothing
    let output = with_signals(|| command.args(arguments).output()).ok()?;
    output.status.success().then_some(output.stdout)
}

fn git_command(root: &Path) -> Command {
    let mut command = Command::new("git");
    // variables of hooks, which select another repository or change pathspecs; tokens that git does
    // not need
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_LITERAL_PATHSPECS",
        "BAO_TOKEN",
        "VAULT_TOKEN",
    ] {
        command.env_remove(name);
    }
    command.arg("-C").arg(root).stdin(Stdio::null());
    command
}
