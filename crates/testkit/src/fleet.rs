//! A copy of the example fleet to change.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{ScratchDir, program, scratch_dir};

/// What of the repository is the fleet.
const PARTS: [&str; 5] = [
    "flake.nix",
    "flake.lock",
    "fleet.toml",
    "hosts",
    "terraform",
];

/// A copy of the example fleet, committed to a git repository of its own; it vanishes on `Drop`.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    /// Locked as long as it lives; the fleet is a folder in it, for create-host locks its own, too.
    _scratch: ScratchDir,
}

impl Fleet {
    /// Copies the fleet. Without git on the machine, it is a plain folder.
    pub fn scratch() -> Self {
        let scratch = scratch_dir();
        let folder = scratch.join("fleet");
        fs::create_dir(&folder).expect("the folder of a fleet is made");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for part in PARTS {
            copy(&repository.join(part), &folder.join(part));
        }
        let fleet = Self {
            folder,
            _scratch: scratch,
        };
        if program::find("git", "GIT").is_some() {
            fleet.git(&["init", "--quiet", "--initial-branch=main"]);
            fleet.commit("The example fleet");
        }
        fleet
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The text of one of its files.
    pub fn text(&self, file: &str) -> String {
        let path = self.folder.join(file);
        fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("reading `{}`: {error}", path.display()))
    }

    /// Replaces one of its files, or adds one.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        let parent = path.parent().expect("a file stands in a folder");
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
        written.unwrap_or_else(|error| panic!("writing `{}`: {error}", path.display()));
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs git in it, independent of the user's own settings; gives what git printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program::find("git", "GIT").expect("git on this machine"));
        command.current_dir(&self.folder).args([
            "-c",
            "user.name=A test",
            "-c",
            "user.email=test@example.org",
        ]);
        // Maintenance goes on in the background, when the folder may be gone.
        command.args(["-c", "commit.gpgsign=false", "-c", "maintenance.auto=false"]);
        command.args(arguments);
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = command.output().expect("git runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Every file but git's own with its content, in order: compare before and after.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.folder, Path::new(""), &mut files);
        files.sort();
        files
    }
}

fn collect(root: &Path, below: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(root.join(below))
        .expect("a folder of the fleet is listed")
        .flatten()
    {
        let path = below.join(entry.file_name());
        if path == Path::new(".git") {
            continue;
        }
        if entry.path().is_dir() {
            collect(root, &path, files);
        } else {
            let content = fs::read(entry.path()).expect("a file of the fleet is read");
            files.push((path, content));
        }
    }
}

/// Copies a file or a folder, without what OpenTofu keeps beside its sources.
fn copy(from: &Path, to: &Path) {
    let name = from
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if name == ".terraform" || name.contains(".tfstate") {
        return;
    }
    if from.is_file() {
        fs::copy(from, to).unwrap_or_else(|error| panic!("copying `{}`: {error}", from.display()));
        return;
    }
    fs::create_dir(to).expect("a folder of the copy is made");
    for entry in fs::read_dir(from)
        .expect("a folder of the fleet is listed")
        .flatten()
    {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
