//! mdBook builds a site from the pages, and each link in it leads somewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use zts_book::{docs, pages};
use zts_testkit::Run;

/// A page as mdBook makes it.
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

#[test]
fn the_book_builds_without_a_warning_or_a_dead_link() {
    let mdbook = zts_testkit::require_program!("mdbook");
    let folder = zts_testkit::scratch_dir();
    let output = Run::new(mdbook)
        .args(["build".as_ref(), "--dest-dir".as_ref(), folder.as_os_str()])
        .arg(docs())
        .succeed();
    let messages = output.stderr.to_lowercase();
    assert!(
        !messages.contains("warn") && !messages.contains("error"),
        "{output}"
    );
    let site = pages("")
        .iter()
        .filter(|page| *page != "SUMMARY.md")
        .map(|page| {
            let name = page
                .replace("README.md", "index.html")
                .replace(".md", ".html");
            let text = fs::read_to_string(folder.join(&name));
            let text = text.unwrap_or_else(|_| panic!("`{name}` was not made"));
            (PathBuf::from(name), Page::parse(&text))
        })
        .collect();
    let dead = dead_links(&folder, &site);
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn dead_links_are_reported() {
    let text = r##"<h1 id="here"><a href="#here">a</a> <a href="#gone">b</a>
        <a href="https://openbao.org/">c</a> <a href="sub/README.html">d</a>
        <a href="sub/page.html#here">e</a> <a href="sub/page.html#gone">f</a></h1>"##;
    let sub = r#"<p id="here"><a href="../index.html#here">a</a></p>"#;
    let site = BTreeMap::from([
        (PathBuf::from("index.html"), Page::parse(text)),
        (PathBuf::from("sub/page.html"), Page::parse(sub)),
    ]);
    assert_eq!(
        dead_links(Path::new("/does/not/exist"), &site),
        [
            "index.html: #gone",
            "index.html: sub/README.html",
            "index.html: sub/page.html#gone"
        ]
    );
}

impl Page {
    fn parse(text: &str) -> Self {
        let values = |attribute| {
            let quoted = text.split(attribute).skip(1);
            quoted.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        };
        Self {
            links: values(" href=\"").collect(),
            anchors: values(" id=\"").collect(),
        }
    }
}

/// Returns the links of pages that lead to no page, file or anchor.
fn dead_links(folder: &Path, site: &BTreeMap<PathBuf, Page>) -> Vec<String> {
    let mut dead = Vec::new();
    for (name, page) in site {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => name.clone(),
                path => normalize(&name.with_file_name(path)),
            };
            let is_good = match site.get(&target) {
                Some(page) => anchor.is_empty() || page.anchors.contains(anchor),
                None => folder.join(&target).is_file(),
            };
            if !is_good {
                dead.push(format!("{}: {link}", name.display()));
            }
        }
    }
    dead
}

/// Returns a relative path without `.` and `..`.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    normal
}
