//! Finds the programs that tests run, and skips tests where one is missing.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Finds `bao`; see [`find_program`].
pub fn find_bao() -> Option<PathBuf> {
    find_program("bao")
}

/// Finds the program `name`: the first on `PATH`, else the one that `tools/setup` put into the
/// project's cache folder. Tests name no other place, because a build of Nix has only `/bin/sh`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let mut candidates = on_path.unwrap_or_default();
    candidates.extend(cache_folder().map(|cache| cache.join("bin")));
    candidates
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

/// Returns the tests' `PATH` with `folder` in front of it.
///
/// # Panics
/// If the folder's path contains a colon.
pub fn path_with(folder: impl AsRef<Path>) -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let folders = [folder.as_ref().to_owned()];
    let folders = folders.into_iter().chain(env::split_paths(&others));
    env::join_paths(folders).expect("a folder without a colon")
}

/// Returns the tests' `PATH` without some programs. In place of a folder that has one, it has a
/// folder below `links` with links to the others.
///
/// # Panics
/// If a folder cannot be made, or its path contains a colon.
pub fn path_without(programs: &[&str], links: &Path) -> OsString {
    let found = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&found).enumerate().map(|(index, folder)| {
        if programs.iter().any(|name| folder.join(name).exists()) {
            link_others(&folder, programs, &links.join(format!("path{index}")))
        } else {
            folder
        }
    });
    env::join_paths(folders).expect("folders without a colon")
}

fn link_others(folder: &Path, programs: &[&str], links: &Path) -> PathBuf {
    fs::create_dir_all(links).expect("a folder is made");
    let entries = folder.read_dir().expect("the programs are listed");
    for entry in entries.flatten() {
        let name = entry.file_name();
        if programs.iter().all(|program| name != *program) {
            // another test may have made it
            let _ = symlink(entry.path(), links.join(name));
        }
    }
    links.to_owned()
}

/// Builds this workspace's programs, unless they are built, and returns their folder. With the
/// variable `PROGRAMS_ARE_BUILT`, cargo is not asked, because it writes to that folder.
///
/// # Panics
/// If they cannot be built.
pub fn build_programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let this = env::current_exe().expect("a test has an executable");
        // target/debug/deps/<this>
        let folder = this
            .ancestors()
            .nth(2)
            .expect("it is below the target folder");
        let target = folder.parent().expect("it is below the target folder");
        if env::var_os("PROGRAMS_ARE_BUILT").is_some() {
            return folder.to_owned();
        }
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With examples, dependencies have the same features as in tests. With other features, all
        // would be compiled again and replaced while tests use them.
        command.args([
            "build",
            "--quiet",
            "--locked",
            "--workspace",
            "--bins",
            "--examples",
        ]);
        let status = command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .env("CARGO_TARGET_DIR", target)
            .status();
        assert!(
            status.expect("cargo runs").success(),
            "the programs are not built"
        );
        folder.to_owned()
    })
}

/// Finds the file `name`: the one that the environment variable `variable` names, else the one in
/// the project's cache folder.
pub(crate) fn find_data(name: &str, variable: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).filter(|value| !value.is_empty());
    let path = match named {
        Some(named) => PathBuf::from(named),
        None => cache_folder()?.join(name),
    };
    Some(path).filter(|path| path.is_file())
}

fn cache_folder() -> Option<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("zero-touch-secrets"))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Writes `skipped: <test>: <missing>` to stderr, past the capturing of the test harness, which
/// would hide the line of a test that passes. The macros [`crate::skip`], [`crate::require_bao`],
/// [`crate::require_program`] and [`crate::require_kubernetes`] call it with the name of the
/// function that contains them.
pub fn report_skipped(marker: &str, missing: &str) {
    let test = marker.trim_end_matches("::here");
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {missing}");
}

/// Leaves the test function and reports the missing part of the machine:
/// `let Some(disk) = Tmpfs::mount(65_536) else { skip!("mounting needs root") };`
#[macro_export]
macro_rules! skip {
    ($($missing:tt)+) => {{
        fn here() {}
        $crate::report_skipped(::std::any::type_name_of_val(&here), &format!($($missing)+));
        return;
    }};
}

/// Leaves the test function where there is no `bao`.
#[macro_export]
macro_rules! require_bao {
    () => {
        if $crate::find_bao().is_none() {
            $crate::skip!("no bao on this machine");
        }
    };
}

/// Returns the path of a program, or leaves the test function where the machine lacks it:
/// `let openssl = require_program!("openssl");`
#[macro_export]
macro_rules! require_program {
    ($name:expr) => {
        match $crate::find_program($name) {
            Some(path) => path,
            None => $crate::skip!("no {} on this machine", $name),
        }
    };
}

/// Leaves the test function where the tests do not run as root, which an action of it needs:
/// `require_root!("giving files away");`
#[macro_export]
macro_rules! require_root {
    ($action:literal) => {
        if !$crate::is_root() {
            $crate::skip!(concat!($action, " needs root"));
        }
    };
}

/// Leaves the test function where a Kubernetes API server cannot be started.
#[macro_export]
macro_rules! require_kubernetes {
    () => {
        if let Some(missing) = $crate::missing_kubernetes_program() {
            $crate::skip!("no {missing} on this machine");
        }
    };
}
