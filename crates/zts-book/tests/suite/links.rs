//! Links lead to files and headings that exist.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use zts_book::{Link, Outline, docs, pages, root};

/// The Markdown files outside `docs/` that people read.
const OTHERS: [&str; 5] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "bench/README.md",
];

#[test]
fn every_link_leads_somewhere() {
    let others = OTHERS.map(|name| root().join(name));
    let files = pages("").into_iter().map(|name| docs().join(name));
    let mut broken = Vec::new();
    let mut count = 0;
    for file in files.chain(others) {
        let text = fs::read_to_string(&file).expect("the page is read");
        for link in Outline::parse(&text).links {
            count += 1;
            if let Err(why) = check(&file, &link) {
                let name = file.strip_prefix(root()).unwrap_or(&file).display();
                broken.push(format!("{name}:{}: `{}`: {why}", link.line, link.target));
            }
        }
    }
    assert!(count > 50, "only {count} links were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn broken_links_are_reported() {
    let page = docs().join("how-to/unseal.md");
    let check_target = |target: &str| {
        let target = target.to_owned();
        check(&page, &Link { line: 1, target }).err()
    };
    for good in [
        "replace-node.md",
        "replace-node.md#remove-it",
        "#steps",
        "../book.toml",
        "https://openbao.org/docs/",
    ] {
        assert_eq!(check_target(good), None, "{good}");
    }
    for (bad, why) in [
        ("none.md", "there is no such file"),
        ("replace-node.md#none", "there is no such heading"),
        ("#none", "there is no such heading"),
        ("../../README.md", "outside the book"),
        ("../explanation", "is a folder"),
        ("/etc/passwd", "not relative"),
        ("https:///x", "not a web address"),
        ("", "it is empty"),
    ] {
        assert_eq!(check_target(bad), Some(why), "{bad}");
    }
}

/// Returns whether the target of a link in a file exists.
fn check(file: &Path, link: &Link) -> Result<(), &'static str> {
    let target = link.target.as_str();
    if target.is_empty() {
        return Err("it is empty");
    }
    if let Some(rest) = target.strip_prefix("https://") {
        let host = rest.split(['/', '#', '?']).next().unwrap_or_default();
        let named = host.contains('.') && !target.contains(char::is_whitespace);
        return named.then_some(()).ok_or("not a web address");
    }
    if target.contains("://") || target.starts_with('/') {
        return Err("not relative");
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        file.to_owned()
    } else {
        join(file.parent().unwrap_or(file), path)
    };
    // mdBook's site has no files outside the book's folder. The generated list of options links to
    // declarations for readers on a git host.
    let declaration = path.extension().is_some_and(|ending| ending == "nix");
    if file.starts_with(docs()) && !path.starts_with(docs()) && !declaration {
        return Err("outside the book");
    }
    if path.is_dir() {
        // A page of the book links to pages; other files may link to folders.
        return if file.starts_with(docs()) {
            Err("is a folder")
        } else {
            Ok(())
        };
    }
    if !path.is_file() {
        return Err("there is no such file");
    }
    if heading.is_empty() {
        return Ok(());
    }
    let text = fs::read_to_string(&path).map_err(|_| "it cannot be read")?;
    let anchors = Outline::parse(&text).anchors;
    anchors
        .contains(heading)
        .then_some(())
        .ok_or("there is no such heading")
}

/// Joins the paths and resolves `..`; the result need not exist.
fn join(folder: &Path, path: &str) -> PathBuf {
    let mut joined = folder.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                joined.pop();
            }
            Component::CurDir => {}
            other => joined.push(other),
        }
    }
    joined
}
