//! The hosts of a fleet, and the files that have the name of one.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use zts_infra_edit::nix::{self, FleetFiles, NewHost};

use super::computed::{ComputedPath, computed_paths, is_read_beside};
use crate::{
    host_paths::{
        MAIN_FILES, MARK, collect_paths, ends_with, hosts_by_folder, is_below_host_folder,
        is_host_folder, is_of_users, machine_skeleton, names_secrets, rename, rename_path,
        skeleton,
    },
    overlay::NewFile,
};

/// Returns whether a file is a main file of the host `name`.
pub(super) fn is_main_file(path: &str, name: &str) -> bool {
    let mut mains = MAIN_FILES.iter();
    mains.any(|main| ends_with(path, &main.replace(MARK, name)))
}

/// The hosts of a fleet, and the files whose paths have the name of one.
pub(super) struct HostPlaces<'a> {
    pub(super) files: &'a dyn FleetFiles,
    pub(super) hosts: Vec<String>,
    pub(super) patterns: Vec<Pattern>,
    /// The system of the new host.
    pub(super) system: Option<String>,
    /// True if its entry does not name the system.
    pub(super) sets_platform: bool,
    /// The files that are none of a host, and their texts, once they were read.
    others: OnceCell<Vec<(String, String)>>,
}

/// A path with a mark in place of a host's name.
pub(super) struct Pattern {
    pub(super) path: String,
    /// The hosts that have such a file.
    pub(super) hosts: Vec<String>,
}

impl<'a> HostPlaces<'a> {
    /// Reads the paths of the fleet. `name` is the new host, which is not compared.
    pub(super) fn read(files: &'a dyn FleetFiles, hosts: &[String], name: &str) -> Self {
        let mut paths = Vec::new();
        collect_paths(files, "", &mut paths);
        let mut hosts: Vec<String> = hosts.iter().filter(|host| *host != name).cloned().collect();
        if hosts.is_empty() {
            hosts = hosts_by_folder(&paths);
            hosts.retain(|host| host != name);
        }
        let mut patterns = find_patterns(&paths, &hosts);
        if patterns.is_empty() {
            hosts = nix::short_names(&hosts);
            patterns = find_patterns(&paths, &hosts);
        }
        Self {
            files,
            hosts,
            patterns,
            system: None,
            sets_platform: false,
            others: OnceCell::new(),
        }
    }

    /// Returns the path of the main file that most hosts have.
    pub(super) fn main_file(&self, name: &str) -> Option<String> {
        Some(self.main_pattern()?.path.replace(MARK, name))
    }

    pub(super) fn main_pattern(&self) -> Option<&Pattern> {
        let rank = |pattern: &&Pattern| {
            let main = MAIN_FILES
                .iter()
                .position(|file| ends_with(&pattern.path, file))?;
            let folder = usize::from(is_host_folder(&pattern.path));
            Some((pattern.hosts.len(), folder, MAIN_FILES.len() - main))
        };
        let mains = self.patterns.iter().filter(|pattern| {
            let is_of_all = pattern.hosts.len() * 2 > self.hosts.len();
            let is_in_place = is_below_host_folder(&pattern.path) || is_of_all;
            rank(pattern).is_some() && is_in_place && !is_of_users(&pattern.path)
        });
        mains.max_by_key(rank)
    }

    /// Returns the files in a host's folder that all hosts have, where none of them is a main file.
    pub(super) fn part_files(&self, name: &str) -> Vec<String> {
        let in_folder = |path: &str| is_host_folder(path) && path.contains(&format!("/{MARK}/"));
        let read = self.read_by_computed_path();
        let parts = self.patterns.iter().filter(|pattern| {
            let is_of_all = pattern.hosts.len() == self.hosts.len();
            let is_part = (is_of_all && in_folder(&pattern.path)) || read.contains(&pattern.path);
            is_part && !is_of_users(&pattern.path)
        });
        parts
            .map(|pattern| pattern.path.replace(MARK, name))
            .collect()
    }

