//! The files of a host in a fleet without a template: where the other hosts have theirs, and with
//! their text if that is the same but for the name.

use std::collections::{BTreeMap, BTreeSet};

use zts_infra_edit::nix::{self, Discovery, FleetFiles, NewHost, Origin, Placement};

use crate::{
    host_paths::{
        MAIN_FILES, MARK, collect_paths, ends_with, hosts_by_folder, is_below_host_folder,
        is_host_folder, is_of_users, relative_paths, rename, rename_path, skeleton,
    },
    overlay::NewFile,
};

/// Returns the files that a host gets in a fleet without a template: those that its entry in the
/// flake names or that the flake reads, and those that the other hosts have with the same text.
/// `folder` is the one for a flake's first host. The error has the latter files only: the flake has
/// no entry to learn from. `like` are the hosts to learn from; all if it is empty.
pub(super) fn learn_files(
    files: &dyn FleetFiles,
    flake: &str,
    name: &str,
    folder: &str,
    system: Option<&str>,
    like: &[String],
) -> Result<Vec<NewFile>, Vec<NewFile>> {
    let host = NewHost {
        name,
        value: None,
        address: Some(nix::ANY_ADDRESS),
        like,
        system,
        module: &format!("{folder}/{name}"),
        values: &BTreeMap::new(),
    };
    let mut own = nix::learn_own_files(files, flake, &host);
    if !own.is_empty() {
        for (path, text) in own.iter_mut().skip(1) {
            // what is mounted, and the modules of the kernel, are of one machine
            if let Some(empty) = skeleton(path).filter(|_| text.contains("fileSystems")) {
                empty.clone_into(text);
            }
        }
        let missing = files_named_in(&own, name, system);
        own.extend(missing);
        drop_files_that_lack_one(files, &mut own);
        return Err(own);
    }
    let added = nix::add_host(files, flake, &host);
    let reads_all = added.as_ref().is_ok_and(is_found_in_tree);
    let hosts = nix::list_hosts(files, flake).unwrap_or_default();
    let is_like = |host: &String| like.contains(host);
    let hosts = match hosts {
        _ if reads_all => Vec::new(),
        hosts if hosts.iter().any(is_like) => hosts.into_iter().filter(is_like).collect(),
        hosts => hosts,
    };
    let mut places = HostPlaces::read(files, &hosts, name);
    let in_entry = |system: &&str| {
        added
            .as_ref()
            .is_ok_and(|added| added.value.contains(*system))
    };
    places.sets_platform = system.is_some_and(|system| !in_entry(&system));
    places.system = system.map(str::to_owned);
    let mut learnt = places.shared_files(name);
    let Some(added) = added.ok().filter(|_| !reads_all) else {
        return Err(learnt);
    };
    let named = entry_files(files, flake, name, &added);
    let main = places.main_file(name).filter(|_| named.is_empty());
    let parts = places.part_files(name);
    let parts = parts
        .into_iter()
        .filter(|_| named.is_empty() && main.is_none());
    let wanted: Vec<String> = named
        .iter()
        .cloned()
        .chain(main.clone())
        .chain(parts)
        .chain(places.machine_files(name))
        .collect();
    for path in wanted {
        if !learnt.iter().any(|(known, _)| *known == path) {
            let text = places.text_of(&path, name, &learnt);
            learnt.push((path, text));
        }
    }
    Ok(learnt)
}

/// Returns the further files that the files of a host name, with the least text.
fn files_named_in(own: &[NewFile], name: &str, system: Option<&str>) -> Vec<NewFile> {
    let is_own = |path: &String| own.iter().any(|(known, _)| known == path);
    let named = own.iter().flat_map(|(file, text)| {
        let paths = relative_paths(text).filter_map(|path| nix::resolve_path(file, path));
        paths.collect::<Vec<_>>()
    });
    let mut named: Vec<String> = named
        .filter(|path| nix::is_nix_file(path) || is_report(path))
        .filter(|path| rename_path(path, name).is_some())
        .filter(|path| !is_own(path))
        .collect();
    named.sort();
    named.dedup();
    let text = |path: &String| {
        if is_report(path) {
            empty_report(system)
        } else {
            skeleton(path).unwrap_or("{ }\n").to_owned()
        }
    };
    let named = named.into_iter();
    named.map(|path| (path.clone(), text(&path))).collect()
}

