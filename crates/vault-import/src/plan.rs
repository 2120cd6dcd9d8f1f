//! The new secrets of a host, and the declarations that stay.

use std::collections::BTreeMap;

use zts_cli::Failure;

use crate::{
    model::{
        Declaration, DeclaredTemplate, Host, HostPlan, NewFile, NewSecret, Staying, attribute_name,
    },
    tool::Tool,
};

/// Plans the hosts, with the declarations that have one of the names `only`, or all.
pub(crate) fn plan_hosts(hosts: Vec<Host>, only: &[String]) -> Result<Vec<HostPlan>, Failure> {
    for name in only {
        let mut names = hosts.iter().flat_map(|host| {
            let unread = host.unread.iter().map(|(name, _)| name);
            host.declarations.iter().map(|old| &old.name).chain(unread)
        });
        if !names.any(|declared| is_selected(declared, name)) {
            return Err(Failure::usage(format_args!(
                "no host declares a secret `{name}`, or one below it"
            ))
            .hint("the same command without `--only` lists them"));
        }
    }
    let hosts = hosts.into_iter();
    Ok(hosts.map(|host| plan_host(host, only)).collect())
}

fn is_selected(name: &str, only: &str) -> bool {
    name.strip_prefix(only)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn plan_host(host: Host, only: &[String]) -> HostPlan {
    let secrets_directory = secrets_directory(&host);
    let is_chosen = |name: &str| only.is_empty() || only.iter().any(|only| is_selected(name, only));
    let mut staying = Vec::new();
    let mut groups: BTreeMap<String, Vec<NewFile>> = BTreeMap::new();
    let declarations = host.declarations.into_iter();
    for old in declarations.filter(|old| is_chosen(&old.name)) {
        let (secret, file) = place(&old.name);
        if let Some(reason) = reason_to_stay(&old, &file) {
            staying.push(Staying { old, reason });
            continue;
        }
        let old = with_usual_names(old);
        let value = None;
        let file = NewFile {
            name: file,
            old,
            value,
        };
        groups.entry(secret).or_default().push(file);
    }
    let secrets = without_clashes(groups, &mut staying);
    let unread = host.unread.into_iter();
    let unread = unread.filter(|(name, _)| is_chosen(name));
    let mut notes: Vec<_> = unread.map(|(_, note)| note).chain(host.notes).collect();
    notes.extend(secrets.iter().flat_map(unmatched));
    let templates = host.templates.into_iter();
    let templates = templates.filter(|template| is_moved(template, &secrets));
    let templates = templates.collect();
    HostPlan {
        name: host.name,
        hostname: host.hostname,
        secrets_directory,
        files: host.files,
        secrets,
        templates,
        staying,
        notes,
    }
}

/// Returns the directory of our module's secrets, which is another one beside sops-nix.
fn secrets_directory(host: &Host) -> String {
    let mut declared = host.declarations.iter();
    let default = if declared.any(|old| old.tool == Tool::SopsNix) {
        "/run/vault-secrets"
    } else {
        "/run/secrets"
    };
    let known = host.secrets_directory.clone();
    known.unwrap_or_else(|| default.to_owned())
}

/// Returns whether all secrets of a template move. One without a secret has no copy.
fn is_moved(template: &DeclaredTemplate, secrets: &[NewSecret]) -> bool {
    let moves = |name: &String| {
        let mut moving = secrets.iter().flat_map(|secret| &secret.files);
        moving.any(|file| file.old.tool == Tool::SopsNix && file.old.name == *name)
    };
    !template.secrets.is_empty() && template.secrets.iter().all(moves)
}

/// Makes secrets of the groups. One whose name is taken stays.
fn without_clashes(
    groups: BTreeMap<String, Vec<NewFile>>,
    staying: &mut Vec<Staying>,
) -> Vec<NewSecret> {
    let mut secrets = Vec::new();
    for (name, files) in groups {
        for secret in divide(&name, files) {
            match clash(&secret, &secrets) {
                None => secrets.push(secret),
                Some(reason) => staying.extend(secret.files.into_iter().map(|file| Staying {
                    old: file.old,
                    reason: reason.clone(),
                })),
            }
        }
    }
    secrets
}

fn reason_to_stay(old: &Declaration, file: &str) -> Option<String> {
    if old.needed_early {
        return Some("it is read before the network is up".to_owned());
    }
    let is_plain = !["", ".", ".."].contains(&file) && !file.contains(char::is_control);
    (!is_plain).then(|| "its name cannot be that of a file".to_owned())
}

/// Returns the declaration with the names of root, and a mode of four digits.
fn with_usual_names(mut old: Declaration) -> Declaration {
    for name in [&mut old.owner, &mut old.group] {
        if name == "0" {
            "root".clone_into(name);
        }
    }
    old.mode = format!("{:0>4}", old.mode);
    old
}

/// Returns the secret and the file for a name of the old tool: `app/password` is the file
/// `password` of `app`. A name without a folder is a secret with one file.
fn place(old: &str) -> (String, String) {
    match old.rsplit_once('/') {
        Some((folder, file)) => (name_of_secret(folder), file.to_owned()),
        None => (name_of_secret(old), "value".to_owned()),
    }
}

/// Replaces the characters that the name of a secret cannot have.
fn name_of_secret(text: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let name: String = text
        .chars()
        .map(|letter| if allowed(letter) { letter } else { '-' })
        .collect();
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    if name.is_empty() { "secret" } else { name }.to_owned()
}

/// Divides the files of a folder into secrets whose files have the same owner, mode and units, as
/// those are settings of a secret. The largest keeps the name.
fn divide(name: &str, files: Vec<NewFile>) -> Vec<NewSecret> {
    let mut alike: Vec<Vec<NewFile>> = Vec::new();
    for file in files {
        match alike.iter_mut().find(|group| {
            group
                .first()
                .is_some_and(|first| are_alike(&first.old, &file.old))
        }) {
            Some(group) => group.push(file),
            None => alike.push(vec![file]),
        }
    }
    alike.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let groups = alike.into_iter().enumerate();
    groups
        .map(|(index, files)| {
            let first = files.first().map_or("", |file| file.name.as_str());
            let name = if index == 0 {
                name.to_owned()
            } else {
                name_of_secret(&format!("{name}-{first}"))
            };
            new_secret(name, files)
        })
        .collect()
}

fn are_alike(one: &Declaration, other: &Declaration) -> bool {
    let settings = |old: &Declaration| {
        (
            old.owner.clone(),
            old.group.clone(),
            old.mode.clone(),
            old.restart_units.clone(),
            old.reload_units.clone(),
        )
    };
    settings(one) == settings(other)
}

fn new_secret(name: String, files: Vec<NewFile>) -> NewSecret {
    let olds = || files.iter().map(|file| &file.old);
    let named = olds().flat_map(|old| old.restart_units.iter().chain(&old.reload_units));
    let mut services: Vec<_> = named.filter_map(|unit| service_name(unit)).collect();
    services.extend(olds().flat_map(|old| old.readers.clone()));
    services.sort();
    services.dedup();
    let is_reloaded = olds().any(|old| !old.reload_units.is_empty())
        && olds().all(|old| old.restart_units.is_empty());
    NewSecret {
        name,
        files,
        services,
        is_reloaded,
    }
}

/// Returns the name of a service as `services` takes it; `None` for another kind of unit.
fn service_name(unit: &str) -> Option<String> {
    unit.strip_suffix(".service").map(ToOwned::to_owned)
}

/// Returns the reason if a secret would have the name of another one, or two of its files one name.
fn clash(secret: &NewSecret, others: &[NewSecret]) -> Option<String> {
    let mut names: Vec<_> = secret.files.iter().map(|file| &file.name).collect();
    names.sort();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let (name, file) = (attribute_name(&secret.name), pair[0]);
        return Some(format!(
            "two declarations would be the file `{file}` of vault.secrets.{name}"
        ));
    }
    let other = others.iter().find(|other| other.name == secret.name)?;
    let old = other.first().map(Declaration::option).unwrap_or_default();
    let name = attribute_name(&secret.name);
    Some(format!(
        "{old} becomes vault.secrets.{name}; move this one by hand, with another name"
    ))
}