    /// Returns the further files in a host's folder that most hosts have and that the fleet reads
    /// by a computed path, such as `./hosts/${name}/meta.nix`.
    pub(super) fn companions(&self, name: &str) -> Vec<String> {
        let texts = self.texts_of_others();
        let read = self.read_by_computed_path();
        let is_read = |inner: &str| is_read_beside(texts, inner);
        let main = self.main_pattern();
        let main = main.and_then(|main| Some(main.path.split_once(MARK)?.0));
        let is_in_place = |path: &str| {
            is_below_host_folder(path) || main.is_some_and(|folder| path.starts_with(folder))
        };
        let companions = self.patterns.iter().filter(|pattern| {
            let inner = pattern.path.split_once(&format!("{MARK}/"));
            let is_common = pattern.hosts.len() * 2 > self.hosts.len();
            let is_read_in_folder = is_common
                && is_in_place(&pattern.path)
                && inner.is_some_and(|(_, inner)| !inner.contains(MARK) && is_read(inner));
            is_read_in_folder || read.contains(&pattern.path)
        });
        companions
            .map(|pattern| pattern.path.replace(MARK, name))
            .collect()
    }

    /// Returns the files that are none of a host, and their texts.
    pub(super) fn texts_of_others(&self) -> &[(String, String)] {
        self.others.get_or_init(|| {
            let is_own = |path: &String| {
                let mut hosts = self.hosts.iter();
                hosts.any(|host| rename_path(path, host).is_some())
            };
            let mut paths = Vec::new();
            collect_paths(self.files, "", &mut paths);
            paths.retain(|path| !is_own(path));
            let texts = paths.into_iter();
            texts
                .filter_map(|path| self.files.read(&path).map(|text| (path, text)))
                .collect()
        })
    }

    /// Returns the forms of the files that most hosts have, and that the fleet reads by a computed
    /// path, such as `./users/${user}/${hostname}.nix`.
    pub(super) fn read_by_computed_path(&self) -> Vec<String> {
        let texts = self.texts_of_others();
        let computed = texts
            .iter()
            .flat_map(|(path, text)| computed_paths(text, path));
        let computed: Vec<ComputedPath> = computed.collect();
        let is_common = |pattern: &&Pattern| {
            pattern.hosts.len() > 1 && pattern.hosts.len() * 2 > self.hosts.len()
        };
        let patterns = self.patterns.iter().filter(is_common);
        let read = patterns.filter(|pattern| computed.iter().any(|one| one.can_be(&pattern.path)));
        read.map(|pattern| pattern.path.clone()).collect()
    }

    /// Returns the files of other kinds than Nix in a host's folder that most hosts have and that
    /// the fleet reads by a computed path, such as `./hosts/${name}/system`. They have a line or
    /// two, with the text that most hosts have.
    pub(super) fn plain_companions(&self, name: &str) -> Vec<NewFile> {
        const LONGEST: usize = 100;
        let main = self.main_pattern();
        let folder = main.and_then(|main| Some(main.path.rsplit_once('/')?.0));
        let Some(folder) = folder.filter(|folder| folder.ends_with(MARK)) else {
            return Vec::new();
        };
        let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for host in &self.hosts {
            let folder = folder.replace(MARK, host);
            let mut names = self.files.list(&folder);
            names.retain(|name| {
                !name.ends_with('/') && !nix::is_nix_file(name) && !names_secrets(name)
            });
            for file in names {
                let text = self.files.read(&format!("{folder}/{file}"));
                let text = text.filter(|text| text.len() <= LONGEST);
                kinds.entry(file).or_default().extend(text);
            }
        }
        kinds.retain(|_, texts| texts.len() * 2 > self.hosts.len());
        if kinds.is_empty() {
            return Vec::new();
        }
        let fleet = self.texts_of_others();
        let read = kinds
            .into_iter()
            .filter(|(file, _)| is_read_beside(fleet, file));
        read.filter_map(|(file, texts)| {
            let count = |text: &String| texts.iter().filter(|other| *other == text).count();
            let common = texts.iter().rev().max_by_key(|text| count(text))?;
            let path = format!("{}/{file}", folder.replace(MARK, name));
            let is_common = count(common) > 1 && count(common) * 2 > texts.len();
            is_common.then(|| (path, common.clone()))
        })
        .collect()
    }