/// Removes the files, but not the first, that name a file which neither the fleet nor the host has.
fn drop_files_that_lack_one(files: &dyn FleetFiles, own: &mut Vec<NewFile>) {
    let paths: BTreeSet<String> = own.iter().map(|(path, _)| path.clone()).collect();
    let main = own.first().map(|(path, _)| path.clone());
    own.retain(|(path, text)| {
        Some(path) == main.as_ref() || has_named_files(files, path, text, &paths)
    });
}

/// Returns whether a file is the report of nixos-facter on a machine's hardware.
fn is_report(path: &str) -> bool {
    path.ends_with("/facter.json")
}

/// Returns a report of nixos-facter without any hardware.
fn empty_report(system: Option<&str>) -> String {
    let system = system.unwrap_or("x86_64-linux");
    format!(
        "{{\n  \"version\": 1,\n  \"system\": \"{system}\",\n  \"virtualisation\": \"none\",\n  \"hardware\": {{}}\n}}\n"
    )
}

/// Returns whether each file that a text names by a relative path exists or is among `paths`.
fn has_named_files(
    files: &dyn FleetFiles,
    path: &str,
    text: &str,
    paths: &BTreeSet<String>,
) -> bool {
    relative_paths(text).all(|relative| {
        let Some(target) = nix::resolve_path(path, relative) else {
            return true;
        };
        let inner = format!("{target}/default.nix");
        let is_known = |path: &String| paths.contains(path) || files.read(path).is_some();
        is_known(&target) || is_known(&inner) || !files.list(&target).is_empty()
    })
}

/// A folder in which each host has a file or a folder of its own.
#[derive(Debug)]
pub(crate) struct HostFolder {
    /// The path from the fleet's root.
    pub(crate) folder: String,
    /// The hosts' files or folders in it.
    pub(crate) entries: Vec<String>,
}

/// Returns the folder below the fleet's root in which most hosts have their main file.
pub(crate) fn locate_host_folder(files: &dyn FleetFiles, flake: &str) -> Option<HostFolder> {
    let hosts = nix::list_hosts(files, flake).unwrap_or_default();
    let places = HostPlaces::read(files, &hosts, "");
    let pattern = places.main_pattern()?;
    let is_common = pattern.hosts.len() * 2 > places.hosts.len();
    let (folder, rest) = pattern.path.split_once(&format!("/{MARK}"))?;
    let end = rest.split('/').next().unwrap_or_default();
    let hosts = pattern.hosts.iter();
    (is_common && !is_of_users(folder)).then(|| HostFolder {
        folder: folder.to_owned(),
        entries: hosts.map(|host| format!("{host}{end}")).collect(),
    })
}

/// Returns whether a flake reads all files of a folder, so that their names say nothing of hosts.
fn is_found_in_tree(added: &Placement) -> bool {
    match &added.origin {
        Origin::Discovered(Discovery { reader, .. }) => reader.ends_with("import-tree"),
        _ => false,
    }
}

/// Returns the files that the entry of a host names, or that the flake finds it by.
fn entry_files(files: &dyn FleetFiles, flake: &str, name: &str, added: &Placement) -> Vec<String> {
    match &added.origin {
        Origin::Discovered(discovery) => vec![discovery.file.replace(MARK, name)],
        Origin::Existing => {
            let mut named = named_files(&added.value, &added.file, name);
            named.retain(|path| files.read(path).is_some());
            named
        }
        Origin::Given
        | Origin::Name
        | Origin::Learnt(_)
        | Origin::Typical { .. }
        | Origin::Data(_)
        | Origin::First => {
            let place = Some(added.file.as_str()).filter(|file| !file.is_empty());
            named_files(&added.value, place.unwrap_or(flake), name)
        }
    }
}

/// The hosts of a fleet, and the files whose paths have the name of one.
struct HostPlaces<'a> {
    files: &'a dyn FleetFiles,
    hosts: Vec<String>,
    patterns: Vec<Pattern>,
    /// The system of the new host.
    system: Option<String>,
    /// True if its entry does not name the system.
    sets_platform: bool,
}

/// A path with a mark in place of a host's name.
struct Pattern {
    path: String,
    /// The hosts that have such a file.
    hosts: Vec<String>,
}

