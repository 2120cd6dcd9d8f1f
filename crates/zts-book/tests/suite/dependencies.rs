//! Generates `docs/explanation/dependencies.md` from the manifests, and compares.
//!
//! `BOOK=write cargo test -p zts-book --test suite dependencies` writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
};

use toml_edit::{DocumentMut, Item, Table};
use zts_book::root;

use crate::reference::current;

/// A crate of this workspace.
struct Member {
    description: String,
    /// The crates that its library or program uses, of this workspace and of others.
    uses: BTreeSet<String>,
    /// The crates that only its tests use.
    uses_in_tests: BTreeSet<String>,
}

#[test]
fn dependencies() {
    let members = members();
    let reasons = reasons();
    let mut text = "# Dependencies\n\n\
        Made from the manifests: `BOOK=write cargo test -p zts-book --test suite dependencies`.\n\n\
        ## The crates of this workspace\n\n\
        An arrow leads to a crate that is used directly. Arrows that follow from others are left out, and so are\n\
        crates for tests.\n\n```mermaid\ngraph LR\n"
        .to_owned();
    let inside = |member: &Member| -> BTreeSet<String> {
        let uses = member.uses.iter();
        uses.filter(|name| members.contains_key(*name))
            .cloned()
            .collect()
    };
    let edges: BTreeMap<_, _> = members
        .iter()
        .map(|(name, member)| (name.clone(), inside(member)))
        .collect();
    for (name, direct) in &edges {
        for used in direct {
            let is_implied = direct
                .iter()
                .any(|other| other != used && reaches(&edges, other, used));
            if !is_implied {
                writeln!(text, "  {name} --> {used}").expect("text");
            }
        }
    }
    text.push_str("```\n\n| crate | |\n| --- | --- |\n");
    for (name, member) in &members {
        writeln!(text, "| `{name}` | {} |", member.description).expect("text");
    }
    text.push_str("\n## Crates of others\n\n| crate | reason | used by |\n| --- | --- | --- |\n");
    for (name, reason) in &reasons {
        let users = members.iter().filter_map(|(member, is)| {
            let in_tests = is.uses_in_tests.contains(name).then_some(" (tests)");
            is.uses
                .contains(name)
                .then_some("")
                .or(in_tests)
                .map(|suffix| format!("`{member}`{suffix}"))
        });
        let users: Vec<_> = users.collect();
        assert!(!users.is_empty(), "no crate uses `{name}`");
        writeln!(text, "| `{name}` | {reason} | {} |", users.join(", ")).expect("text");
    }
    current("explanation/dependencies.md", &text);
}

/// Returns whether `from` uses `to`, directly or through others.
fn reaches(edges: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    edges.get(from).is_some_and(|direct| {
        direct.contains(to) || direct.iter().any(|next| reaches(edges, next, to))
    })
}

fn members() -> BTreeMap<String, Member> {
    let folders = fs::read_dir(root().join("crates")).expect("the crates are listed");
    let manifests = folders
        .flatten()
        .map(|folder| manifest(&format!("crates/{}", folder.file_name().to_string_lossy())));
    let members = manifests.map(|manifest| {
        let package = |key: &str| {
            let value = manifest["package"][key].as_str();
            value.expect("a package has that").to_owned()
        };
        let targets = manifest.get("target").and_then(Item::as_table);
        let of_targets = targets.into_iter().flat_map(Table::iter);
        let of_targets = of_targets.flat_map(|(_, target)| names(target.get("dependencies")));
        let everywhere = names(manifest.get("dependencies"));
        let member = Member {
            description: package("description"),
            uses: everywhere.into_iter().chain(of_targets).collect(),
            uses_in_tests: names(manifest.get("dev-dependencies")),
        };
        (package("name"), member)
    });
    members.collect()
}

fn names(table: Option<&Item>) -> BTreeSet<String> {
    let table = table.and_then(Item::as_table);
    table
        .into_iter()
        .flat_map(Table::iter)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Returns the dependencies of the workspace that are not its own, each with the comment behind it.
fn reasons() -> BTreeMap<String, String> {
    let text = read("");
    let (_, section) = text
        .split_once("[workspace.dependencies]")
        .expect("the workspace has dependencies");
    let lines = section
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let lines = lines.filter(|line| !line.starts_with('#'));
    let others = lines.filter_map(|line| line.split_once(" = "));
    others
        .filter(|(name, _)| !name.starts_with("zts-"))
        .map(|(name, rest)| {
            let (_, reason) = rest.rsplit_once(" # ").unwrap_or_else(|| {
                panic!("`{name}` in Cargo.toml has no reason behind it: `{name} = … # why`")
            });
            (name.to_owned(), reason.trim().to_owned())
        })
        .collect()
}

fn manifest(folder: &str) -> DocumentMut {
    read(folder).parse().expect("the manifest is TOML")
}

fn read(folder: &str) -> String {
    let path = root().join(folder).join("Cargo.toml");
    fs::read_to_string(path).expect("the manifest is read")
}