    /// Returns whether most hosts' files of this form are no modules.
    pub(super) fn are_data(&self, path: &str, name: &str) -> bool {
        let Some(form) = rename_path(path, name) else {
            return false;
        };
        let texts = self
            .hosts
            .iter()
            .filter_map(|other| self.files.read(&form.replace(MARK, other)));
        let (modules, data): (Vec<String>, Vec<String>) =
            texts.partition(|text| nix::is_module(text));
        modules.len() < data.len()
    }

    /// Returns the text of a file that is no module, learnt from the other hosts.
    pub(super) fn data_text(&self, path: &str, host: &NewHost<'_>) -> Option<String> {
        // a secret of another host is none of this one
        let form = rename_path(path, host.name).filter(|form| !names_secrets(form))?;
        nix::learn_data_file(self.files, &form, &self.hosts, host)
    }

    /// Adds to the text of a file the arguments of the functions that most hosts' files of this
    /// form are, unless a module needs none: whatever calls those files calls the new one, too.
    pub(super) fn with_head(
        &self,
        path: &str,
        name: &str,
        text: String,
        is_called: bool,
    ) -> String {
        let Some(form) = rename_path(path, name).filter(|_| nix::read_head(&text).is_none()) else {
            return text;
        };
        let texts = self
            .hosts
            .iter()
            .filter_map(|other| self.files.read(&form.replace(MARK, other)));
        let heads: Vec<Option<nix::Head>> = texts.map(|text| nix::read_head(&text)).collect();
        let is_needed = |head: &nix::Head| is_called || !head.is_of_module;
        let needed: Vec<&nix::Head> = heads
            .iter()
            .flatten()
            .filter(|one| is_needed(one))
            .collect();
        if needed.len() * 2 <= heads.len() {
            return text;
        }
        let count = |head: &nix::Head| needed.iter().filter(|other| **other == head).count();
        let common = needed.iter().rev().max_by_key(|head| count(head));
        let with_head = |head: &&nix::Head| format!("{}\n{text}", head.text);
        common.map(with_head).unwrap_or(text)
    }

    /// Returns the files of the machine alone, such as its hardware, that all hosts have, and that
    /// none of their files names: the function that makes the hosts reads them.
    pub(super) fn machine_files(&self, name: &str) -> Vec<String> {
        let wanted = self.patterns.iter().filter(|pattern| {
            let is_of_all = pattern.hosts.len() == self.hosts.len() && self.hosts.len() > 1;
            let is_of_machine = skeleton(&pattern.path).is_some() && !is_of_users(&pattern.path);
            is_of_all && is_of_machine && is_host_folder(&pattern.path) && !self.is_named(pattern)
        });
        wanted
            .map(|pattern| pattern.path.replace(MARK, name))
            .collect()
    }

    /// Returns whether a file beside such a file, of one of its hosts, names it.
    fn is_named(&self, pattern: &Pattern) -> bool {
        pattern.hosts.iter().any(|host| {
            let path = pattern.path.replace(MARK, host);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let beside = self.files.list(folder);
            let mut beside = beside.iter().filter(|file| nix::is_nix_file(file));
            beside.any(|file| {
                let file = format!("{folder}/{file}");
                let text = self.files.read(&file).unwrap_or_default();
                nix::named_paths(&text, &file).contains(&path)
            })
        })
    }