impl<'a> HostPlaces<'a> {
    /// Reads the paths of the fleet. `name` is the new host, which is not compared.
    fn read(files: &'a dyn FleetFiles, hosts: &[String], name: &str) -> Self {
        let mut paths = Vec::new();
        collect_paths(files, "", &mut paths);
        let mut hosts: Vec<String> = hosts.iter().filter(|host| *host != name).cloned().collect();
        if hosts.is_empty() {
            hosts = hosts_by_folder(&paths);
            hosts.retain(|host| host != name);
        }
        let patterns = find_patterns(&paths, &hosts);
        Self {
            files,
            hosts,
            patterns,
            system: None,
            sets_platform: false,
        }
    }

    /// Returns the path of the main file that most hosts have.
    fn main_file(&self, name: &str) -> Option<String> {
        Some(self.main_pattern()?.path.replace(MARK, name))
    }

    fn main_pattern(&self) -> Option<&Pattern> {
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
    fn part_files(&self, name: &str) -> Vec<String> {
        let in_folder = |path: &str| is_host_folder(path) && path.contains(&format!("/{MARK}/"));
        let parts = self.patterns.iter().filter(|pattern| {
            let is_of_all = pattern.hosts.len() == self.hosts.len();
            is_of_all && in_folder(&pattern.path) && !is_of_users(&pattern.path)
        });
        parts
            .map(|pattern| pattern.path.replace(MARK, name))
            .collect()
    }

    /// Returns the files of the machine alone, such as its hardware, that all hosts have, and that
    /// none of their files names: the function that makes the hosts reads them.
    fn machine_files(&self, name: &str) -> Vec<String> {
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
                let mut paths = relative_paths(&text);
                paths.any(|named| nix::resolve_path(&file, named).is_some_and(|it| it == path))
            })
        })
    }

    /// Returns the files with the same text for all hosts that have one, for the new host. The
    /// files of users, which have the names of hosts, are none of the host.
    fn shared_files(&self, name: &str) -> Vec<NewFile> {
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
        has_named_files(self.files, path, text, paths)
    }

    /// Returns the most common line of the hosts' main files that sets their platform.
    fn platform_line(&self, main: &str, name: &str) -> Option<String> {
        let pattern = rename_path(main, name)?;
        let pattern = self.patterns.iter().find(|known| known.path == pattern)?;
        let mut lines: Vec<String> = pattern
            .hosts
            .iter()
            .filter_map(|host| self.files.read(&pattern.path.replace(MARK, host)))
            .filter_map(|text| {
                let start = text.find("nixpkgs.hostPlatform = \"")?;
                let (line, _) = text[start..].split_once(';')?;
                Some(format!("{line};"))
            })
            .collect();
        lines.sort();
        let count = |line: &String| lines.iter().filter(|other| *other == line).count();
        let common = lines.iter().max_by_key(|line| count(line))?;
        (count(common) * 2 > pattern.hosts.len()).then(|| common.clone())
    }

    /// Returns the text of a file: that of the other hosts, if it is the same, else the least.
    fn text_of(&self, path: &str, name: &str, learnt: &[NewFile]) -> String {
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

    /// Returns the text of a file that nothing can be learnt for.
    fn first_text(&self, path: &str, name: &str) -> String {
        if let Some(text) = skeleton(path) {
            return text.to_owned();
        }
        let (host, domain) = name.split_once('.').unwrap_or((name, ""));
        let domain = (host != name).then(|| format!("networking.domain = \"{domain}\";"));
        let name_line = format!("networking.hostName = \"{host}\";");
        let own = self.system.as_ref().filter(|_| self.sets_platform);
        let own = own.map(|system| format!("nixpkgs.hostPlatform = \"{system}\";"));
        let platform = own.or_else(|| self.platform_line(path, name));
        let lines = [Some(name_line), domain, platform];
        let mut text = "{\n".to_owned();
        for line in lines.iter().flatten() {
            text.extend(["  ", line, "\n"]);
        }
        text + "}\n"
    }
}

/// Returns the files below the fleet's root that `value`, an expression in the file `file`, names
/// together with the host.
fn named_files(value: &str, file: &str, name: &str) -> Vec<String> {
    let named = relative_paths(value).filter(|path| rename_path(path, name).is_some());
    named
        .filter_map(|path| nix::resolve_path(file, path))
        .map(|path| {
            if nix::is_nix_file(&path) {
                path
            } else {
                format!("{path}/default.nix")
            }
        })
        .collect()
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
