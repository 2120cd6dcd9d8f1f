//! Holds which crate may use which: the rule of ARCHITECTURE.md, checked against what cargo knows
//! and against the libraries' sources.
#![expect(clippy::expect_used, reason = "a test that cannot look has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// What a binary may use of this workspace outside its tests.
const SHARED: [&str; 7] = [
    "cli",
    "delivery",
    "exposition",
    "infra-edit",
    "openbao",
    "s3",
    "secure-fs",
];

/// Libraries that know nothing of the process they run in.
const PURE: [&str; 6] = [
    "delivery",
    "exposition",
    "infra-edit",
    "openbao",
    "s3",
    "secure-fs",
];

/// What would tie such a library to a command line, an environment or an exit status.
const OF_A_PROCESS: [&str; 6] = [
    "std::env",
    "env::var",
    "process::exit",
    "process::abort",
    "ExitCode",
    "clap",
];

/// What would make `infra-edit` more than text in, text out.
const OF_THE_SYSTEM: [&str; 4] = ["std::fs", "std::net", "std::io", "tempfile"];

struct Package {
    name: String,
    folder: PathBuf,
    has_program: bool,
    uses: Vec<Use>,
}

struct Use {
    name: String,
    in_tests_only: bool,
}

#[test]
fn crates_use_each_other_one_way() {
    let packages = workspace();
    assert!(packages.len() >= 7, "found {} packages", packages.len());
    assert_eq!(broken_uses(&packages), Vec::<String>::new());
}

#[test]
fn every_rule_can_be_broken() {
    let broken = broken_uses(&[
        example(
            "vault-fetch",
            true,
            &["openbao", "vault-unwrap", "testkit", "ureq"],
        ),
        example("vault-unwrap", true, &["cli"]),
        example("cli", false, &["infra-edit", "vault-fetch"]),
        example("openbao", false, &["ureq", "clap", "cli"]),
    ]);
    assert_eq!(
        broken,
        [
            "`vault-fetch` uses the program `vault-unwrap`",
            "`vault-fetch` uses `testkit` outside its tests",
            "`vault-fetch` uses `ureq`: only `openbao` and `s3` speak HTTP",
            "`cli` uses the program `vault-fetch`",
            "`openbao` uses `clap`",
            "`openbao` uses `cli`",
        ]
    );
}

#[test]
fn libraries_know_nothing_of_their_process() {
    let packages = workspace();
    let mut found = Vec::new();
    for library in PURE {
        let package = packages.iter().find(|package| package.name == library);
        let folder = &package.expect("the library is in the workspace").folder;
        let mut banned = OF_A_PROCESS.to_vec();
        if library == "infra-edit" {
            banned.extend(OF_THE_SYSTEM);
        }
        found.extend(mentions(&folder.join("src"), &banned));
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Every use that the rule forbids, in words.
fn broken_uses(packages: &[Package]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in packages {
        for other in package.uses.iter().filter(|other| !other.in_tests_only) {
            let (name, used) = (package.name.as_str(), other.name.as_str());
            if used == "testkit" {
                broken.push(format!("`{name}` uses `testkit` outside its tests"));
            } else if is_program(used, packages) {
                broken.push(format!("`{name}` uses the program `{used}`"));
            } else if PURE.contains(&name) && is_beyond(name, used) {
                broken.push(format!("`{name}` uses `{used}`"));
            } else if used == "ureq" && !["openbao", "s3"].contains(&name) {
                broken.push(format!(
                    "`{name}` uses `ureq`: only `openbao` and `s3` speak HTTP"
                ));
            }
        }
    }
    broken
}

/// Whether a library of [`PURE`] must not use that: a command line, or another library, but that
/// `delivery` asks OpenBao, and `s3` trusts and streams as `openbao` does, and that files are written
/// by `secure-fs`.
fn is_beyond(library: &str, used: &str) -> bool {
    let allowed = used == "openbao" && ["delivery", "s3"].contains(&library)
        || used == "secure-fs" && ["delivery", "exposition"].contains(&library);
    used.starts_with("clap") || SHARED.contains(&used) && !allowed
}

/// Whether that is a crate of this workspace that makes a program.
fn is_program(name: &str, packages: &[Package]) -> bool {
    packages
        .iter()
        .any(|package| package.name == name && package.has_program)
}

/// `file:line: what` for each banned word in the code (not the comments) below a folder.
fn mentions(folder: &Path, banned: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            found.extend(mentions(&path, banned));
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file can be read");
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in banned.iter().filter(|word| code.contains(**word)) {
                found.push(format!("{}:{}: {word}", path.display(), index + 1));
            }
        }
    }
    found
}

/// The crates of this workspace, as `cargo metadata` tells them.
fn workspace() -> Vec<Package> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    list(&metadata, "packages").iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let manifest = Path::new(text(value, "manifest_path"));
    Package {
        name: text(value, "name").to_owned(),
        folder: manifest.parent().unwrap_or(manifest).to_owned(),
        has_program: list(value, "targets")
            .iter()
            .any(|target| list(target, "kind").iter().any(|kind| kind == "bin")),
        uses: list(value, "dependencies")
            .iter()
            .map(|dependency| Use {
                name: text(dependency, "name").to_owned(),
                in_tests_only: dependency["kind"] == "dev",
            })
            .collect(),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("cargo's metadata has that text")
}

fn example(name: &str, has_program: bool, uses: &[&str]) -> Package {
    let uses = uses.iter().map(|name| Use {
        name: (*name).to_owned(),
        in_tests_only: false,
    });
    Package {
        name: name.to_owned(),
        folder: PathBuf::new(),
        has_program,
        uses: uses.collect(),
    }
}
