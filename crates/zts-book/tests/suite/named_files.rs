//! The source files that pages name exist.

use std::{collections::BTreeSet, fs, path::Path};

use zts_book::{docs, pages, root};

#[test]
fn files_that_pages_name_exist() {
    let mut sources = BTreeSet::new();
    collect(&root().join("crates"), &mut sources);
    let others = ["ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name));
    let pages = pages("").into_iter().map(|name| docs().join(name));
    let (mut count, mut missing) = (0, Vec::new());
    for page in others.into_iter().chain(pages) {
        let text = fs::read_to_string(&page).expect("the page is read");
        for name in named(&text) {
            count += 1;
            let exists = sources.iter().any(|source| is_end(source, &name));
            if !exists {
                missing.push(format!("{}: `{name}`", page.display()));
            }
        }
    }
    assert!(count > 50, "only {count} names were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn names_are_found() {
    let text = "`cli.rs`, `crates/x/src/{cli,job}.rs` and `run`; cli2.rs";
    let expected = ["cli.rs", "crates/x/src/cli.rs", "crates/x/src/job.rs"];
    assert_eq!(named(text), expected);
    assert!(is_end("crates/x/src/cli.rs", "src/cli.rs"));
    assert!(!is_end("crates/x/src/oldcli.rs", "cli.rs"));
}

/// Returns the Rust files in backticks, with braces expanded.
fn named(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_source = |name: &&str| Path::new(name).extension().is_some_and(|end| end == "rs");
    quoted
        .filter(is_source)
        .filter(|name| !name.contains([' ', '*', '<']))
        .flat_map(|name| match name.split_once('{') {
            None => vec![name.to_owned()],
            Some((folder, rest)) => {
                let (names, end) = rest.split_once('}').expect("the brace is closed");
                let names = names.split(',');
                names.map(|name| format!("{folder}{name}{end}")).collect()
            }
        })
        .collect()
}

fn is_end(source: &str, name: &str) -> bool {
    source == name || source.ends_with(&format!("/{name}"))
}

/// Adds the paths of all Rust files below a folder, relative to the root.
fn collect(folder: &Path, sources: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("it is listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(root()).expect("below the root");
            sources.insert(name.display().to_string());
        }
    }
}
