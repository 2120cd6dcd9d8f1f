//! Finds the map of machines: its file, and its place in the file.

use std::fs;

use zts_cli::Failure;
use zts_infra_edit::{
    nix,
    vms::{self, MachineMap, MapPlace, Notation},
};

use crate::fleet::{Choice, Fleet, Inference, Paths, Question, SETTINGS_FILE, Settings, Tree};

use super::facts::{Facts, is_opentofu, notation};

/// A map, its file, and OpenTofu's file that reads it.
type Candidate = (String, MachineMap, String);

/// The resources of OpenTofu that are machines.
const MACHINES: [&str; 21] = [
    "aws_instance",
    "azurerm_linux_virtual_machine",
    "digitalocean_droplet",
    "exoscale_compute_instance",
    "google_compute_instance",
    "hcloud_server",
    "incus_instance",
    "libvirt_domain",
    "linode_instance",
    "lxd_container",
    "lxd_instance",
    "oci_core_instance",
    "openstack_compute_instance_v2",
    "proxmox_virtual_environment_container",
    "proxmox_virtual_environment_vm",
    "proxmox_vm_qemu",
    "scaleway_instance_server",
    "upcloud_server",
    "vsphere_virtual_machine",
    "vultr_instance",
    "xenorchestra_vm",
];

/// Words in the name of a map of DNS.
const RECORDS: [&str; 9] = [
    "ddns",
    "dns",
    "record",
    "records",
    "cname",
    "cnames",
    "zone",
    "zones",
    "subdomains",
];

/// Sets the file and the place of the map of machines.
///
/// The map is the one that `vms_map` names, else `locals.vms` of the file `vms`, else the only one
/// there, or in the files that it reads, whose keys are hosts of the fleet or whose entries have
/// addresses. Without that file, all of OpenTofu's files are searched.
pub(super) fn locate_machines(
    fleet: &mut Fleet,
    facts: &Facts,
    inference: &mut Inference,
) -> Result<(), Failure> {
    let (tree, settings) = (&fleet.tree, &fleet.settings);
    let wanted = settings.paths.vms_map.to_string();
    let Some(files) = files_to_search(tree, settings, facts, inference) else {
        return Ok(());
    };
    let mut maps = list_candidates(tree, &files);
    let chosen: Vec<usize> = if wanted.is_empty() {
        let texts = facts.opentofu.iter();
        let texts: Vec<String> = texts
            .filter_map(|file| tree.read_text(file).ok().flatten())
            .collect();
        maps.retain(|(_, map, _)| !is_of_records(&texts, &map.place));
        choose_candidates(&maps, &known_hosts(tree, settings))
    } else {
        let is_wanted = |index: &usize| maps[*index].1.place.is_named(&wanted);
        (0..maps.len()).filter(is_wanted).collect()
    };
    match chosen.as_slice() {
        [] if wanted.is_empty() => note_absence(fleet, facts, &files, inference),
        [] => return Err(unknown_map(&wanted, &files, &maps)),
        [index] => use_map(fleet, maps.swap_remove(*index), facts, inference)?,
        several => {
            let several: Vec<&Candidate> = several.iter().map(|&index| &maps[index]).collect();
            inference.questions.push(ask_for_map(&several));
        }
    }
    Ok(())
}

/// Returns the files that may have the map. Returns `None` where nothing is to be searched: the
/// settings have no map, or the default one is in its file.
fn files_to_search(
    tree: &Tree,
    settings: &Settings,
    facts: &Facts,
    inference: &mut Inference,
) -> Option<Vec<String>> {
    let file = settings.paths.vms.to_string();
    if file.is_empty() {
        return None;
    }
    let takes_default = settings.paths.vms_map.to_string().is_empty();
    match tree.read_text(&file) {
        Ok(Some(text)) if takes_default && has_default_map(&file, &text) => {
            let origin = format!("`locals.vms` of `{file}`");
            inference.add("paths.vms", origin, "");
            None
        }
        Ok(Some(_)) => Some(vec![file]),
        Ok(None) if file == Paths::default().vms.as_str() => {
            let openbao = format!("{}/", settings.paths.vault_terraform);
            let files = facts.opentofu.iter().cloned();
            Some(files.filter(|file| !file.starts_with(&openbao)).collect())
        }
        Ok(None) | Err(_) => None, // reading it later fails with the reason
    }
}

/// Sets the map.
fn use_map(
    fleet: &mut Fleet,
    (file, map, reader): Candidate,
    facts: &Facts,
    inference: &mut Inference,
) -> Result<(), Failure> {
    let origin = format!("`{file}`, line {}", map.line);
    let summary = format!("the map of machines from {origin}: {}", map.place);
    let reader = if reader == file {
        find_reader(fleet, facts, &file).unwrap_or(reader)
    } else {
        reader
    };
    fleet.settings.vms_reader = Some(reader);
    let paths = &mut fleet.settings.paths;
    paths.vms = file.try_into().map_err(Failure::usage)?;
    // a name with other letters is found again as it was
    if let Ok(name) = map.place.path.join(".").try_into() {
        paths.vms_map = name;
    }
    fleet.settings.vms_place = map.place;
    let is_unnamed = fleet.settings.vms_place.path.is_empty();
    let (described, other) = if is_unnamed || fleet.settings.is_given("paths.vms_map") {
        ("paths.vms", "paths.vms_map")
    } else {
        ("paths.vms_map", "paths.vms")
    };
    inference.add(described, origin.clone(), summary);
    inference.add(other, origin, "");
    Ok(())
}

