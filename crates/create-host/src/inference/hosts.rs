//! The folder of the hosts, and the template of a new one.

use crate::{
    fleet::{Choice, Fleet, Inference, Question},
    host_paths::is_host_folder,
    host_place::{HostFolder, locate_host_folder},
};

use super::facts::Facts;

/// Sets the folder of the hosts and the template, where the settings name none.
pub(super) fn locate_hosts(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    let flake = fleet.settings.paths.flake.to_string();
    let has = |folder: &str| {
        fleet
            .tree
            .read_folder(folder)
            .is_ok_and(|files| !files.is_empty())
    };
    let has_template = has(fleet.settings.paths.template.as_str());
    if !fleet.settings.is_given("paths.template") {
        locate_template(fleet, facts, has_template, inference);
    }
    if fleet.settings.is_given("paths.hosts") {
        return;
    }
    let found = locate_host_folder(&fleet.tree, &flake);
    let has_new_template = !facts.templates.is_empty() && !has_template;
    let beside = || {
        has_new_template
            .then(|| folder_of_template(fleet))
            .flatten()
    };
    let Some(HostFolder { folder, entries }) = found.or_else(beside) else {
        return;
    };
    let Ok(path) = folder.clone().try_into() else {
        return;
    };
    fleet.settings.paths.hosts = path;
    let summary = format!("the hosts' folder `{folder}`");
    inference.add("paths.hosts", list_some(&folder, &entries), summary);
}

/// Returns the folder around the template, which has no other host yet.
fn folder_of_template(fleet: &Fleet) -> Option<HostFolder> {
    let (above, _) = fleet.settings.paths.template.as_str().rsplit_once('/')?;
    Some(HostFolder {
        folder: above.to_owned(),
        entries: vec!["template".to_owned()],
    })
}

/// Lists three of the entries, and the number of the others.
fn list_some(folder: &str, entries: &[String]) -> String {
    let shown = entries.iter().take(3);
    let shown: Vec<_> = shown.map(|entry| format!("`{folder}/{entry}`")).collect();
    let more = match entries.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// Sets the only folder with files that have the placeholder of the host's name.
fn locate_template(fleet: &mut Fleet, facts: &Facts, has_default: bool, inference: &mut Inference) {
    if has_default {
        let folder = fleet.settings.paths.template.to_string();
        inference.add("paths.template", format!("`{folder}`"), "");
        return;
    }
    match template_folders(&facts.templates).as_slice() {
        [] => {}
        [folder] => {
            let Ok(path) = folder.clone().try_into() else {
                return;
            };
            fleet.settings.paths.template = path;
            inference.add(
                "paths.template",
                "`@hostname@` in its files",
                format!("the template `{folder}`"),
            );
        }
        several => inference.questions.push(Question {
            key: "paths.template",
            problem: "several folders have the placeholder `@hostname@`".to_owned(),
            choices: several
                .iter()
                .map(|folder| Choice::of_value("paths.template", folder, format!("`{folder}`")))
                .collect(),
            example: "hosts/template",
        }),
    }
}

/// Returns the uppermost folders of the files, without the fleet's root.
fn template_folders(files: &[String]) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    // packages and scripts have such placeholders, too
    let is_of_hosts = |folder: &str| is_host_folder(folder) || folder.contains("template");
    let parents = files.iter().filter_map(|file| file.rsplit_once('/'));
    let parents = parents.filter(|(folder, _)| is_of_hosts(folder));
    for (folder, _) in parents {
        let is_below = |above: &String| format!("{folder}/").starts_with(&format!("{above}/"));
        if !folders.iter().any(is_below) {
            folders.push(folder.to_owned());
        }
    }
    folders
}
