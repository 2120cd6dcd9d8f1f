//! Declarations of a flake's hosts, evaluated by Nix.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use zts_cli::{Failure, evaluate_hosts, unknown_host};

use crate::{
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
    hosts: BTreeMap<String, EvaluatedHost>,
}

#[derive(Deserialize)]
struct EvaluatedHost {
    hostname: String,
    secrets_directory: Option<String>,
    secrets: Vec<EvaluatedSecret>,
    templates: Vec<EvaluatedTemplate>,
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
pub(super) fn read_hosts(reference: &str, selected: &[String]) -> Result<Vec<Host>, Failure> {
    let evaluated: Evaluated = evaluate_hosts(reference, EXPRESSION, selected, WITHOUT_NIX)?;
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
    let hosts = evaluated.hosts.into_iter();
    Ok(hosts
        .map(|(name, host)| host.into_host(name, folder.as_deref()))
        .collect())
}

/// Returns the folder of a flake that is one on this machine.
pub(crate) fn local_folder(reference: &str) -> Option<PathBuf> {
    let (path, _) = reference.split_once(['?', '#']).unwrap_or((reference, ""));
    let path = path
        .strip_prefix("path:")
        .or_else(|| path.strip_prefix("git+file:"))
        .unwrap_or(path);
    let folder = PathBuf::from(path.strip_prefix("//").map_or(path, |rest| rest));
    folder.is_dir().then_some(folder)
}

impl EvaluatedHost {
    fn into_host(self, name: String, folder: Option<&Path>) -> Host {
        let secrets = self.secrets.into_iter();
        let templates = self.templates.into_iter();
        Host {
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
    let in_flake = file
        .strip_prefix("/nix/store/")
        .and_then(|rest| rest.split_once('/'));
    let working = folder
        .zip(in_flake)
        .map(|(folder, (_, rest))| without_dots(&folder.join(rest)));
    working
        .filter(|path| path.is_file())
        .unwrap_or_else(|| file.into())
}
