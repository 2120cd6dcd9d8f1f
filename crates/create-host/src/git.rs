//! What git knows of the fleet's files. Without git, or outside a repository, it knows nothing.

use std::{
    path::Path,
    process::{Command, Stdio},
};

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
    // paths are meant to the letter, and a look changes nothing
    command
        .args(["--literal-pathspecs", "--no-optional-locks", "-C"])
        .arg(root)
        .args(arguments);
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}
