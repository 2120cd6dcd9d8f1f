//! Finds the map of machines: its file, and its place in the file.

use std::fs;

use zts_cli::Failure;
use zts_infra_edit::{
    nix,
    vms::{self, MachineMap, MapPlace, Notation},
};

use super::{
    settings::{Paths, SETTINGS_FILE, Settings},
    tree::Tree,
};

/// A map, its file, and OpenTofu's file that reads it.
type Candidate = (String, MachineMap, String);

/// Sets the file and the place of the map of machines. Returns a note if they were inferred.
///
/// The map is the one that `vms_map` names, else `locals.vms` of the file `vms`, else the only one
/// there, or in the files that it reads, whose keys are hosts of the fleet or whose entries have
/// addresses. Without that file, all of OpenTofu's files are searched.
pub(super) fn locate_machines(
    tree: &Tree,
    settings: &mut Settings,
) -> Result<Option<String>, Failure> {
    let file = settings.paths.vms.to_string();
    let is_default = file == Paths::default().vms.as_str();
    if file.is_empty() {
        return Ok(None);
    }
    let openbao = format!("{}/", settings.paths.vault_terraform);
    let is_wanted = |file: &str| is_opentofu(file) && !file.starts_with(&openbao);
    let files = match tree.read_text(&file) {
        Ok(Some(text)) if has_default_map(&file, &text, settings) => return Ok(None),
        Ok(Some(_)) => vec![file],
        Ok(None) if is_default => tree.find_files(is_wanted),
        Ok(None) | Err(_) => return Ok(None), // reading it later fails with the reason
    };
    let wanted = settings.paths.vms_map.to_string();
    let mut maps = list_candidates(tree, &files);
    let chosen = if wanted.is_empty() {
        choose_candidates(&maps, &known_hosts(tree, settings))
    } else {
        let is_wanted = |index: &usize| maps[*index].1.place.is_named(&wanted);
        (0..maps.len()).filter(is_wanted).collect()
    };
    match chosen.as_slice() {
        [] if wanted.is_empty() => Ok(None),
        [] => Err(unknown_map(&wanted, &files, &maps)),
        [index] => use_map(settings, maps.swap_remove(*index)),
        several => Err(ambiguous_map(several.iter().map(|&index| &maps[index]))),
    }
}

/// Sets the map. Returns a note, unless the settings name it and its file.
fn use_map(
    settings: &mut Settings,
    (file, map, reader): Candidate,
) -> Result<Option<String>, Failure> {
    let note = format!(
        "took the map of machines from `{file}`, line {}: {}",
        map.line, map.place
    );
    let paths = &mut settings.paths;
    let is_inferred = paths.vms_map.as_str().is_empty() || file != paths.vms.as_str();
    paths.vms = file.try_into().map_err(Failure::usage)?;
    settings.vms_place = map.place;
    settings.vms_reader = Some(reader);
    Ok(is_inferred.then_some(note))
}

/// Returns whether the file has `locals.vms`, and nothing else is asked for.
fn has_default_map(file: &str, text: &str, settings: &Settings) -> bool {
    let place = MapPlace::default();
    let maps = vms::list_maps(text, notation(file)).unwrap_or_default();
    settings.paths.vms_map.as_str().is_empty() && maps.iter().any(|map| map.place == place)
}

fn notation(file: &str) -> Notation {
    Notation::of_file(file).unwrap_or(Notation::Hcl)
}

/// Returns whether OpenTofu reads a file by itself.
fn is_opentofu(file: &str) -> bool {
    let ends = [
        ".tf",
        ".tofu",
        ".tfvars",
        ".tf.json",
        ".tofu.json",
        ".tfvars.json",
    ];
    ends.iter().any(|end| file.ends_with(end))
}

