//! The files of hosts that a fleet reads beside those that define the hosts.

use std::collections::BTreeSet;

use zts_infra_edit::nix::{self, NewHost};

use super::{
    computed::{ComputedPath, computed_paths},
    named_files,
    places::{HostPlaces, Pattern, is_main_file},
};
use crate::{
    host_paths::{MARK, is_of_users, rename_path},
    overlay::NewFile,
};

impl HostPlaces<'_> {
    /// Returns the files of a host: those that its entry names, else its main file or parts where
    /// there is room for them, and those of its machine.
    pub(super) fn own_files(&self, name: &str, named: Vec<String>, has_room: bool) -> Vec<String> {
        let main = self.main_file(name).filter(|_| has_room);
        let main = main.filter(|path| !self.is_named_by_others(path, name));
        let parts = if has_room && main.is_none() {
            self.part_files(name)
        } else {
            Vec::new()
        };
        let mut own = named;
        own.extend(main);
        own.extend(parts);
        own.extend(self.machine_files(name));
        if own.is_empty() && has_room {
            own.extend(self.file_in_read_folder(name));
        }
        own
    }

    /// Adds the files that nearly all hosts have and that a function of the fleet reads by a
    /// computed path, such as `../machines/${hostName}/configuration.nix`, with those that they
    /// name.
    pub(super) fn add_computed_files(&self, host: &NewHost<'_>, own: &mut Vec<NewFile>) {
        let mut wanted = self.files_by_computed_path(host.name);
        wanted.reverse();
        while let Some(path) = wanted.pop() {
            if own.iter().any(|(known, _)| *known == path) {
                continue;
            }
            let text = self.text_by_computed_path(&path, host, own);
            wanted.extend(named_files(&text, &path, host.name));
            own.push((path, text));
        }
        self.set_name_once(own, host.name);
    }

    /// Returns the text of a further file: learnt, if it is data, and the least for a module.
    pub(super) fn companion_text(&self, path: &str, host: &NewHost<'_>) -> Option<String> {
        if is_main_file(path, host.name) {
            return None;
        }
        let data = || {
            self.data_text(path, host)
                .filter(|_| self.are_data(path, host.name))
        };
        let text = self.machine_or_user_text(path, host.name).or_else(data);
        Some(text.unwrap_or_else(|| "{ }\n".to_owned()))
    }

    /// Returns whether files that are none of a host name the files of this form of most hosts, so
    /// that no computed path reads them.
    fn is_named_by_others(&self, path: &str, name: &str) -> bool {
        let Some(form) = rename_path(path, name) else {
            return false;
        };
        let is_named = |host: &&String| {
            let own = form.replace(MARK, host);
            let file = own.rsplit('/').next().unwrap_or(&own);
            let mut texts = self.texts_of_others().iter();
            texts.any(|(path, text)| {
                text.contains(file) && nix::named_paths(text, path).contains(&own)
            })
        };
        let named = self.hosts.iter().filter(is_named).count();
        named * 2 > self.hosts.len()
    }

    /// Returns a file in the folder of a new host, where the fleet reads all files of the folder
    /// that each host has: `listFilesRecursive ./machines/${name}`.
    fn file_in_read_folder(&self, name: &str) -> Option<String> {
        let folder = |pattern: &Pattern| {
            let (above, _) = pattern.path.split_once(&format!("/{MARK}/"))?;
            Some(format!("{above}/{MARK}"))
        };
        let folders: BTreeSet<String> = self.patterns.iter().filter_map(folder).collect();
        let is_of_all = |form: &String| {
            let mut hosts = self.hosts.iter();
            hosts.all(|host| !self.files.list(&form.replace(MARK, host)).is_empty())
        };
        let texts = self.texts_of_others().iter();
        let computed = texts.flat_map(|(path, text)| computed_paths(text, path));
        let computed: Vec<ComputedPath> = computed.collect();
        let mut read = folders.into_iter().filter(|form| {
            is_of_all(form) && !is_of_users(form) && computed.iter().any(|one| one.can_be(form))
        });
        let form = read.next()?;
        Some(format!("{}/default.nix", form.replace(MARK, name)))
    }

    fn files_by_computed_path(&self, name: &str) -> Vec<String> {
        let forms = self.read_by_computed_path().into_iter();
        let of_all = forms.filter(|form| {
            let pattern = self.patterns.iter().find(|known| known.path == *form);
            // images have no files of their own
            let is_of_all = pattern.is_some_and(|one| one.hosts.len() * 4 > self.hosts.len() * 3);
            is_of_all && !is_of_users(form)
        });
        of_all.map(|form| form.replace(MARK, name)).collect()
    }

    fn text_by_computed_path(&self, path: &str, host: &NewHost<'_>, own: &[NewFile]) -> String {
        let data = || {
            let is_data = self.are_data(path, host.name);
            self.data_text(path, host).filter(|_| is_data)
        };
        let known = self.machine_or_user_text(path, host.name).or_else(data);
        let text = known.unwrap_or_else(|| {
            if is_main_file(path, host.name) {
                self.text_of(path, host.name, own)
            } else {
                "{ }\n".to_owned()
            }
        });
        self.with_head(path, host.name, text, false)
    }
}
