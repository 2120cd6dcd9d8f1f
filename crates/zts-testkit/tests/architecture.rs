//! Holds which crate may use which: the rule of ARCHITECTURE.md, checked against what cargo knows
//! and against the libraries' sources.
#![expect(clippy::expect_used, reason = "a test that cannot look has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Libraries that know nothing of the process they run in.
const PURE: [&str; 7] = [
    "zts-delivery",
    "zts-exposition",
    "zts-infra-edit",
    "zts-net",
    "zts-openbao",
    "zts-s3",
    "zts-secure-fs",
];

/// The libraries that send HTTP requests.
const HTTP: [&str; 3] = ["zts-net", "zts-openbao", "zts-s3"];

/// The parts of `std` and `clap` that tie a library to a command line, an environment or an exit
/// status.
const OF_A_PROCESS: [&str; 6] = [
    "std::env",
    "env::var",
    "process::exit",
    "process::abort",
    "ExitCode",
    "clap",
];

/// The parts of `std` that `zts-infra-edit`, which only transforms text, must not use.
const OF_THE_SYSTEM: [&str; 4] = ["std::fs", "std::net", "std::io", "tempfile"];

/// The programs for an operator's machine, which may be a Mac.
const ON_MACOS: [&str; 4] = [
    "create-host",
    "vault-import",
    "vault-plan",
    "vault-snapshot",
];

/// The module with a crate's counterparts of these for other systems.
const LINUX_MODULE: &str = "platform/linux.rs";

