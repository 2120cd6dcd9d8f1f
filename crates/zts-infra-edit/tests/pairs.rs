//! Pairs of input and expected output for each editor, in files.
//!
//! A case in `data/<editor>/` is `<case>.in` with `<case>.out` or, if the edit is refused,
//! `<case>.error` (the message, a blank line, the hint). `<case>.args` has the host in its first
//! line and the value in the others; without it the host is `web05`. `<case>.place` has the
//! notation and the path of the map of machines, such as `yaml vms`; without it they are `hcl
//! locals.vms`. The files do not end in `.nix` or `.tf`, so that no formatter changes them.
//!
//! `UPDATE_EXPECTED=1 cargo test -p zts-infra-edit --test pairs` writes the present results; read
//! the diff.

#![expect(
    clippy::unwrap_used,
    reason = "only tests call these: what fails here is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use zts_infra_edit::nix::{FileEdit, FleetFiles, NewHost, Origin};
use zts_infra_edit::vms::{Learnt, MapPlace, NewMachine, Notation};
use zts_infra_edit::{Error, nix, vms};

type Edit = fn(&str, &MapPlace, &str, &str) -> Result<String, Error>;
type Undo = fn(&str, &MapPlace, &str) -> Result<String, Error>;

struct Editor {
    folder: &'static str,
    /// The value of a case without one.
    value: &'static str,
    edit: Edit,
    /// The reverse edit, if the result alone suffices for it.
    undo: Option<Undo>,
}

#[test]
fn nix_add() {
    Editor {
        folder: "nix-add",
        value: "mkHost \"web05\"",
        edit: |source, _, host, value| nix::add_configuration(source, host, value),
        undo: Some(|source, _, host| nix::remove_configuration(source, host)),
    }
    .run(60);
}

#[test]
fn nix_remove() {
    let edit: Edit = |source, _, host, _| nix::remove_configuration(source, host);
    Editor {
        folder: "nix-remove",
        value: "",
        edit,
        undo: None,
    }
    .run(12);
}

/// The files of a case: each begins with a line `=== <path>`.
struct Files(BTreeMap<String, String>);