/// Returns OpenTofu's file that reads a file of data.
fn find_reader(fleet: &Fleet, facts: &Facts, data: &str) -> Option<String> {
    let reads = |file: &&String| {
        let text = fleet.tree.read_text(file).ok().flatten();
        let paths = vms::list_decoded_files(&text.unwrap_or_default()).unwrap_or_default();
        let mut paths = paths
            .iter()
            .filter_map(|path| nix::resolve_path(file, path));
        paths.any(|path| path == data)
    };
    facts.opentofu.iter().find(reads).cloned()
}

/// Returns whether OpenTofu makes records of DNS of a map, and nothing else.
fn is_of_records(texts: &[String], place: &MapPlace) -> bool {
    let name = match place.path.as_slice() {
        [section, module, _] if section == "module" => Some(module),
        path => path.last(),
    };
    let name = name.map(|name| name.to_lowercase());
    let mut words = name.iter().flat_map(|name| name.split(['_', '-']));
    if words.any(|word| RECORDS.contains(&word)) {
        return true;
    }
    let reference = match place.path.as_slice() {
        [section, name] if section == "locals" => format!("local.{name}"),
        [section, name, _] if section == "variable" => format!("var.{name}"),
        _ => return false,
    };
    let is_letter = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    let mentions = |text: &str| {
        let mut rests = text.split(&reference).skip(1);
        rests.any(|rest| !rest.starts_with(is_letter))
    };
    let blocks = texts.iter().flat_map(|text| text.split("\n}"));
    let mut users = blocks.filter(|block| mentions(block)).peekable();
    users.peek().is_some()
        && users.all(|block| {
            let head = block
                .lines()
                .find(|line| line.starts_with(char::is_alphabetic));
            let kind = head.and_then(|head| {
                let block = head.strip_prefix("resource \"");
                let block = block.or_else(|| head.strip_prefix("module \""));
                block?.split('"').next()
            });
            kind.is_some_and(|kind| kind.contains("record") || kind.contains("dns"))
        })
}

/// Sets that there is no map, if OpenTofu makes no machines; asks if it may.
fn note_absence(fleet: &mut Fleet, facts: &Facts, files: &[String], inference: &mut Inference) {
    if fleet.settings.is_given("paths.vms") || files.contains(&fleet.settings.paths.vms.to_string())
    {
        return;
    }
    let machine = facts.declarations.iter().find(|(_, declaration)| {
        let path = &declaration.path;
        path.len() == 3 && path[0] == "resource" && MACHINES.contains(&path[1].as_str())
    });
    let Some((file, resource)) = machine else {
        if let Ok(path) = String::new().try_into() {
            fleet.settings.paths.vms = path;
            let origin = "OpenTofu makes no machines here";
            inference.add("paths.vms", origin, "");
        }
        return;
    };
    inference.questions.push(Question {
        key: "paths.vms",
        problem: format!(
            "`{file}`, line {}, makes machines (`{}`), and no file has a map of them to which a new one \
             can be added",
            resource.line, resource.path[1]
        ),
        choices: vec![Choice::of_value(
            "paths.vms",
            "",
            "leave OpenTofu's code alone: machines are added there by hand",
        )],
        example: "terraform/vms.tf",
    });
}

/// Asks which map is the one of the machines.
fn ask_for_map(maps: &[&Candidate]) -> Question {
    Question {
        key: "paths.vms",
        problem: "more than one map may be that of the machines".to_owned(),
        choices: maps
            .iter()
            .map(|(file, map, _)| Choice {
                description: format!("{} (`{file}`, line {})", map.place, map.line),
                settings: vec![
                    ("paths.vms", file.clone()),
                    ("paths.vms_map", map.place.path.join(".")),
                ],
            })
            .chain([Choice::of_value(
                "paths.vms",
                "",
                "none of them: OpenTofu makes no machine of this fleet",
            )])
            .collect(),
        example: "terraform/vms.tf",
    }
}

/// Returns whether the file has `locals.vms`.
fn has_default_map(file: &str, text: &str) -> bool {
    let place = MapPlace::default();
    let maps = vms::list_maps(text, notation(file)).unwrap_or_default();
    maps.iter().any(|map| map.place == place)
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
                let path = nix::resolve_path(file, &path)?;
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
        let name = wanted.strip_prefix("locals.").unwrap_or(wanted);
        let data = files.first().filter(|file| !is_opentofu(file));
        let example = match data.map(|file| notation(file)) {
            Some(Notation::Json) => format!("\"{name}\": {{}}"),
            Some(Notation::Yaml) => format!("{name}: {{}}"),
            Some(Notation::Hcl | Notation::Toml) | None => format!("locals {{ {name} = {{}} }}"),
        };
        return failure.hint(format!(
            "create it, such as with `{example}` on lines of its own"
        ));
    }
    failure.hint(format!("set one of these: {}", list_places(maps.iter())))
}

/// Returns the failure of a run to which a question about the map of machines is open.
pub(crate) fn describe_ambiguity(question: &Question) -> Option<Failure> {
    let [(_, file), (_, map)] = question.choices.first()?.settings.as_slice() else {
        return None;
    };
    let is_map = |choice: &&Choice| choice.settings.len() > 1;
    let places = question.choices.iter().filter(is_map);
    let places: Vec<&str> = places.map(|choice| choice.description.as_str()).collect();
    let failure = Failure::usage(format_args!("{}: {}", question.problem, places.join(", ")));
    Some(failure.hint(format!(
        "name it in `{SETTINGS_FILE}`; for the first one:\n\n[paths]\nvms = \"{file}\"\nvms_map = \"{map}\"\n\n\
         if none of them has the machines:\n\n[paths]\nvms = \"\""
    )))
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
            assert_eq!(nix::resolve_path(file, path).as_deref(), joined, "{path}");
        }
    }
}
