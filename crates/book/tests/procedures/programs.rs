//! The programs that the pages speak of.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use testkit::{ScratchDir, scratch_dir};

/// `PATH` for a page's shells: the programs of this tree, `bao`, and what the machine has but OpenTofu, whose
/// provider few machines have.
pub(crate) fn path() -> String {
    static BAO: OnceLock<ScratchDir> = OnceLock::new();
    let bao = BAO.get_or_init(|| {
        let folder = scratch_dir();
        let program = testkit::bao().expect("there is a `bao`");
        symlink(program, folder.join("bao")).expect("a link to `bao` is made");
        folder
    });
    let found = env::var_os("PATH").unwrap_or_default();
    let others = env::split_paths(&found).filter(|folder| !folder.join("tofu").exists());
    let folders = [built().to_owned(), bao.to_path_buf()]
        .into_iter()
        .chain(others);
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
        // `--examples`, of which there are none, gives the dependencies the features they have in tests: with
        // others all would be compiled once more, and replaced under the tests that run them.
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
