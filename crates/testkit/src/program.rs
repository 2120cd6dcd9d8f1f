//! Where the programs are that tests run.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The `bao` to test with: the environment variable `BAO`, else `PATH`, else what `tools/setup`
/// put into the project's cache folder.
pub fn bao() -> Option<PathBuf> {
    find("bao", "BAO")
}

/// The program `name`: the file that the environment variable `variable` names, else the first on
/// `PATH`, else the one in the project's cache folder.
///
/// A variable that is set but names no program is `None`, too: a test then says that it was
/// skipped instead of running against something else.
pub fn find(name: &str, variable: &str) -> Option<PathBuf> {
    if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
        return Some(PathBuf::from(named)).filter(|path| is_program(path));
    }
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let mut candidates = on_path.unwrap_or_default();
    candidates.extend(cache_folder().map(|cache| cache.join("bin")));
    candidates
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

/// The file `name`: the one that the environment variable `variable` names, else the one in the project's
/// cache folder.
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