impl Files {
    fn parse(text: &str) -> Self {
        let files = text.split("=== ").filter_map(|file| file.split_once('\n'));
        Self(
            files
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }

    fn render(&self) -> String {
        let files = self.0.iter();
        let files: Vec<String> = files
            .map(|(path, text)| format!("=== {path}\n{text}"))
            .collect();
        files.concat()
    }

    fn with(&self, edits: Vec<FileEdit>) -> Self {
        let edits = edits.into_iter().map(|edit| (edit.path, edit.text));
        Self(self.0.clone().into_iter().chain(edits).collect())
    }
}

impl FleetFiles for Files {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let below = self.0.keys().filter_map(|path| match folder {
            "" => Some(path.as_str()),
            folder => path.strip_prefix(folder)?.strip_prefix('/'),
        });
        let mut names: Vec<String> = below
            .map(|path| match path.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => path.to_owned(),
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Adds a host whose value is learnt. The file `origin` of the result has the value's origin.
/// The value is the host's system and, in further lines, the hosts to learn from.
fn learn(source: &str, _place: &MapPlace, host: &str, value: &str) -> Result<String, Error> {
    let files = Files::parse(source);
    let mut lines = value.lines();
    let system = lines.next().filter(|system| !system.is_empty());
    let like: Vec<String> = lines.map(str::to_owned).collect();
    let host = NewHost {
        name: host,
        value: None,
        address: Some("10.0.0.5/24"),
        like: &like,
        system,
        module: &format!("hosts/{host}"),
        values: &BTreeMap::new(),
    };
    let added = nix::add_host(&files, "flake.nix", &host).map_err(|error| error.error)?;
    if added.origin == Origin::Existing || files.0.contains_key("origin") {
        assert_eq!(added.edits, []); // a second run
        return Ok(source.to_owned());
    }
    let mut result = files.with(added.edits);
    let removed = nix::remove_host(&result, "flake.nix", host.name).unwrap();
    assert_eq!(result.with(removed.edits).render(), files.render());
    let mut origin = format!("{:?}\n", added.origin);
    if !added.by_hand.is_empty() {
        let hint = ["by hand: ", &added.by_hand.join(" "), "\n"];
        origin.push_str(&hint.concat());
    }
    result.0.insert("origin".to_owned(), origin);
    Ok(result.render())
}

#[test]
fn nix_learn() {
    Editor {
        folder: "nix-learn",
        value: "",
        edit: learn,
        undo: None,
    }
    .run(30);
}

#[test]
fn vms_add() {
    Editor {
        folder: "vms-add",
        value: "ip = \"10.0.0.5/24\"",
        edit: vms::add_vm,
        undo: Some(vms::remove_vm),
    }
    .run(25);
}

/// The value is the address (or `dhcp`) and, in further lines, `name=value`.
#[test]
fn vms_learn() {
    let edit: Edit = |source, place, host, value| {
        let mut lines = value.lines();
        let address = lines.next().filter(|address| *address != "dhcp");
        let values = lines.filter_map(|line| line.split_once('='));
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let new = NewMachine {
            host,
            address,
            values: &values.collect(),
            elsewhere: &BTreeSet::new(),
            like: &[],
            joins_lists: place.notation == Notation::Toml,
        };
        match vms::learn_entry(source, place, &new)? {
            Learnt::Body(body, _) => vms::add_vm(source, place, host, &body),
            Learnt::NoModel => Err(missing("no model")),
            Learnt::Missing(values) => {
                let values = values.iter();
                let values = values.map(|value| format!("{}={}", value.name, value.example));
                Err(missing(&values.collect::<Vec<_>>().join(" ")))
            }
        }
    };
    Editor {
        folder: "vms-learn",
        value: "10.0.0.5/16",
        edit,
        undo: Some(vms::remove_vm),
    }
    .run(20);
}

fn missing(entry: &str) -> Error {
    Error::Missing {
        entry: entry.to_owned(),
    }
}

#[test]
fn vms_remove() {
    let edit: Edit = |source, place, host, _| vms::remove_vm(source, place, host);
    Editor {
        folder: "vms-remove",
        value: "",
        edit,
        undo: None,
    }
    .run(8);
}

#[test]
fn vms_token() {
    Editor {
        folder: "vms-token",
        value: "hvs.NEW",
        edit: vms::set_wrapping_token,
        undo: None,
    }
    .run(12);
}

impl Editor {
    /// Runs every case of the folder, which has `at_least` of them, and reports all failures by
    /// name.
    fn run(&self, at_least: usize) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(self.folder);
        let cases = cases(&folder);
        assert!(
            cases.len() >= at_least,
            "{}: only {} cases are found",
            self.folder,
            cases.len()
        );
        let failures: Vec<String> = cases
            .iter()
            .filter_map(|case| self.run_case(case).err())
            .collect();
        assert!(
            failures.is_empty(),
            "{} cases failed\n\n{}",
            failures.len(),
            failures.join("\n")
        );
    }

    fn run_case(&self, case: &Path) -> Result<(), String> {
        let source = read(&case.with_extension("in")).ok_or("no input")?;
        let (host, value) = self.arguments(case);
        let place = place_of(case);
        let (kind, actual) = match (self.edit)(&source, &place, &host, &value) {
            Ok(text) => {
                self.check_undo((case, &place), &source, &text, &host, &value)?;
                ("out", text)
            }
            Err(error) => ("error", message(&error)),
        };
        let other = if kind == "out" { "error" } else { "out" };
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(case.with_extension(kind), &actual).map_err(|error| error.to_string())?;
            let _ = fs::remove_file(case.with_extension(other));
        }
        let expected = read(&case.with_extension(kind));
        let name = case.display();
        if case.with_extension(other).exists() {
            return Err(format!(
                "{name}: an .{other} was expected, and this came:\n{actual}"
            ));
        }
        if expected.as_deref() != Some(&actual) {
            return Err(format!(
                "{name}.{kind}:\n--- expected\n{}\n--- actual\n{actual}",
                expected.unwrap_or_default()
            ));
        }
        Ok(())
    }

    /// Checks that a second edit changes nothing, and that the reverse edit restores the source.
    fn check_undo(
        &self,
        (case, place): (&Path, &MapPlace),
        source: &str,
        result: &str,
        host: &str,
        value: &str,
    ) -> Result<(), String> {
        let name = case.display();
        let again = (self.edit)(result, place, host, value)
            .map_err(|error| format!("{name}: again: {error}"))?;
        if again != result {
            return Err(format!(
                "{name}: the second run changes something:\n{again}"
            ));
        }
        let Some(undo) = self.undo.filter(|_| source != result) else {
            return Ok(());
        };
        let undone = undo(result, place, host).map_err(|error| format!("{name}: undo: {error}"))?;
        if undone != source {
            return Err(format!(
                "{name}: undone, it differs:\n{undone:?}\nfrom\n{source:?}"
            ));
        }
        Ok(())
    }

    fn arguments(&self, case: &Path) -> (String, String) {
        let text = read(&case.with_extension("args")).unwrap_or_else(|| "web05".to_owned());
        let (host, value) = text.split_once('\n').unwrap_or((&text, ""));
        let value = if value.is_empty() { self.value } else { value };
        (host.to_owned(), value.to_owned())
    }
}

/// Returns the place of the map of machines.
fn place_of(case: &Path) -> MapPlace {
    let Some(text) = read(&case.with_extension("place")) else {
        return MapPlace::default();
    };
    let (notation, path) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    MapPlace {
        notation: Notation::of_file(&format!("x.{notation}")).unwrap(),
        path: path
            .split('.')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

/// Returns the paths of the cases, without their extension.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "in"))
        .map(|path| path.with_extension(""))
        .collect();
    cases.sort();
    cases
}

/// Renders the error and its hint like a program.
fn message(error: &Error) -> String {
    if let Error::Individual { candidates, .. } = error {
        return format!("{error}\n\ncandidates:\n{}\n", candidates.join("\n"));
    }
    error.hint().map_or_else(
        || format!("{error}\n"),
        |hint| format!("{error}\n\nhint: {hint}\n"),
    )
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}