/// Lists the maps in these files, and in the files of data that they read. A file that is not valid
/// has none.
fn list_candidates(tree: &Tree, files: &[String]) -> Vec<Candidate> {
    let mut maps = Vec::new();
    let mut seen = Vec::new();
    for file in files {
        let text = tree.read_text(file).ok().flatten().unwrap_or_default();
        let mut texts = vec![(file.clone(), text)];
        if notation(file) == Notation::Hcl {
            let paths = vms::list_decoded_files(&texts[0].1).unwrap_or_default();
            texts.extend(paths.into_iter().filter_map(|path| {
                let path = join_path(file, &path)?;
                let text = tree.read_text(&path).ok().flatten()?;
                Some((path, text))
            }));
        }
        for (path, text) in texts {
            if seen.contains(&path) {
                continue;
            }
            let found = vms::list_maps(&text, notation(&path)).unwrap_or_default();
            let found = found.into_iter();
            maps.extend(found.map(|map| (path.clone(), map, file.clone())));
            seen.push(path);
        }
    }
    maps
}

/// Returns the path from the fleet's root of a path beside `file`; `None` if it leads out.
fn join_path(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the indexes of the maps that are most likely those of the machines.
fn choose_candidates(maps: &[Candidate], known: &[String]) -> Vec<usize> {
    let chosen = vms::choose_maps(maps.iter().map(|(_, map, _)| map), known);
    let is_chosen = |map: &MachineMap| chosen.iter().any(|other| std::ptr::eq(*other, map));
    (0..maps.len())
        .filter(|&index| is_chosen(&maps[index].1))
        .collect()
}

/// Returns the hosts of the flake, and those with a folder.
fn known_hosts(tree: &Tree, settings: &Settings) -> Vec<String> {
    let flake = tree.read_text(settings.paths.flake.as_str());
    let flake = flake.ok().flatten().unwrap_or_default();
    let mut known = nix::list_configurations(&flake).unwrap_or_default();
    let folder = tree.resolve(settings.paths.hosts.as_str());
    let folders = folder.ok().and_then(|folder| fs::read_dir(folder).ok());
    for entry in folders.into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_folder && !settings.paths.template.as_str().ends_with(&name) {
            known.push(name);
        }
    }
    known
}

fn unknown_map(wanted: &str, files: &[String], maps: &[Candidate]) -> Failure {
    let place = match files {
        [file] => format!("`{file}`"),
        _ => "OpenTofu's files".to_owned(),
    };
    let failure = Failure::usage(format_args!(
        "there is no map `{wanted}`, which `vms_map` in `{SETTINGS_FILE}` names, in {place}"
    ));
    if maps.is_empty() {
        return failure.hint(format!(
            "create it, such as with `locals {{ {wanted} = {{}} }}` on lines of its own"
        ));
    }
    failure.hint(format!("set one of these: {}", list_places(maps.iter())))
}

fn ambiguous_map<'a>(maps: impl Iterator<Item = &'a Candidate> + Clone) -> Failure {
    let lines = maps
        .clone()
        .next()
        .map_or_else(String::new, |(file, map, _)| {
            let path = map.place.path.join(".");
            format!("[paths]\nvms = \"{file}\"\nvms_map = \"{path}\"")
        });
    Failure::usage(format_args!(
        "more than one map may be that of the machines: {}",
        list_places(maps)
    ))
    .hint(format!(
        "name it in `{SETTINGS_FILE}`; for the first one:\n\n{lines}"
    ))
}

fn list_places<'a>(maps: impl Iterator<Item = &'a Candidate>) -> String {
    let places = maps.map(|(file, map, _)| format!("{} (`{file}`, line {})", map.place, map.line));
    places.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_inside_the_fleet() {
        for (file, path, joined) in [
            ("terraform/main.tf", "vms.yaml", Some("terraform/vms.yaml")),
            ("terraform/main.tf", "./../vms.yaml", Some("vms.yaml")),
            ("main.tf", "data/vms.json", Some("data/vms.json")),
            ("main.tf", "../vms.yaml", None),
        ] {
            assert_eq!(join_path(file, path).as_deref(), joined, "{path}");
        }
    }
}
