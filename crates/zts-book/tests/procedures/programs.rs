//! The programs that the pages speak of.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::OnceLock,
};

pub(crate) use zts_testkit::build_programs;

/// `PATH` for a page's shells: the programs of this tree, `bao`, and what the machine has but
/// OpenTofu, whose provider few machines have.
pub(crate) fn path() -> String {
    static BAO: OnceLock<PathBuf> = OnceLock::new();
    let bao = BAO.get_or_init(|| {
        // Not a scratch folder: a static is never dropped, and would leave it behind.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bao");
        let link = folder.join("bao");
        fs::create_dir_all(&folder).expect("a folder is made");
        let _ = fs::remove_file(&link);
        symlink(zts_testkit::find_bao().expect("there is a `bao`"), link)
            .expect("a link to `bao` is made");
        folder
    });
    let found = env::var_os("PATH").unwrap_or_default();
    let others = env::split_paths(&found).filter(|folder| !folder.join("tofu").exists());
    let folders = [build_programs().to_owned(), bao.clone()]
        .into_iter()
        .chain(others);
    let path = env::join_paths(folders).expect("folders without a colon");
    path.into_string().expect("`PATH` is text")
}

/// Every program of this tree.
pub(crate) fn names() -> Vec<String> {
    let crates = zts_book::root()
        .join("crates")
        .read_dir()
        .expect("the crates are listed");
    let programs = crates
        .flatten()
        .filter(|folder| folder.path().join("src/main.rs").exists());
    let mut names: Vec<_> = programs
        .map(|folder| folder.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
