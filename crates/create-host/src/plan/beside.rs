//! Notes of what else each other host has: files under its name, and a line in a list of keys.

use std::collections::BTreeMap;

use zts_infra_edit::nix::FleetFiles;

use super::sources::Sources;
use crate::{
    change::FileChange,
    host::HostName,
    host_paths::{MARK, rename, rename_path},
};

/// The limit of files and lines in a note.
const MAX_SHOWN: usize = 3;

/// The files that say who can read a secret: those of sops, agenix and their kin.
const KEY_LISTS: [&str; 4] = [".sops.yaml", ".sops.yml", "secrets.nix", "agenix.nix"];

/// Returns notes of the files that the other hosts have and the new one lacks, and of the lists of
/// keys that name them.
pub(super) fn note_beside(
    name: &HostName,
    hosts: &[String],
    sources: &Sources,
    changes: &[FileChange],
) -> Vec<String> {
    if hosts.len() < 2 || changes.is_empty() {
        return Vec::new();
    }
    let files = sources.tree.find_files(|_| true);
    let lists = files.iter().filter(|path| {
        let file = path.rsplit('/').next().unwrap_or(path);
        KEY_LISTS.contains(&file)
    });
    let lists = lists.filter_map(|path| {
        let text = sources.tree.read(path)?;
        note_key_list(name, hosts, path, &text)
    });
    let mut notes: Vec<String> = note_files(name, hosts, &files, changes)
        .into_iter()
        .collect();
    notes.extend(lists.take(MAX_SHOWN));
    notes.extend(note_data(name, hosts, &files, sources, changes));
    notes
}

/// Returns a note of the files of data that name each other host, such as an inventory in YAML or
/// the jobs of a CI, and that are not edited.
fn note_data(
    name: &HostName,
    hosts: &[String],
    files: &[String],
    sources: &Sources,
    changes: &[FileChange],
) -> Option<String> {
    const ENDS: [&str; 4] = [".yaml", ".yml", ".toml", ".json"];
    const LARGEST: usize = 100_000;
    let is_data = |path: &&String| {
        let file = path.rsplit('/').next().unwrap_or(path);
        ENDS.iter().any(|end| file.ends_with(end)) && !KEY_LISTS.contains(&file)
    };
    let is_own = |path: &str| hosts.iter().any(|host| rename_path(path, host).is_some());
    let is_edited = |path: &str| changes.iter().any(|change| change.path == path);
    let names_all = |path: &&String| {
        let text = sources.tree.read(path).unwrap_or_default();
        let has = |host: &str| text.lines().any(|line| rename(line, host, MARK) != line);
        text.len() <= LARGEST && hosts.iter().all(|host| has(host)) && !has(name.as_str())
    };
    let others = files.iter().filter(is_data);
    let others = others.filter(|path| !is_own(path) && !is_edited(path));
    let naming = others.filter(names_all).take(MAX_SHOWN);
    let naming: Vec<String> = naming.map(|path| format!("`{path}`")).collect();
    (!naming.is_empty()).then(|| {
        format!(
            "next: add `{name}` where it is needed in the files of data that name each other host: {}",
            naming.join(", ")
        )
    })
}

/// Returns a note of the files that the other hosts have under their names.
fn note_files(
    name: &HostName,
    hosts: &[String],
    files: &[String],
    changes: &[FileChange],
) -> Option<String> {
    let mut forms: BTreeMap<String, usize> = BTreeMap::new();
    for host in hosts {
        for form in files.iter().filter_map(|path| rename_path(path, host)) {
            *forms.entry(form).or_default() += 1;
        }
    }
    let is_of_all = |count: usize| count + hosts.len() / 8 >= hosts.len();
    let is_known =
        |path: &String| files.contains(path) || changes.iter().any(|change| change.path == *path);
    let forms = forms.into_iter();
    let forms = forms.filter(|(form, count)| is_of_all(*count) && !is_document(form));
    let lacking: Vec<String> = forms
        .map(|(form, _)| form.replace(MARK, name.as_str()))
        .filter(|path| !is_known(path))
        .collect();
    let shown: Vec<String> = lacking
        .iter()
        .take(MAX_SHOWN)
        .map(|path| format!("`{path}`"))
        .collect();
    let more = match lacking.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!shown.is_empty()).then(|| {
        format!(
            "next: add what `{name}` needs of the files that each other host has: {}{more}",
            shown.join(", ")
        )
    })
}

fn is_document(path: &str) -> bool {
    const ENDS: [&str; 5] = [".md", ".png", ".jpg", ".svg", ".txt"];
    ENDS.iter().any(|end| path.ends_with(end))
}

/// Returns a note of a list of keys that names most of the other hosts and not the new one, with
/// the lines of one of them.
fn note_key_list(name: &HostName, hosts: &[String], path: &str, text: &str) -> Option<String> {
    let lines_of = |host: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let code = lines.filter(|line| !line.starts_with('#'));
        let named = code.filter(|line| rename(line, host, MARK) != **line);
        named
            .map(|line| hide_keys(&rename(line, host, name.as_str())))
            .collect()
    };
    let named: Vec<Vec<String>> = hosts
        .iter()
        .map(|host| lines_of(host))
        .filter(|lines| !lines.is_empty())
        .collect();
    if named.len() * 2 <= hosts.len() || named.len() < 2 || !lines_of(name.as_str()).is_empty() {
        return None;
    }
    let mut lines = named.into_iter().min_by_key(Vec::len)?;
    lines.dedup();
    let shown = lines.iter().take(MAX_SHOWN);
    let shown: Vec<String> = shown.map(|line| format!("`{line}`")).collect();
    Some(format!(
        "next: `{path}` names the other hosts: if `{name}` reads secrets of it, add its key there, as in {}",
        shown.join(", ")
    ))
}

/// Replaces the public keys in a line.
fn hide_keys(line: &str) -> String {
    let is_key = |word: &str| {
        let word = word.trim_matches(['"', '\'']);
        let is_long = word.len() > 40;
        is_long && (word.starts_with("age1") || word.starts_with("AAAA"))
    };
    let words = line.split(' ').map(|word| match word {
        word if is_key(word) => "KEY",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web01() -> HostName {
        HostName::parse("web01").unwrap()
    }

    fn hosts() -> Vec<String> {
        ["heath", "stork"].map(str::to_owned).to_vec()
    }

    #[test]
    fn files_of_each_other_host_are_named() {
        let files = [
            "keys/heath.pub",
            "keys/stork.pub",
            "a/heath.nix",
            "README.md",
        ];
        let files = files.map(str::to_owned);
        assert_eq!(
            note_files(&web01(), &hosts(), &files, &[]).as_deref(),
            Some(
                "next: add what `web01` needs of the files that each other host has: `keys/web01.pub`"
            )
        );
    }

    #[test]
    fn lists_of_keys_are_named_with_the_lines_to_add() {
        let key = format!("age1{}", "q".repeat(58));
        let text = format!(
            "keys:\n  - &heath {key}\n  - &stork {key}\nrules:\n  - path_regex: hosts/heath/\n    age: [*heath]\n"
        );
        assert_eq!(
            note_key_list(&web01(), &hosts(), ".sops.yaml", &text).as_deref(),
            Some(
                "next: `.sops.yaml` names the other hosts: if `web01` reads secrets of it, add its key there, as in `- &web01 KEY`"
            )
        );
        let known = text + "  - &web01 age1\n";
        assert_eq!(
            note_key_list(&web01(), &hosts(), ".sops.yaml", &known),
            None
        );
    }
}