    /// Returns the files with the same text for all hosts that have one, for the new host. The
    /// files of users, which have the names of hosts, are none of the host.
    pub(super) fn shared_files(&self, name: &str) -> Vec<NewFile> {
        let wanted = self.patterns.iter().filter(|pattern| {
            pattern.hosts.len() == self.hosts.len() && !is_of_users(&pattern.path)
        });
        let mut shared: Vec<NewFile> = wanted
            .filter_map(|pattern| {
                let text = self.shared_text(pattern, name)?;
                Some((pattern.path.replace(MARK, name), text))
            })
            .collect();
        loop {
            let paths: BTreeSet<String> = shared.iter().map(|(path, _)| path.clone()).collect();
            let before = shared.len();
            shared.retain(|(path, text)| self.has_imports(path, text, &paths));
            if shared.len() == before {
                return shared;
            }
        }
    }

    /// Returns whether all hosts have a file of this form, with the same text.
    pub(super) fn is_shared(&self, form: &str, name: &str) -> bool {
        let pattern = self.patterns.iter().find(|known| known.path == form);
        let pattern = pattern.filter(|one| one.hosts.len() == self.hosts.len());
        let shared = pattern.and_then(|pattern| self.shared_text(pattern, name));
        shared.is_some() && !is_of_users(form)
    }

    /// Returns the text of a file, if at least two hosts have it and more than half of them have
    /// the same.
    fn shared_text(&self, pattern: &Pattern, name: &str) -> Option<String> {
        let texts: Vec<(&str, String)> = pattern
            .hosts
            .iter()
            .filter_map(|host| {
                let text = self.files.read(&pattern.path.replace(MARK, host))?;
                Some((host.as_str(), text))
            })
            .collect();
        let forms: Vec<String> = texts
            .iter()
            .map(|(host, text)| rename(text, host, MARK))
            .collect();
        let is_common = |form: &&String| {
            let count = forms.iter().filter(|other| other == form).count();
            count > 1 && count * 2 > forms.len()
        };
        let (form, (host, text)) = forms.iter().zip(&texts).find(|(form, _)| is_common(form))?;
        let is_about_host = form.contains(MARK) && !text.contains(MARK);
        let renamed = rename(text, host, name);
        let own = self.system.as_ref();
        let own = own.and_then(|system| nix::replace_system(&renamed, system).ok());
        let renamed = own.unwrap_or(renamed);
        (is_about_host && nix::check_syntax(&renamed).is_ok()).then_some(renamed)
    }

    /// Returns whether each file that a text names by a relative path exists or is among `paths`.
    fn has_imports(&self, path: &str, text: &str, paths: &BTreeSet<String>) -> bool {
        nix::named_paths(text, path).into_iter().all(|target| {
            let inner = format!("{target}/default.nix");
            let is_known = |path: &String| paths.contains(path) || self.files.read(path).is_some();
            // a file of the machine is made
            is_machine_file(path, &target)
                || is_known(&target)
                || is_known(&inner)
                || !self.files.list(&target).is_empty()
        })
    }

    /// Returns the text of a file: that of the other hosts, if it is the same, else the least.
    pub(super) fn text_of(&self, path: &str, name: &str, learnt: &[NewFile]) -> String {
        let paths = learnt.iter().map(|(path, _)| path.clone()).collect();
        let pattern = rename_path(path, name);
        let pattern = self
            .patterns
            .iter()
            .find(|known| Some(&known.path) == pattern.as_ref());
        let shared = pattern.and_then(|pattern| self.shared_text(pattern, name));
        let shared = shared.filter(|text| self.has_imports(path, text, &paths));
        shared.unwrap_or_else(|| self.first_text(path, name))
    }
}

/// Returns whether a file beside another one has the hardware or the disks of the machine.
fn is_machine_file(path: &str, target: &str) -> bool {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let is_beside = folder(path) == folder(target);
    is_beside && nix::is_nix_file(target) && machine_skeleton(target).is_some()
}

fn find_patterns(paths: &[String], hosts: &[String]) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for host in hosts {
        for path in paths.iter().filter_map(|path| rename_path(path, host)) {
            match patterns.iter_mut().find(|pattern| pattern.path == path) {
                Some(pattern) => pattern.hosts.push(host.clone()),
                None => patterns.push(Pattern {
                    path,
                    hosts: vec![host.clone()],
                }),
            }
        }
    }
    patterns
}
