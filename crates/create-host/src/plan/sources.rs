//! The files that a plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use zts_cli::Failure;
use zts_infra_edit::{
    generated::{self, GeneratedHost},
    is_word,
    nix::{self, NewHost},
    vms::MapPlace,
};

use crate::{
    change::FileChange,
    failure::edit_failure,
    fleet::{Checked, Contents, Fleet, Settings, Tree},
    git,
    host::{HostAddress, HostName},
    host_access::host_access,
    host_place::learn_files,
    overlay::NewFile,
    vms_file::entry_address,
};

/// The present contents of the files that a host is part of.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// All files, for those that the flake imports.
    pub(super) tree: Tree,
    /// `None` if the flake needs no entry.
    pub(super) flake: Option<String>,
    /// `None` if the fleet has no machine map.
    pub(crate) vms: Option<String>,
    /// The values of the machine's attributes that the user gave, by their names.
    pub(super) values: BTreeMap<String, String>,
    pub(crate) vms_place: MapPlace,
    pub(super) generated: Option<String>,
    /// True if the fleet has a folder for OpenTofu's view of OpenBao, or the generated file.
    pub(super) has_opentofu: bool,
    /// By their path from the fleet's root.
    pub(super) template: Contents,
    /// The files that a host gets in a fleet without a template.
    pub(super) learnt: Vec<NewFile>,
    /// True if the entry of a host in the flake is all that it has.
    pub(super) needs_no_files: bool,
    /// By their path from the fleet's root.
    pub(super) host_files: Contents,
    /// Those of the host's files that git can restore.
    pub(super) committed: Vec<String>,
    /// True if git tracks the generated file.
    pub(super) is_generated_tracked: bool,
}

impl Sources {
    /// Returns whether the template or a text of the settings has the placeholder of the gateway.
    pub(crate) fn mention_gateway(&self, settings: &Settings) -> bool {
        let mut files = self.template.values();
        let entry = settings.text.flake_entry.as_ref();
        let in_template = files.any(|file| String::from_utf8_lossy(file).contains("@gateway@"));
        in_template
            || entry.is_some_and(|entry| entry.as_str().contains("{gateway}"))
            || settings.text.vm_entry.as_str().contains("{gateway}")
    }

    /// Returns whether a file of the host, of the template or beside the machine map, or the flake,
    /// names this namespace of OpenBao.
    pub(crate) fn mention_namespace(&self, namespace: &str, settings: &Settings) -> bool {
        let words = [format!("\"{namespace}\""), "@namespace@".to_owned()];
        let names_it =
            |text: &str| text.contains("namespace") && words.iter().any(|word| text.contains(word));
        let files = self.template.values().chain(self.host_files.values());
        let mut texts = files.map(|file| String::from_utf8_lossy(file));
        let folder = settings.paths.vms.as_str().rsplit_once('/');
        let folder = folder.map_or("", |(folder, _)| folder);
        let beside = self.tree.list_files(folder).unwrap_or_default();
        let code = beside.iter().filter(|path| path.contains(".tf"));
        let mut code = code.filter_map(|path| self.tree.read_text(path).ok().flatten());
        texts.any(|text| names_it(&text))
            || self.flake.as_deref().is_some_and(names_it)
            || code.any(|text| names_it(&text))
    }

    /// Returns whether neither the flake nor the template names this project, whose module a host
    /// needs.
    pub(crate) fn lack_module(&self) -> bool {
        let names_it = |text: &str| text.contains("zero-touch-secrets") || text.contains("vault.");
        let mut template = self.template.values();
        let in_template = template.any(|file| names_it(&String::from_utf8_lossy(file)));
        !in_template && self.flake.as_deref().is_some_and(|flake| !names_it(flake))
    }

    /// Reads the files for a host.
    pub(crate) fn read(fleet: &Fleet, name: &HostName) -> Result<Self, Failure> {
        Self::read_with_values(fleet, name, &[])
    }

