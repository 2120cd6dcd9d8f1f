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
    files::{NixFile, nix_files, without_dots},
    model::{HostPlan, attribute_name},
    nix_text::{self, FileDeclarations, Left, Move},
    source::local_folder,
};

/// Prints the diff that adds the new declarations beside the old ones, and copies of the templates.
///
/// # Errors
/// Files that cannot be read or parsed, and declarations that differ between hosts.
pub(crate) fn print_declarations(plans: &[HostPlan], arguments: &Arguments) -> Result<(), Failure> {
    let fleet = Fleet::read(plans, arguments)?;
    let moves = moves(plans)?;
    print_notes(plans);
    let mut missing = new_declarations(plans)?;
    for name in fleet.declared_secrets()? {
        if missing.remove(&name).is_some() {
            let name = attribute_name(&name);
            note(format_args!(
                "vault.secrets.{name} is declared already, and stays as it is"
            ));
        }
    }
    let mut placed = BTreeSet::new();
    let mut diff = Diff::default();
    for file in &fleet.own {
        let names = moved_secrets(file, &moves)?;
        let texts = names.iter().filter_map(|name| missing.get(name).cloned());
        let bindings = texts.collect::<Vec<_>>().join("\n");
        placed.extend(names);
        let inserted = nix_text::insert(&file.text, &moves, &bindings)
            .map_err(|error| syntax_failure(file, &error))?;
        diff.add(&fleet, file, &inserted.text, &inserted.left)?;
    }
    for (_, text) in missing.iter().filter(|(name, _)| !placed.contains(*name)) {
        note(format_args!(
            "no file declares the old secrets by name; add this to the host:\n{text}"
        ));
    }
    diff.print(&fleet)
}

/// Prints the diff that removes the old declarations, and has services read the new files.
///
/// # Errors
/// Files that cannot be read or parsed.
pub(crate) fn print_replacement(plans: &[HostPlan], arguments: &Arguments) -> Result<(), Failure> {
    let fleet = Fleet::read(plans, arguments)?;
    let moves = moves(plans)?;
    print_notes(plans);
    let declared = fleet.declared_secrets()?;
    if let Some(undeclared) = moves.iter().find(|one| !declared.contains(&one.secret)) {
        return Err(Failure::usage(format_args!(
            "vault.secrets.{} is not declared yet",
            attribute_name(&undeclared.secret)
        ))
        .hint("apply the diff of `--declare` first, or choose secrets with `--only`"));
    }
    let templates = fleet.moved_templates()?;
    let mut diff = Diff::default();
    for file in &fleet.own {
        let replaced = nix_text::replace(&file.text, &moves, &templates)
            .map_err(|error| syntax_failure(file, &error))?;
        diff.add(&fleet, file, &replaced.text, &replaced.left)?;
    }
    // Elsewhere a declaration of the same name is another host's, and so may be the uses.
    let is_ambiguous = {
        let mut names = fleet.others.iter().map(|file| moved_secrets(file, &moves));
        names.try_fold(false, |found, names| {
            names.map(|names| found || !names.is_empty())
        })?
    };
    for file in &fleet.others {
        let replaced = nix_text::replace(&file.text, &moves, &templates)
            .map_err(|error| syntax_failure(file, &error))?;
        if !is_ambiguous {
            diff.add(&fleet, file, &replaced.text, &replaced.left)?;
        } else if replaced.text != file.text {
            let path = fleet.path_in_diff(&file.path)?;
            diff.left.push(format!(
                "{path}: not changed, because other hosts have secrets of these names"
            ));
        }
    }
    diff.print(&fleet)
}

fn print_notes(plans: &[HostPlan]) {
    for text in plans.iter().flat_map(|plan| &plan.notes) {
        note(text);
    }
}

/// The Nix files of the fleet that speak of secrets.
struct Fleet {
    /// Those with declarations of the hosts; all if they are not known.
    own: Vec<NixFile>,
    others: Vec<NixFile>,
    /// The folder in which the diff applies.
    folder: PathBuf,
}

