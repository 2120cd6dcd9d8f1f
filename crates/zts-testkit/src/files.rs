//! Modes and names of files, and programs that tests write.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Returns the mode of a file, a folder or a link in octal, such as `0600`.
pub fn mode(path: &Path) -> String {
    let data = fs::symlink_metadata(path);
    let data = data.unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    format!("{:04o}", data.permissions().mode() & 0o7777)
}

/// Sets the mode of a file or a folder.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
}

/// Returns whether the tests run as root, which may read and write everything.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the names in a folder, with hidden ones, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("`{}`: {error}", folder.display()));
    let name = |entry: fs::DirEntry| entry.file_name().into_string();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry.expect("a folder is listed")).expect("names are UTF-8"))
        .collect();
    names.sort();
    names
}

/// Returns the names in a folder as [`names`] does, or none where there is no such folder.
pub fn names_if_any(folder: &Path) -> Vec<String> {
    if folder.is_dir() {
        names(folder)
    } else {
        Vec::new()
    }
}

/// Writes an executable script, creates its folder where there is none, and returns its path.
///
/// `cp` writes it: a file that this process has open for writing stays so in each child that
/// another test starts at that moment, and "Text file busy" is what running it gives until then.
pub fn write_program(folder: &Path, name: &str, script: &str) -> PathBuf {
    let (source, program) = (folder.join(format!(".{name}")), folder.join(name));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&source, script))
        .unwrap_or_else(|error| panic!("writing `{}`: {error}", source.display()));
    let copied = Command::new("cp").args([&source, &program]).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "`cp` writes `{}`",
        program.display()
    );
    fs::remove_file(&source).expect("the script is in its place");
    set_mode(&program, 0o755);
    program
}