    /// Reads the files for the creation of a host with the values of `--set`.
    pub(crate) fn read_with_values(
        fleet: &Fleet,
        name: &HostName,
        values: &[(String, String)],
    ) -> Result<Self, Failure> {
        let values: BTreeMap<String, String> = values.iter().cloned().collect();
        let (tree, paths) = (&fleet.tree, &fleet.settings.paths);
        let flake = if needs_flake_entry(&fleet.settings) {
            tree.read_text(paths.flake.as_str())?
        } else {
            None
        };
        let vms = match paths.vms.as_str() {
            "" => None,
            file => tree.read_text(file)?,
        };
        let template = tree.read_folder(paths.template.as_str())?;
        let learnt = match &flake {
            Some(_) if template.is_empty() => learn_from_others(fleet, name, &values),
            _ => Err(Vec::new()),
        };
        let needs_no_files = learnt.as_ref().is_ok_and(Vec::is_empty);
        let learnt = learnt.unwrap_or_else(|shared| shared);
        let learnt = move_to_environment(learnt, &fleet.settings);
        let generated = tree.read_text(paths.generated.as_str())?;
        let folder = tree.resolve(paths.vault_terraform.as_str())?;
        Ok(Self {
            tree: tree.clone(),
            flake,
            vms,
            vms_place: fleet.settings.vms_place.clone(),
            values,
            has_opentofu: generated.is_some() || folder.is_dir(),
            generated,
            template,
            host_files: read_host_files(tree, &learnt, &format!("{}/{name}", paths.hosts), name)?,
            learnt,
            needs_no_files,
            committed: Vec::new(),
            is_generated_tracked: false,
        })
    }

    /// Returns the folders of the files that a host gets in a fleet without a template.
    pub(crate) fn learnt_folders(&self) -> BTreeSet<&str> {
        let folders = self.learnt.iter().map(|(path, _)| path.rsplit_once('/'));
        folders
            .map(|folder| folder.map_or("", |(folder, _)| folder))
            .collect()
    }

    /// Returns the first other host of the flake.
    pub(crate) fn first_other_host(&self, name: &HostName, settings: &Settings) -> Option<String> {
        let hosts = nix::list_hosts(&self.tree, settings.paths.flake.as_str()).ok()?;
        hosts.into_iter().find(|host| host != name.as_str())
    }

    /// Returns the paths of the host's files.
    pub(crate) fn host_file_paths(&self) -> impl Iterator<Item = String> {
        self.host_files.keys().cloned()
    }

    /// Adds the values of `--set`.
    pub(crate) fn with_values(self, values: &[(String, String)]) -> Self {
        let values = values.iter().cloned().collect();
        Self { values, ..self }
    }

    /// Reads the files for the removal of a host, and asks git which of them it can restore.
    pub(crate) fn read_for_removal(fleet: &Fleet, name: &HostName) -> Result<Self, Failure> {
        let sources = Self::read(fleet, name)?;
        let committed = git::list_committed(fleet.tree.root(), sources.host_files.keys());
        let generated = fleet.settings.paths.generated.as_str();
        Ok(Self {
            committed,
            is_generated_tracked: git::is_tracked(fleet.tree.root(), generated),
            ..sources
        })
    }

    /// Returns the address of a host in the machine map.
    pub(super) fn listed_address(&self, name: &HostName) -> Option<HostAddress> {
        entry_address(self.vms.as_deref()?, &self.vms_place, name)
    }

    /// Returns the access that create-host gave a host: the one in the generated file, else the one
    /// that it would give now.
    pub(crate) fn access_of(
        &self,
        name: &HostName,
        address: Option<HostAddress>,
        settings: &Settings,
    ) -> Result<GeneratedHost, Failure> {
        let mut hosts = self.generated_hosts(settings)?.into_iter();
        let generated = hosts.find(|host| host.name == name.as_str());
        let address = address.or_else(|| self.listed_address(name));
        Ok(generated.unwrap_or_else(|| host_access(name, address, settings)))
    }

