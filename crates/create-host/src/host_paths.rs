//! The paths of a fleet's files, and the names of hosts in them.

use std::collections::BTreeSet;

use zts_infra_edit::{
    nix::{self, FleetFiles, is_nix_file},
    replace_name,
};

/// The mark in place of a host's name.
pub(crate) const MARK: &str = "{}";

/// The ends of a host's main file, in the order of preference.
pub(crate) const MAIN_FILES: [&str; 3] = ["{}/default.nix", "{}/configuration.nix", "{}.nix"];

/// The limit of files whose paths are compared.
const MAX_FILES: usize = 20_000;

/// Collects the paths of the Nix files below a folder.
pub(crate) fn collect_paths(files: &dyn FleetFiles, folder: &str, paths: &mut Vec<String>) {
    for name in files.list(folder) {
        if paths.len() >= MAX_FILES || name.starts_with('.') {
            continue;
        }
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        match path.strip_suffix('/') {
            Some(inner) => collect_paths(files, inner, paths),
            None if is_nix_file(&path) => paths.push(path),
            None => {}
        }
    }
}

/// Returns the names that a folder of hosts has, for a flake whose hosts cannot be read.
pub(crate) fn hosts_by_folder(paths: &[String]) -> Vec<String> {
    let names: BTreeSet<String> = paths
        .iter()
        .filter_map(|path| {
            let parts: Vec<&str> = path.split('/').collect();
            let index = (0..parts.len()).find(|index| is_host_folder_at(&parts, *index))?;
            let name = parts.get(index + 1)?;
            let name = name.strip_suffix(".nix").unwrap_or(name);
            (name != "default").then(|| name.to_owned())
        })
        .collect();
    names.into_iter().collect()
}

/// Replaces the name of a host in a path, where it is a part or a word of one; `None` if it is not
/// there.
pub(crate) fn rename_path(path: &str, host: &str) -> Option<String> {
    let renamed = nix::rename_path(path, host, MARK);
    (renamed != path).then_some(renamed)
}

/// Replaces the name of a host in a text, where it is a word, or the first one of a name such as
/// `webConfiguration`.
pub(crate) fn rename(text: &str, from: &str, to: &str) -> String {
    let continues = |letter: char| letter.is_lowercase() || letter.is_ascii_digit();
    replace_name(text, from, to, |before, after| {
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(continues)
    })
}

/// Returns the main file of a host among its files: one with its name, else the first one.
pub(crate) fn choose_main<'a>(files: impl Iterator<Item = &'a str>, host: &str) -> Option<&'a str> {
    let rank = |file: &&str| {
        let path = rename_path(file, host).unwrap_or_default();
        let main = MAIN_FILES.iter().position(|main| ends_with(&path, main));
        (skeleton(file).is_some(), main.unwrap_or(MAIN_FILES.len()))
    };
    files.min_by_key(rank)
}

pub(crate) fn ends_with(path: &str, file: &str) -> bool {
    path == file || path.ends_with(&format!("/{file}"))
}

pub(crate) fn is_host_folder(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    (0..parts.len()).any(|index| is_host_folder_at(&parts, index))
}

/// Returns whether a part of a path is a folder of hosts: `modules/nixos` is none.
fn is_host_folder_at(parts: &[&str], index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| parts[before]);
    let is_of_modules = parts[index] == "nixos" && before == Some("modules");
    is_host_folder_name(parts[index]) && !is_of_modules
}

/// Returns whether a host's name stands in a folder of hosts, with or without one for each group
/// between them.
pub(super) fn is_below_host_folder(path: &str) -> bool {
    let folder = path.split(MARK).next().unwrap_or_default();
    let parts: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
    let last_two = parts.len().saturating_sub(2)..parts.len();
    let is_shared = |index: &usize| ["common", "shared"].contains(&parts[*index]);
    let mut own = last_two.filter(|index| !is_shared(index));
    own.any(|index| is_host_folder_at(&parts, index))
}

