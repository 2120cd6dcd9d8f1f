//! The programs that the pages speak of.

use std::{env, fs, os::unix::fs::symlink, path::Path, sync::OnceLock};

pub(crate) use zts_testkit::build_programs;

/// `PATH` for a page's shells: the programs of this tree, `bao`, and what the machine has but
/// OpenTofu, whose provider few machines have, and Nix, which would fetch the pages' flakes.
pub(crate) fn path() -> String {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(make_path).clone()
}

fn make_path() -> String {
    // Not a scratch folder: a static is never dropped, and would leave it behind.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let bao = scratch.join("bao");
    fs::create_dir_all(&bao).expect("a folder is made");
    link_program(&zts_testkit::find_bao().expect("there is a `bao`"), &bao);
    let others = zts_testkit::path_without(&["tofu", "nix"], scratch);
    let folders = [build_programs().to_owned(), bao].into_iter();
    let folders = folders.chain(env::split_paths(&others));
    let path = env::join_paths(folders).expect("folders without a colon");
    path.into_string().expect("`PATH` is text")
}

fn link_program(program: &Path, folder: &Path) {
    let link = folder.join(program.file_name().expect("a program has a name"));
    let _ = fs::remove_file(&link);
    symlink(program, link).expect("a link to a program is made");
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