    /// Returns the places in the flake and the machine map that have the name of a host as a word
    /// after the changes, as pairs of file and line.
    pub(crate) fn places_with_name<'a>(
        &self,
        name: &HostName,
        changes: &[FileChange],
        settings: &'a Settings,
    ) -> Vec<(&'a str, usize)> {
        let files = [
            (settings.paths.flake.as_str(), &self.flake),
            (settings.paths.vms.as_str(), &self.vms),
        ];
        let mut places = Vec::new();
        let is_kept = |file: &str| settings.kept_files.contains(file);
        for (file, before) in files.into_iter().filter(|(file, _)| !is_kept(file)) {
            let change = changes.iter().find(|change| change.path == file);
            let after = change.and_then(|change| change.after.as_deref());
            let text = after.or(before.as_deref().map(str::as_bytes));
            let text = String::from_utf8_lossy(text.unwrap_or_default());
            let lines = text.lines().enumerate();
            let named = lines.filter(|(_, line)| has_word(line, name.as_str()));
            places.extend(named.map(|(index, _)| (file, index + 1)));
        }
        places
    }

    /// Returns a note if the generated file has the form of an earlier create-host, and is among
    /// the changes.
    pub(crate) fn generated_note(
        &self,
        changes: &[FileChange],
        settings: &Settings,
    ) -> Option<String> {
        let path = settings.paths.generated.as_str();
        let is_changed = changes.iter().any(|change| change.path == path);
        let file = generated::parse_file(self.generated.as_deref()?).ok()?;
        (is_changed && file.is_earlier_form).then(|| {
            format!(
                "`{path}` has the form of an earlier create-host: it is written anew, with the same hosts, paths \
                 and addresses of resources"
            )
        })
    }

    /// Parses the hosts in the generated file.
    pub(super) fn generated_hosts(
        &self,
        settings: &Settings,
    ) -> Result<Vec<GeneratedHost>, Failure> {
        let text = self.generated.as_deref().unwrap_or_default();
        generated::parse_hosts(text)
            .map_err(|error| edit_failure(settings.paths.generated.as_str(), &error))
    }
}

/// Learns the files of a host from those of the others. The error has the files that are certain
/// although the flake shows no entry.
fn learn_from_others(
    fleet: &Fleet,
    name: &HostName,
    values: &BTreeMap<String, String>,
) -> Result<Vec<NewFile>, Vec<NewFile>> {
    let settings = &fleet.settings;
    let host = NewHost {
        name: name.as_str(),
        value: None,
        address: Some(nix::ANY_ADDRESS),
        like: &settings.siblings,
        system: settings.system.as_ref().map(Checked::as_str),
        module: &format!("{}/{name}", settings.paths.hosts),
        values,
    };
    learn_files(&fleet.tree, settings.paths.flake.as_str(), &host)
}

/// Moves the files of a host whose entry is given to the folder of its environment, if those that
/// they are learnt from are in the folder of another one.
fn move_to_environment(mut learnt: Vec<NewFile>, settings: &Settings) -> Vec<NewFile> {
    let is_given = settings.text.flake_entry.is_some() && settings.environment.is_some();
    let own = settings.paths.hosts.as_str();
    let is_below = |path: &str, folder: &str| path.starts_with(&format!("{folder}/"));
    for (path, _) in learnt
        .iter_mut()
        .filter(|(path, _)| is_given && !is_below(path, own))
    {
        let other = settings
            .host_folders()
            .find(|folder| is_below(path, folder));
        if let Some(other) = other {
            *path = format!("{own}{}", &path[other.len()..]);
        }
    }
    learnt
}

/// Reads the files in a host's folder, and those that are learnt, with the folders of the host's
/// name that they are in.
fn read_host_files(
    tree: &Tree,
    learnt: &[NewFile],
    folder: &str,
    name: &HostName,
) -> Result<Contents, Failure> {
    let mut files = tree.read_folder(folder)?;
    for (path, _) in learnt {
        match path.rsplit_once('/') {
            Some((folder, _)) if folder.rsplit('/').next() == Some(name.as_str()) => {
                files.extend(tree.read_folder(folder)?);
            }
            _ => files.extend(tree.read_bytes(path)?.map(|bytes| (path.clone(), bytes))),
        }
    }
    Ok(files)
}

/// Returns whether a host needs an entry in the flake.
pub(super) fn needs_flake_entry(settings: &Settings) -> bool {
    let entry = settings.text.flake_entry.as_ref();
    entry.is_none_or(|entry| !entry.as_str().trim().is_empty())
}

/// Returns whether a line has a word outside of a comment.
fn has_word(line: &str, word: &str) -> bool {
    let code = line.split('#').next().unwrap_or_default();
    code.match_indices(word)
        .any(|(start, _)| is_word(&code[..start], &code[start + word.len()..]))
}
