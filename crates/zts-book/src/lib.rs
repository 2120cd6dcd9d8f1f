//! Reads the pages in `docs/`: their commands ([`steps`]), the expected output ([`match_output`]),
//! and their headings and links ([`Outline`]). Reads the programs' messages ([`messages_of`]). The
//! tests of this crate check that the pages are correct.
#![expect(
    clippy::missing_panics_doc,
    reason = "only tests call this: a page that cannot be read is a failed test, which a panic reports"
)]

mod expectation;
mod messages;
mod outline;
mod page;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use expectation::{Values, match_output, prompt_input};
pub use messages::{
    Indirect, Message, VALUE, indirect_failures_of, match_message, messages_of, sources,
};
pub use outline::{Link, Outline};
pub use page::{Command, Step, block, blocks, steps};

/// Returns the repository's folder.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::canonicalize(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Returns the folder of the book's pages.
pub fn docs() -> PathBuf {
    root().join("docs")
}

/// Returns the text of a page, named relative to `docs/`.
pub fn read(name: &str) -> String {
    let path = docs().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns every page below a folder of `docs/` (`""` for all), relative to `docs/`, in order.
pub fn pages(folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    let folder = Path::new(folder);
    let list = docs().join(folder);
    let entries = fs::read_dir(&list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    for entry in entries.flatten() {
        let name = folder.join(entry.file_name());
        let text = name.to_string_lossy().into_owned();
        if entry.path().is_dir() {
            names.extend(pages(&text));
        } else if name.extension().is_some_and(|ending| ending == "md") {
            names.push(text);
        }
    }
    names.sort();
    names
}