/// Returns notes about settings without a counterpart.
fn unmatched(secret: &NewSecret) -> Vec<String> {
    let name = attribute_name(&secret.name);
    let mut notes = Vec::new();
    if secret.services.is_empty() {
        notes.push(format!(
            "vault.secrets.{name}: no unit is known to read it; add `services`, the units that start after it"
        ));
    }
    for NewFile { old, .. } in &secret.files {
        let option = old.option();
        let units = || old.restart_units.iter().chain(&old.reload_units);
        for unit in units().filter(|unit| service_name(unit).is_none()) {
            notes.push(format!("{option}: `{unit}` is no service, and is left out"));
        }
        if !old.restart_units.is_empty() && !old.reload_units.is_empty() {
            notes.push(format!(
                "{option}: some units are restarted and some reloaded; all are restarted"
            ));
        }
        if old.is_linked {
            notes.push(format!(
                "{option}: remove `{}` on the host right before the deployment of `--replace`, which makes a link there",
                old.path
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_secrets_and_files() {
        for (old, secret, file) in [
            ("wifi", "wifi", "value"),
            ("app/password", "app", "password"),
            ("a/b/c.pem", "a-b", "c.pem"),
            ("_hidden", "hidden", "value"),
            ("schlüssel", "schl-ssel", "value"),
            ("ü", "secret", "value"),
        ] {
            assert_eq!(place(old), (secret.to_owned(), file.to_owned()), "{old}");
        }
    }

    #[test]
    fn a_name_selects_itself_and_those_below_it() {
        assert!(is_selected("app", "app"));
        assert!(is_selected("app/password", "app"));
        assert!(!is_selected("application", "app"));
    }
}
