//! The files of hosts that a fleet reads beside those that define the hosts.

use zts_infra_edit::nix::NewHost;

use super::{
    named_files,
    places::{HostPlaces, is_main_file},
};
use crate::{
    host_paths::{MARK, is_of_users},
    overlay::NewFile,
};

impl HostPlaces<'_> {
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