impl Fleet {
    fn read(plans: &[HostPlan], arguments: &Arguments) -> Result<Self, Failure> {
        let here = env::current_dir().unwrap_or_default();
        if !arguments.file.is_empty() {
            return Ok(Self {
                own: nix_files(&arguments.file)?,
                others: Vec::new(),
                folder: here,
            });
        }
        let flake = &arguments.flake;
        let folder = local_folder(flake).ok_or_else(|| {
            Failure::usage(format_args!(
                "`{flake}` is no folder with a `flake.nix` here"
            ))
            .hint("go to the fleet's folder, or name it with `--flake`")
        })?;
        let own: Option<Vec<_>> = plans.iter().map(|plan| plan.files.as_ref()).collect();
        let own: Option<BTreeSet<_>> = own.map(|files| files.into_iter().flatten().collect());
        let files = nix_files(std::slice::from_ref(&folder))?.into_iter();
        let is_own = |file: &NixFile| {
            own.as_ref()
                .is_none_or(|own| own.contains(&without_dots(&file.path)))
        };
        let (own, others) = files.filter(speaks_of_secrets).partition(is_own);
        Ok(Self {
            own,
            others,
            folder: here.join(folder),
        })
    }

    fn files(&self) -> impl Iterator<Item = &NixFile> {
        self.own.iter().chain(&self.others)
    }

    /// Returns the names in `vault.secrets` of all files.
    fn declared_secrets(&self) -> Result<BTreeSet<String>, Failure> {
        let mut names = BTreeSet::new();
        for file in &self.own {
            names.extend(declarations(file)?.vault_secrets);
        }
        Ok(names)
    }

    /// Returns the templates that are declared for sops-nix and for our module.
    fn moved_templates(&self) -> Result<Vec<String>, Failure> {
        let (mut old, mut new) = (BTreeSet::new(), BTreeSet::new());
        for file in self.files() {
            let declared = declarations(file)?;
            old.extend(declared.templates.into_iter().map(|template| template.name));
            new.extend(declared.vault_templates);
        }
        Ok(old.intersection(&new).cloned().collect())
    }

    /// Returns the path of a file in the diff.
    fn path_in_diff(&self, file: &Path) -> Result<String, Failure> {
        let here = env::current_dir().unwrap_or_default();
        let file = without_dots(&here.join(file));
        let folder = without_dots(&self.folder);
        let path = file.strip_prefix(&folder).map_err(|_| {
            Failure::usage(format_args!(
                "`{}` is not below `{}`",
                file.display(),
                folder.display()
            ))
            .hint("run the command in the fleet's folder")
        })?;
        Ok(path.display().to_string())
    }
}

/// Returns whether a file can have a declaration or a use of a secret. Others are not parsed, so
/// that a broken file that no host imports does no harm.
fn speaks_of_secrets(file: &NixFile) -> bool {
    ["sops", "age", "/run/secrets"]
        .iter()
        .any(|word| file.text.contains(word))
}

/// The changes so far, and what is left to the reader.
#[derive(Default)]
struct Diff {
    text: String,
    left: Vec<String>,
}

impl Diff {
    fn add(
        &mut self,
        fleet: &Fleet,
        file: &NixFile,
        changed: &str,
        left: &[Left],
    ) -> Result<(), Failure> {
        let path = fleet.path_in_diff(&file.path)?;
        for Left { line, text, reason } in left {
            self.left.push(format!("{path}:{line}: `{text}`: {reason}"));
        }
        if changed != file.text {
            let diff = TextDiff::from_lines(file.text.as_str(), changed);
            let mut unified = diff.unified_diff();
            let unified = unified.header(&format!("a/{path}"), &format!("b/{path}"));
            self.text += &unified.to_string();
        }
        Ok(())
    }

    fn print(&self, fleet: &Fleet) -> Result<(), Failure> {
        for left in &self.left {
            warn(left);
        }
        if self.text.is_empty() {
            return Err(Failure::failed("no file changes"));
        }
        let folder = without_dots(&fleet.folder);
        if env::current_dir().is_ok_and(|here| here != folder) {
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

/// Returns the names in `vault.secrets` of the secrets that move and are declared in this file.
fn moved_secrets(file: &NixFile, moves: &[Move]) -> Result<BTreeSet<String>, Failure> {
    let declared = declarations(file)?;
    let names = declared.secrets.iter().filter_map(|old| {
        let mut moves = moves.iter();
        moves.find(|one| one.tool == old.tool && one.old == old.name)
    });
    Ok(names.map(|one| one.secret.clone()).collect())
}