fn is_host_folder_name(part: &str) -> bool {
    const NAMES: [&str; 11] = [
        "hosts",
        "host",
        "machines",
        "machine",
        "nodes",
        "systems",
        "servers",
        "boxes",
        "devices",
        "nixos",
        "nixosConfigurations",
    ];
    NAMES.contains(&part)
}

/// Returns the text of a file with the hardware or the disks of a machine.
pub(crate) fn machine_skeleton(path: &str) -> Option<&'static str> {
    let file = path.rsplit('/').next().unwrap_or(path);
    if file.contains("hardware") {
        return Some("# Replaced by what `nixos-generate-config` finds on the machine.\n{ }\n");
    }
    if file.trim_start_matches('_').starts_with("disk") {
        return Some("# The layout of the disks, as disko reads it.\n{ }\n");
    }
    None
}

/// Returns the text of a file that is of the machine or of its users alone, or an overlay.
pub(crate) fn skeleton(path: &str) -> Option<&'static str> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let machine = machine_skeleton(path);
    if machine.is_some() {
        return machine;
    }
    if path.split('/').any(|part| part == "overlays") {
        return Some("_final: _prev: { }\n");
    }
    let is_of_home = file == "home.nix" || file.contains("home-manager");
    (is_of_home || is_of_users(path)).then_some("{ }\n")
}

pub(crate) fn is_of_users(path: &str) -> bool {
    const FOLDERS: [&str; 7] = [
        "home",
        "homes",
        "users",
        "user",
        "home-manager",
        "homeManager",
        "hjem",
    ];
    is_of_secrets(path) || path.split('/').any(|part| FOLDERS.contains(&part))
}

/// Returns whether a file is in a folder of secrets.
pub(crate) fn is_of_secrets(path: &str) -> bool {
    path.split('/').any(|part| part == "secrets")
}

/// Returns whether a part of a path, such as the name of a file, says that secrets are in it.
pub(crate) fn names_secrets(path: &str) -> bool {
    const WORDS: [&str; 10] = [
        "secret",
        "secrets",
        "private",
        "password",
        "passwords",
        "passwd",
        "credential",
        "credentials",
        "token",
        "tokens",
    ];
    let lower = path.to_lowercase();
    let mut words = lower.split(|letter: char| !letter.is_alphanumeric());
    words.any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use zts_infra_edit::nix::resolve_path;

    use super::*;

    #[test]
    fn names_are_replaced_where_they_are_words() {
        for (text, expected) in [
            ("hostName = \"db\";", "hostName = \"{}\";"),
            (
                "dbConfiguration host-db db_x",
                "{}Configuration host-{} {}_x",
            ),
            ("dbus mydb db2", "dbus mydb db2"),
        ] {
            assert_eq!(rename(text, "db", MARK), expected);
        }
        let path = rename_path("hosts/db/db.nix", "db");
        assert_eq!(path.as_deref(), Some("hosts/{}/{}.nix"));
        assert_eq!(rename_path("hosts/db2.nix", "db"), None);
    }

    #[test]
    fn the_main_file_of_a_host_has_its_name_or_a_usual_one() {
        for (files, main) in [
            (
                vec!["hosts/db/audit.nix", "hosts/db/default.nix"],
                "hosts/db/default.nix",
            ),
            (
                vec!["hosts/_parts/db/disko.nix", "hosts/db.nix"],
                "hosts/db.nix",
            ),
            (vec!["hosts/db/a.nix", "hosts/db/b.nix"], "hosts/db/a.nix"),
        ] {
            assert_eq!(choose_main(files.into_iter(), "db"), Some(main));
        }
    }

    #[test]
    fn only_files_about_disks_are_of_disks() {
        for (path, is_of_disks) in [
            ("hosts/db/disko.nix", true),
            ("hosts/db/_disks.nix", true),
            ("hosts/db/services/displayManager.nix", false),
        ] {
            assert_eq!(machine_skeleton(path).is_some(), is_of_disks, "{path}");
        }
    }

    #[test]
    fn paths_stay_inside_of_the_fleet() {
        assert_eq!(resolve_path("a/b.nix", "../c/./d").as_deref(), Some("c/d"));
        assert_eq!(resolve_path("a.nix", "../c"), None);
    }
}
