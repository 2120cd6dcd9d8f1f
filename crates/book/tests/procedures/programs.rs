//! The programs that the pages speak of.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// `PATH` for a page's shells: the programs of this tree, `bao`, and what the machine has but OpenTofu, whose
/// provider few machines have.
pub(crate) fn path() -> String {
    static BAO: OnceLock<PathBuf> = OnceLock::new();
    let bao = BAO.get_or_init(|| {
        // Not a scratch folder: a static is never dropped, and would leave it behind.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bao");
        let link = folder.join("bao");
        fs::create_dir_all(&folder).expect("a folder is made");
        let _ = fs::remove_file(&link);
        symlink(testkit::bao().expect("there is a `bao`"), link).expect("a link to `bao` is made");
        folder
    });
    let found = env::var_os("PATH").unwrap_or_default();
    let others = env::split_paths(&found).filter(|folder| !folder.join("tofu").exists());
    let folders = [built().to_owned(), bao.clone()].into_iter().chain(others);
    let path = env::join_paths(folders).expect("folders without a colon");
    path.into_string().expect("`PATH` is text")
}

/// The folder of this tree's programs, as they are now; cargo does nothing where they are built.
pub(crate) fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let this = env::current_exe().expect("a test knows its own file");
        // target/debug/deps/<this>
        let folder = this
            .ancestors()
            .nth(2)
            .expect("it is below the target folder");
        let target = folder.parent().expect("it is below the target folder");
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With examples, dependencies have the features they have in tests: with others all would be compiled
        // once more, and replaced under the tests that run them.
        command.args([
            "build",
            "--quiet",
            "--locked",
            "--workspace",
            "--bins",
            "--examples",
        ]);
        let status = command
            .current_dir(book::root())
            .env("CARGO_TARGET_DIR", target)
            .status();
        assert!(
            status.expect("cargo runs").success(),
            "the programs are not built"
        );
        folder.to_owned()
    })
}

/// Every program of this tree.
pub(crate) fn names() -> Vec<String> {
    let crates = book::root()
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
