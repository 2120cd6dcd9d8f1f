//! Changes of the fleet's files, printed as a diff for `git apply`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Display,
    path::{Path, PathBuf},
};

use similar::TextDiff;
use zts_cli::{Failure, data, note, shell_word, warn};

use crate::{
    bindings,
    cli::Arguments,
    files::{NixFile, nix_files},
    model::HostPlan,
    nix_text::{self, FileDeclarations, Left, Move},
    source::local_folder,
};

/// Prints the diff that adds the new declarations beside the old ones, and copies of the templates.
///
/// # Errors
/// Files that cannot be read or parsed, and declarations that differ between hosts.
pub(crate) fn print_declarations(plans: &[HostPlan], arguments: &Arguments) -> Result<(), Failure> {
    let fleet = Fleet::read(arguments)?;
    let moves = moves(plans)?;
    print_notes(plans);
    let mut missing = new_declarations(plans)?;
    for file in &fleet.files {
        let declared = declarations(file)?;
        missing.retain(|name, _| !declared.vault_secrets.contains(name));
    }
    let mut diff = Diff::default();
    for file in &fleet.files {
        let bindings = take_declared_in(file, &moves, &mut missing)?;
        let inserted = nix_text::insert(&file.text, &moves, &bindings)
            .map_err(|error| syntax_failure(file, &error))?;
        diff.add(&fleet, file, &inserted.text, &inserted.left);
    }
    for text in missing.values() {
        note(format_args!(
            "no file declares the old secrets of this one by name; add it yourself:\n{text}"
        ));
    }
    diff.print(&fleet)
}

/// Prints the diff that removes the old declarations, and has services read the new files.
///
/// # Errors
/// Files that cannot be read or parsed.
pub(crate) fn print_replacement(plans: &[HostPlan], arguments: &Arguments) -> Result<(), Failure> {
    let fleet = Fleet::read(arguments)?;
    let moves = moves(plans)?;
    print_notes(plans);
    let templates = fleet.moved_templates()?;
    let mut diff = Diff::default();
    for file in &fleet.files {
        let replaced = nix_text::replace(&file.text, &moves, &templates)
            .map_err(|error| syntax_failure(file, &error))?;
        diff.add(&fleet, file, &replaced.text, &replaced.left);
    }
    diff.print(&fleet)
}

fn print_notes(plans: &[HostPlan]) {
    for text in plans.iter().flat_map(|plan| &plan.notes) {
        note(text);
    }
}

/// The Nix files of the fleet.
struct Fleet {
    files: Vec<NixFile>,
    /// The folder in which the diff applies.
    folder: PathBuf,
}

impl Fleet {
    fn read(arguments: &Arguments) -> Result<Self, Failure> {
        if !arguments.file.is_empty() {
            return Ok(Self {
                files: nix_files(&arguments.file)?,
                folder: PathBuf::new(),
            });
        }
        let flake = &arguments.flake;
        let folder = local_folder(flake).ok_or_else(|| {
            Failure::usage(format_args!("`{flake}` is no folder on this machine"))
                .hint("clone the fleet, and name its folder with `--flake`")
        })?;
        Ok(Self {
            files: nix_files(std::slice::from_ref(&folder))?,
            folder,
        })
    }

    /// Returns the templates that are declared for sops-nix and for our module.
    fn moved_templates(&self) -> Result<Vec<String>, Failure> {
        let (mut old, mut new) = (BTreeSet::new(), BTreeSet::new());
        for file in &self.files {
            let declared = declarations(file)?;
            old.extend(declared.templates.into_iter().map(|template| template.name));
            new.extend(declared.vault_templates);
        }
        Ok(old.intersection(&new).cloned().collect())
    }

    /// Returns the path of a file in the diff.
    fn path_in_diff(&self, file: &Path) -> String {
        let here = env::current_dir().unwrap_or_default();
        let path = file
            .strip_prefix(&self.folder)
            .or_else(|_| file.strip_prefix(&here))
            .unwrap_or(file);
        let path = path.strip_prefix(".").unwrap_or(path);
        path.display()
            .to_string()
            .trim_start_matches('/')
            .to_owned()
    }
}