/// The names that only Linux has.
const OF_LINUX: [&str; 15] = [
    "/proc/",
    "Errno::NODATA",
    "OFlags::PATH",
    "OFlags::TMPFILE",
    "dumpable",
    "inotify",
    "landlock",
    "memfd",
    "mount_change",
    "netlink",
    "nix::sched",
    "openat2",
    "os::linux",
    "parent_process_death",
    "sd_notify",
];

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
            &["zts-openbao", "vault-unwrap", "zts-testkit", "ureq"],
        ),
        example("vault-unwrap", true, &["zts-cli"]),
        example("zts-cli", false, &["zts-infra-edit", "vault-fetch"]),
        example("zts-openbao", false, &["ureq", "clap", "zts-cli"]),
    ]);
    assert_eq!(
        broken,
        [
            "`vault-fetch` uses the program `vault-unwrap`",
            "`vault-fetch` uses `zts-testkit` outside its tests",
            r#"`vault-fetch` uses `ureq`: only ["zts-net", "zts-openbao", "zts-s3"] may send HTTP requests"#,
            "`zts-cli` uses the program `vault-fetch`",
            "`zts-openbao` uses `clap`",
            "`zts-openbao` uses `zts-cli`",
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
        if library == "zts-infra-edit" {
            banned.extend(OF_THE_SYSTEM);
        }
        found.extend(mentions(&folder.join("src"), &banned));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn programs_for_a_mac_use_linux_in_one_module() {
    let packages = workspace();
    let mut names = ON_MACOS.map(str::to_owned).to_vec();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(name) = names.get(next) {
        next += 1;
        let Some(package) = packages.iter().find(|package| package.name == *name) else {
            continue; // a crate of others
        };
        found.extend(mentions(&package.folder.join("src"), &OF_LINUX));
        let uses = package.uses.iter().filter(|used| !used.in_tests_only);
        for used in uses.map(|used| used.name.clone()) {
            if !names.contains(&used) {
                names.push(used);
            }
        }
    }
    let is_apart = |line: &String| line.contains(LINUX_MODULE);
    assert!(found.iter().any(is_apart), "the search finds nothing");
    found.retain(|line| !is_apart(line));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_cause_of_an_error_is_its_source() {
    let packages = workspace();
    let libraries = packages.iter().filter(|package| !package.has_program);
    let files = libraries.flat_map(|package| source_files(&package.folder.join("src")));
    let (mut causes, mut found) = (0, Vec::new());
    for path in files {
        let text = fs::read_to_string(&path).expect("a source file can be read");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let pairs = lines.windows(2).zip(2..);
        for (pair, number) in pairs.filter(|(pair, _)| is_cause(pair[1])) {
            causes += 1;
            if pair[0] != "#[source]" {
                found.push(format!("{}:{number}: {}", path.display(), pair[1]));
            }
        }
    }
    assert!(causes >= 5, "the search finds {causes} causes");
    assert_eq!(found, Vec::<String>::new());
}

/// Holds the code to the files that `sources.clippy` of nix/sources.nix has: those of `crates` and
/// of `example`. The check of the tests has more, so that only a file that is read at run time can
/// be another one.
#[test]
fn compiled_in_are_files_of_the_crates_and_of_the_example() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let crates = crates.expect("this crate is in a folder");
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "rs");
    let (mut seen, mut found) = (0, Vec::new());
    for path in source_files(crates).into_iter().filter(is_rust) {
        let text = fs::read_to_string(&path).expect("a source file can be read");
        let place = path.strip_prefix(crates).expect("a file of a crate");
        let depth = place.components().count() - 1;
        for included in compiled_in(&text) {
            seen += 1;
            let above = Path::new(included).iter().filter(|step| *step == "..");
            if above.count() > depth && !included.contains("../example/") {
                found.push(format!("{}: {included}", place.display()));
            }
        }
    }
    assert!(seen >= 20, "the search finds {seen} files");
    assert_eq!(found, Vec::<String>::new());
}

/// Returns the paths of the files that a source file has the compiler read.
fn compiled_in(text: &str) -> impl Iterator<Item = &str> {
    let starts = ["include_str!(\"", "include_bytes!(\"", "#[path = \""];
    let found = starts
        .into_iter()
        .flat_map(|start| text.split(start).skip(1));
    found.filter_map(|rest| rest.split('"').next())
}

/// Returns whether the line declares a field with the error that caused another one.
fn is_cause(line: &str) -> bool {
    let field = line.strip_prefix("pub ").unwrap_or(line);
    let kind = field.strip_prefix("cause: ");
    let kind = kind.filter(|kind| !kind.starts_with('&')); // an argument
    kind.is_some_and(|kind| {
        ["Error,", "Error>,", "Cause,"]
            .iter()
            .any(|end| kind.ends_with(end))
    })
}

/// Every use that the rule forbids, in words.
fn broken_uses(packages: &[Package]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in packages {
        for other in package.uses.iter().filter(|other| !other.in_tests_only) {
            let (name, used) = (package.name.as_str(), other.name.as_str());
            if used == "zts-testkit" {
                broken.push(format!("`{name}` uses `zts-testkit` outside its tests"));
            } else if is_program(used, packages) {
                broken.push(format!("`{name}` uses the program `{used}`"));
            } else if PURE.contains(&name) && is_beyond(name, used) {
                broken.push(format!("`{name}` uses `{used}`"));
            } else if used == "ureq" && !HTTP.contains(&name) {
                broken.push(format!(
                    "`{name}` uses `ureq`: only {HTTP:?} may send HTTP requests"
                ));
            }
        }
    }
    broken
}

/// Returns whether a library of [`PURE`] must not use that: a command line, or another library.
/// Exceptions: `zts-delivery` asks OpenBao, the clients of APIs use `zts-net`, and files are
/// written by `zts-secure-fs`.
fn is_beyond(library: &str, used: &str) -> bool {
    let allowed: &[&str] = match used {
        "zts-net" => &["zts-delivery", "zts-openbao", "zts-s3"],
        "zts-openbao" => &["zts-delivery"],
        "zts-secure-fs" => &["zts-delivery", "zts-exposition"],
        _ => &[],
    };
    let is_shared = used == "zts-cli" || PURE.contains(&used);
    used.starts_with("clap") || is_shared && !allowed.contains(&library)
}

/// Returns whether it is a crate of this workspace with a program.
fn is_program(name: &str, packages: &[Package]) -> bool {
    packages
        .iter()
        .any(|package| package.name == name && package.has_program)
}

/// `file:line: what` for each banned word in the code (not the comments) below a folder.
fn mentions(folder: &Path, banned: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in source_files(folder) {
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

/// Returns the files of a folder and of those in it.
fn source_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a source folder can be listed");
    let paths = entries.map(|entry| entry.expect("an entry can be read").path());
    let files = paths.flat_map(|path| {
        if path.is_dir() {
            source_files(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
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
