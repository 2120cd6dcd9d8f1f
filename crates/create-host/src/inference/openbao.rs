//! OpenBao's address, its mounts, and OpenTofu's folder for it.

use std::collections::BTreeSet;

use zts_infra_edit::declarations::Declaration;

use crate::fleet::{Addresses, Checked, Choice, Fleet, Inference, Question};

use super::facts::{Facts, Place, describe_places, group, parse_setting};

/// The name of the generated file.
const GENERATED: &str = "hosts-generated.tf";

/// The paths of OpenBao's address in OpenTofu's files.
const ADDRESS_PATHS: [&[&str]; 13] = [
    &["provider", "vault", "address"],
    &["variable", "vault_addr", "default"],
    &["variable", "vault_address", "default"],
    &["variable", "openbao_addr", "default"],
    &["variable", "openbao_address", "default"],
    &["variable", "bao_addr", "default"],
    &["variable", "bao_address", "default"],
    &["vault_addr"],
    &["vault_address"],
    &["openbao_addr"],
    &["openbao_address"],
    &["bao_addr"],
    &["bao_address"],
];

/// The ends of the paths of OpenBao's address in Nix files.
const ADDRESS_NAMES: [&[&str]; 3] = [&["vault", "address"], &["VAULT_ADDR"], &["BAO_ADDR"]];

/// Sets OpenTofu's folder for OpenBao, and the generated file in it: the default one if it exists,
/// else the only folder whose files declare the mount of the roles.
pub(super) fn locate_folder(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    let paths = &fleet.settings.paths;
    if !fleet.settings.is_given("paths.vault_terraform") {
        let default = paths.vault_terraform.to_string();
        let is_there = |folder: &str| {
            let folder = fleet.tree.resolve(folder);
            folder.is_ok_and(|folder| folder.is_dir())
        };
        if is_there(&default) {
            inference.add("paths.vault_terraform", format!("`{default}`"), "");
        } else if let Some((folder, place)) = sole_folder(facts) {
            let Ok(path) = folder.clone().try_into() else {
                return;
            };
            fleet.settings.paths.vault_terraform = path;
            inference.add(
                "paths.vault_terraform",
                describe_places(&[place]),
                format!("OpenTofu's folder for OpenBao, `{folder}`"),
            );
        }
    }
    let paths = &fleet.settings.paths;
    let file = format!("{}/{GENERATED}", paths.vault_terraform);
    if fleet.settings.is_given("paths.generated") || file == paths.generated.as_str() {
        return;
    }
    if let Ok(path) = file.try_into() {
        fleet.settings.paths.generated = path;
        inference.add("paths.generated", "in `vault_terraform`", "");
    }
}

/// Returns the only folder with the mount of the roles, on which the generated file builds.
fn sole_folder(facts: &Facts) -> Option<(String, Place)> {
    let mounts = facts.declarations.iter().filter(|(_, declaration)| {
        declaration.is_at(&["resource", "vault_auth_backend", "approle"])
    });
    let folders = mounts.filter_map(|(file, declaration)| {
        let (folder, _) = file.rsplit_once('/')?;
        Some((folder.to_owned(), Place::new(file, declaration.line)))
    });
    match group(folders.collect()).as_slice() {
        [(folder, places)] => Some((folder.clone(), places.first()?.clone())),
        _ => None,
    }
}

/// Sets the mounts that OpenTofu's folder for OpenBao declares.
pub(super) fn find_mounts(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    let folder = format!("{}/", fleet.settings.paths.vault_terraform);
    let inside = |(file, _): &&(String, Declaration)| {
        let below = file.strip_prefix(&folder);
        below.is_some_and(|file| !file.contains('/'))
    };
    let declared: Vec<_> = facts.declarations.iter().filter(inside).collect();
    if !fleet.settings.is_given("openbao.kv_mount")
        && let Some((path, place)) = sole_mount(&declared, "vault_mount", is_kv)
        && let Some(mount) = parse_setting(&path)
    {
        fleet.settings.openbao.kv_mount = mount;
        let summary = format!("the KV mount `{path}`");
        inference.add("openbao.kv_mount", describe_places(&[place]), summary);
    }
    if !fleet.settings.is_given("openbao.approle_mount")
        && let Some((path, place)) = sole_mount(&declared, "vault_auth_backend", is_approle)
        && let Some(mount) = parse_setting(&path)
    {
        fleet.settings.openbao.approle_mount = mount;
        let summary = format!("the AppRole mount `{path}`");
        inference.add("openbao.approle_mount", describe_places(&[place]), summary);
    }
}

fn is_kv(attribute: &str, text: &str) -> bool {
    (attribute == "type" && text == "kv-v2") || (attribute == "version" && text == "2")
}

fn is_approle(attribute: &str, text: &str) -> bool {
    attribute == "type" && text == "approle"
}

/// Returns the path of the only mount of a type of resource with an attribute of the right kind. A
/// mount without a path has that of its type.
fn sole_mount(
    declared: &[&(String, Declaration)],
    resource: &str,
    is_wanted: impl Fn(&str, &str) -> bool,
) -> Option<(String, Place)> {
    let of_resource = |declaration: &Declaration| {
        let path = &declaration.path;
        path.len() > 3 && path[0] == "resource" && path[1] == resource
    };
    let mut wanted = BTreeSet::new();
    for (_, declaration) in declared.iter().filter(|(_, one)| of_resource(one)) {
        if let (Some(attribute), [text]) = (declaration.path.last(), &*declaration.texts)
            && is_wanted(attribute, text)
        {
            wanted.insert(&declaration.path[2]);
        }
    }
    let name = wanted.pop_first().filter(|_| wanted.is_empty())?;
    let at = |attribute: &str| {
        declared
            .iter()
            .find(|(_, one)| one.is_at(&["resource", resource, name, attribute]))
    };
    let (file, declaration) = at("path").or_else(|| at("type"))?;
    let path = declaration.texts.first()?.trim_matches('/').to_owned();
    Some((path, Place::new(file, declaration.line)))
}

/// Sets OpenBao's address, if all files that have one agree.
pub(super) fn find_address(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    if fleet.settings.is_given("openbao.address") {
        return;
    }
    let found = facts.find(&ADDRESS_NAMES, &ADDRESS_PATHS).into_iter();
    let joined = found.map(|(texts, place)| (texts.join(","), place));
    let is_valid = |text: &str| parse_setting::<Checked<Addresses>>(text).is_some();
    let groups = group(joined.filter(|(text, _)| is_valid(text)).collect());
    if let [(address, places)] = groups.as_slice()
        && let Some(setting) = parse_setting(address)
    {
        fleet.settings.openbao.address = setting;
        let origin = describe_places(places);
        fleet.address_file = Some(places[0].file.clone());
        let summary = format!("OpenBao's address from {origin}");
        inference.add("openbao.address", origin, summary);
        return;
    }
    let problem = if groups.is_empty() {
        "no file of the fleet has OpenBao's address, and `BAO_ADDR` is not set"
    } else {
        "the fleet's files have different addresses of OpenBao"
    };
    let choices = groups.iter().map(|(address, places)| {
        let description = format!("`{address}`, as in {}", describe_places(places));
        Choice::of_value("openbao.address", address, description)
    });
    inference.questions.push(Question {
        key: "openbao.address",
        problem: problem.to_owned(),
        choices: choices.collect(),
        example: "https://openbao.example.org:8200",
    });
}