/// The changes so far, and what is left to the reader.
#[derive(Default)]
struct Diff {
    text: String,
    left: Vec<String>,
}

impl Diff {
    fn add(&mut self, fleet: &Fleet, file: &NixFile, changed: &str, left: &[Left]) {
        let path = fleet.path_in_diff(&file.path);
        for Left { line, text, reason } in left {
            self.left.push(format!("{path}:{line}: `{text}`: {reason}"));
        }
        if changed != file.text {
            let diff = TextDiff::from_lines(file.text.as_str(), changed);
            let mut unified = diff.unified_diff();
            let unified = unified.header(&format!("a/{path}"), &format!("b/{path}"));
            self.text += &unified.to_string();
        }
    }

    fn print(&self, fleet: &Fleet) -> Result<(), Failure> {
        for left in &self.left {
            warn(left);
        }
        if self.text.is_empty() {
            return Err(Failure::failed("no file changes"));
        }
        let folder = &fleet.folder;
        if !folder.as_os_str().is_empty() && folder != Path::new(".") {
            let folder = shell_word(&folder.display().to_string());
            note(format_args!("apply it with `git -C {folder} apply`"));
        }
        data(self.text.trim_end_matches('\n'))
    }
}

fn declarations(file: &NixFile) -> Result<FileDeclarations, Failure> {
    nix_text::declarations(&file.text).map_err(|error| syntax_failure(file, &error))
}

fn syntax_failure(file: &NixFile, error: &impl Display) -> Failure {
    Failure::usage(format_args!("`{}`: {error}", file.path.display()))
}

/// Returns the moves of all hosts. A declaration that several hosts share moves to one place.
fn moves(plans: &[HostPlan]) -> Result<Vec<Move>, Failure> {
    let mut moves: Vec<Move> = Vec::new();
    for secret in plans.iter().flat_map(|plan| &plan.secrets) {
        for file in &secret.files {
            let new = Move {
                tool: file.old.tool,
                old: file.old.name.clone(),
                secret: secret.name.clone(),
                file: file.name.clone(),
                replacement: bindings::link(secret, file),
            };
            let same = moves
                .iter()
                .find(|one| one.tool == new.tool && one.old == new.old);
            match same {
                Some(one) if *one == new => {}
                Some(_) => return Err(differing(&file.old.option())),
                None => moves.push(new),
            }
        }
    }
    Ok(moves)
}

/// Returns the new declarations by the names of their secrets.
fn new_declarations(plans: &[HostPlan]) -> Result<BTreeMap<String, String>, Failure> {
    let mut declarations = BTreeMap::new();
    for secret in plans.iter().flat_map(|plan| &plan.secrets) {
        let text = bindings::declaration(secret);
        let other = declarations.insert(secret.name.clone(), text.clone());
        if other.is_some_and(|other| other != text) {
            return Err(differing(&format!("vault.secrets.{}", secret.name)));
        }
    }
    Ok(declarations)
}

fn differing(option: &str) -> Failure {
    Failure::usage(format_args!(
        "`{option}` is not the same on all these hosts"
    ))
    .hint("name one host after the other")
}

/// Takes out the new declarations whose old ones are in this file.
fn take_declared_in(
    file: &NixFile,
    moves: &[Move],
    missing: &mut BTreeMap<String, String>,
) -> Result<String, Failure> {
    let declared = declarations(file)?;
    let names: BTreeSet<_> = declared
        .secrets
        .iter()
        .filter_map(|old| {
            let mut moves = moves.iter();
            moves.find(|one| one.tool == old.tool && one.old == old.name)
        })
        .map(|one| &one.secret)
        .collect();
    let texts = names.into_iter().filter_map(|name| missing.remove(name));
    Ok(texts.collect::<Vec<_>>().join("\n"))
}
