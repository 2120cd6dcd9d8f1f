//! A fleet with the files of a plan.

use zts_infra_edit::nix::FleetFiles;

use crate::change::ChangeSet;

/// A file that a host gets: its path from the fleet's root, and its text.
pub(crate) type NewFile = (String, String);

/// A fleet without the files that a plan removes.
pub(crate) struct WithoutRemoved<'a> {
    pub(crate) below: &'a dyn FleetFiles,
    pub(crate) changes: &'a ChangeSet,
}

impl FleetFiles for WithoutRemoved<'_> {
    fn read(&self, path: &str) -> Option<String> {
        self.below
            .read(path)
            .filter(|_| !self.changes.removes(path))
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut names = self.below.list(folder);
        let path = |name: &String| format!("{folder}/{name}");
        names.retain(|name| !self.changes.removes(path(name).trim_start_matches('/')));
        names
    }
}

/// A fleet with more files.
pub(crate) struct WithFiles<'a> {
    pub(crate) below: &'a dyn FleetFiles,
    pub(crate) more: &'a [NewFile],
}

impl FleetFiles for WithFiles<'_> {
    fn read(&self, path: &str) -> Option<String> {
        let more = self.more.iter().find(|(known, _)| known == path);
        more.map(|(_, text)| text.clone())
            .or_else(|| self.below.read(path))
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut names = self.below.list(folder);
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        for (path, _) in self.more {
            let Some(below) = path.strip_prefix(&prefix) else {
                continue;
            };
            let name = match below.split_once('/') {
                Some((inner, _)) => format!("{inner}/"),
                None => below.to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
