//! Scratch fleets: copies of the example fleet, and others.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    program::find_program,
    scratch::{ScratchDir, scratch_dir},
};

/// A fleet in a git repository, removed on `Drop`.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    /// The locked folder around the fleet, which create-host locks itself.
    _scratch: ScratchDir,
}

impl Fleet {
    /// Copies and commits the example fleet. Without git on the machine, the copy is a plain
    /// folder.
    pub fn copy_example() -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../example");
        let fleet = Self::in_scratch();
        copy_sources(&example, &fleet.folder);
        fleet.init_repository();
        fleet
    }

    /// Writes and commits a fleet of files by their paths. Without git on the machine, it is a
    /// plain folder.
    pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fleet = Self::in_scratch();
        for (path, text) in files {
            fleet.write(path, text);
        }
        fleet.init_repository();
        fleet
    }

    fn in_scratch() -> Self {
        let scratch = scratch_dir();
        Self {
            folder: scratch.join("fleet"),
            _scratch: scratch,
        }
    }

    fn init_repository(&self) {
        if find_program("git").is_some() {
            self.git(&["init", "--quiet", "--initial-branch=main"]);
            self.commit("A fleet");
        }
    }

    /// Returns its folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the text of one of its files.
    pub fn read(&self, file: &str) -> String {
        let path = self.folder.join(file);
        fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("reading `{}`: {error}", path.display()))
    }

    /// Replaces or adds a file.
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(file);
        let parent = path.parent().expect("a file is in a folder");
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, content));
        written.unwrap_or_else(|error| panic!("writing `{}`: {error}", path.display()));
    }

    /// Changes the text of one of its files.
    pub fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        self.write(file, change(self.read(file)));
    }

    /// Replaces `from`, which one of its files must have.
    #[track_caller]
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "`{file}` has no `{from}`:\n{text}");
        self.write(file, text.replace(from, to));
    }

    /// Commits all changes.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs git in it without the user's settings and returns git's stdout.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(find_program("git").expect("git on this machine"));
        command.current_dir(&self.folder).args([
            "-c",
            "user.name=A test",
            "-c",
            "user.email=test@example.org",
        ]);
        // Maintenance runs in the background, when the folder may be removed.
        command.args(["-c", "commit.gpgsign=false", "-c", "maintenance.auto=false"]);
        command.args(arguments);
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = command.output().expect("git runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns every file but git's own with its content, in order, to compare before and after.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect_files(&self.folder, Path::new(""), &mut files);
        files.sort();
        files
    }
}

fn collect_files(root: &Path, below: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(root.join(below))
        .expect("a folder of the fleet is listed")
        .flatten()
    {
        let path = below.join(entry.file_name());
        if path == Path::new(".git") {
            continue;
        }
        if entry.path().is_dir() {
            collect_files(root, &path, files);
        } else {
            let content = fs::read(entry.path()).expect("a file of the fleet is read");
            files.push((path, content));
        }
    }
}

/// Copies a file or a folder without OpenTofu's own files.
fn copy_sources(from: &Path, to: &Path) {
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
    fs::create_dir(to).expect("a folder of the copy is created");
    for entry in fs::read_dir(from)
        .expect("a folder of the fleet is listed")
        .flatten()
    {
        copy_sources(&entry.path(), &to.join(entry.file_name()));
    }
}
