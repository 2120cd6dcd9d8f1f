//! Declarations of a flake's hosts, evaluated by Nix.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use zts_cli::{Failure, evaluate_hosts, unknown_host};

use crate::{
    cli::Arguments,
    files::without_dots,
    model::{Content, Declaration, DeclaredTemplate, Host},
    tool::Tool,
};

/// The Nix function that is applied to the flake's nixosConfigurations.
const EXPRESSION: &str = include_str!("hosts.nix");
const WITHOUT_NIX: &str =
    "name a host, and its files with `--file PATH`: their text is read without Nix";

#[derive(Deserialize)]
struct Evaluated {
    names: Vec<String>,
    /// The files of hosts that are not selected.
    others: BTreeMap<String, Vec<String>>,
    hosts: BTreeMap<String, EvaluatedHost>,
}

#[derive(Deserialize)]
struct EvaluatedHost {
    hostname: String,
    secrets_directory: Option<String>,
    secrets: Vec<EvaluatedSecret>,
    templates: Vec<EvaluatedTemplate>,
    files: Vec<String>,
}

#[derive(Deserialize)]
struct EvaluatedSecret {
    tool: Tool,
    name: String,
    file: String,
    format: String,
    key: String,
    owner: String,
    group: String,
    mode: String,
    path: String,
    default_path: String,
    restart_units: Vec<String>,
    reload_units: Vec<String>,
    readers: Vec<String>,
    needed_early: bool,
}

#[derive(Deserialize)]
struct EvaluatedTemplate {
    name: String,
    path: String,
    secrets: Vec<String>,
}

/// Evaluates these hosts of the flake, or all with secrets of sops-nix or agenix.
pub(super) fn read_hosts(arguments: &Arguments) -> Result<Vec<Host>, Failure> {
    let (reference, selected) = (&arguments.flake, &arguments.hosts);
    let changes_files = arguments.declare || arguments.replace;
    let expression = EXPRESSION.replace("WITH_OTHERS", &changes_files.to_string());
    let evaluated: Evaluated = evaluate_hosts(reference, &expression, selected, WITHOUT_NIX)?;
    for name in selected {
        if !evaluated.names.contains(name) {
            let place = format!("in `{reference}#nixosConfigurations`");
            return Err(unknown_host(name, &place, &evaluated.names));
        }
        if !evaluated.hosts.contains_key(name) {
            return Err(Failure::usage(format_args!(
                "host `{name}` has no secret of sops-nix or agenix"
            )));
        }
    }
    if evaluated.hosts.is_empty() {
        return Err(Failure::usage(format_args!(
            "no host of `{reference}#nixosConfigurations` has a secret of sops-nix or agenix"
        )));
    }
    let folder = local_folder(reference);
    check_others(&evaluated, folder.as_deref())?;
    let hosts = evaluated.hosts.into_iter();
    Ok(hosts
        .map(|(name, host)| host.into_host(name, folder.as_deref()))
        .collect())
}

/// Refuses a file of the fleet that declares secrets of these hosts and of others.
fn check_others(evaluated: &Evaluated, folder: Option<&Path>) -> Result<(), Failure> {
    let own: BTreeSet<_> = evaluated
        .hosts
        .values()
        .flat_map(|host| &host.files)
        .filter_map(|file| in_working_tree(file, folder))
        .collect();
    for (name, files) in &evaluated.others {
        let mut files = files
            .iter()
            .filter_map(|file| in_working_tree(file, folder));
        if let Some(file) = files.find(|file| own.contains(file)) {
            return Err(Failure::usage(format_args!(
                "`{}` declares secrets of `{name}`, too",
                file.display()
            ))
            .hint(format!(
                "move both hosts at once: add `{name}` to the command"
            )));
        }
    }
    Ok(())
}

/// Returns the folder of a flake on this machine.
pub(crate) fn local_folder(reference: &str) -> Option<PathBuf> {
    let (path, _) = reference.split_once(['?', '#']).unwrap_or((reference, ""));
    let path = path
        .strip_prefix("path:")
        .or_else(|| path.strip_prefix("git+file:"))
        .unwrap_or(path);
    let folder = PathBuf::from(path.strip_prefix("//").map_or(path, |rest| rest));
    folder.join("flake.nix").is_file().then_some(folder)
}

impl EvaluatedHost {
    fn into_host(self, name: String, folder: Option<&Path>) -> Host {
        let secrets = self.secrets.into_iter();
        let templates = self.templates.into_iter();
        let files = self.files.iter();
        let files: BTreeSet<_> = files
            .filter_map(|file| in_working_tree(file, folder))
            .collect();
        Host {
            files: (!files.is_empty()).then_some(files),
            name,
            hostname: self.hostname,
            secrets_directory: self.secrets_directory,
            declarations: secrets
                .map(|secret| secret.into_declaration(folder))
                .collect(),
            templates: templates
                .map(|template| DeclaredTemplate {
                    name: template.name,
                    path: template.path,
                    secrets: template.secrets,
                })
                .collect(),
            unread: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl EvaluatedSecret {
    fn into_declaration(self, folder: Option<&Path>) -> Declaration {
        let content = match self.tool {
            Tool::SopsNix => Content::of_sops(&self.format, &self.key),
            Tool::Agenix => Content::Age,
        };
        Declaration {
            tool: self.tool,
            name: self.name,
            file: working_file(&self.file, folder),
            content,
            owner: self.owner,
            group: self.group,
            mode: self.mode,
            is_linked: self.path != self.default_path,
            path: self.path,
            restart_units: self.restart_units,
            reload_units: self.reload_units,
            readers: self.readers,
            needed_early: self.needed_early,
        }
    }
}

/// Returns the file of the working tree of which this is the copy in the Nix store. A lazily
/// fetched flake has no copy there.
fn working_file(file: &str, folder: Option<&Path>) -> PathBuf {
    in_working_tree(file, folder).unwrap_or_else(|| file.into())
}

fn in_working_tree(file: &str, folder: Option<&Path>) -> Option<PathBuf> {
    let (_, rest) = file.strip_prefix("/nix/store/")?.split_once('/')?;
    let path = without_dots(&folder?.join(rest));
    if path.is_dir() {
        return Some(path.join("default.nix"));
    }
    path.is_file().then_some(path)
}
