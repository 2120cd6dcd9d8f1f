//! The files of a host in a flake whose hosts have modules of their own, one or more files each.

use std::collections::BTreeSet;

use rnix::ast;

use super::abstraction::{MARK, Wanted, rename_segments};
use super::definers::{complete_modules, list_definers, modules_in_text};
use super::expression::function_body;
use super::files::{FleetFiles, SourceFile, Sources, file_expression, list_nix_files};
use super::flake_hosts::FlakeHosts;
use super::individual::is_image;
use super::learn::learn_value;
use super::lesson::{Lesson, Sibling};
use super::missing_files::{defines_module, without_missing_files, without_missing_modules};
use super::new_host::{NO_VALUES, NewHost};
use super::open::open_output;
use super::origin::Origin;
use super::parse::{cast, node_range, parse_source, untyped};
use super::places::main_output;
use super::registry::has_modules;
use super::scope::entry_path;
use super::settings::sets_anything;
use super::siblings::{is_in_own_file, keep_like};
use super::system::with_system;

/// The files of a new host: the paths from the fleet's root, and the texts.
pub type OwnFiles = Vec<(String, String)>;

/// Learns the files of a host from those of the others, if more than half of the hosts are each
/// defined in a file with their name: the file itself, and those that more than half of the hosts
/// have beside it.
pub fn learn_own_files(files: &dyn FleetFiles, flake: &str, host: &NewHost<'_>) -> OwnFiles {
    let sources = Sources::new(files);
    let located = main_output(files, flake).and_then(|output| open_output(&sources, flake, output));
    let Ok((flake, found)) = located else {
        return OwnFiles::new();
    };
    let mut owners = list_owners(&sources, &found, host.name);
    let has_modules = has_modules(&flake);
    let are_definers = owners.is_empty() && has_modules;
    if are_definers {
        owners = list_definers(&sources, &found, host.name);
    }
    let Some(form) = most_common_form(&owners) else {
        return OwnFiles::new();
    };
    let names: Vec<&str> = owners
        .iter()
        .filter(|(_, other)| *other == form)
        .map(|(name, _)| name.as_str())
        .collect();
    let lesson = learn_file(&sources, &form, &names, host, false);
    let text = lesson.map(|lesson| lesson.text);
    let text = match names.as_slice() {
        [_] if are_definers => None,
        // the settings of an only host are not those of all
        [_] => text.map(|text| empty_modules(&text, host.name)),
        _ => text,
    };
    let main = if has_modules && (are_definers || text.is_some()) {
        complete_file(&sources, &form, &names, (host.name, true), text)
    } else {
        text.map(|text| (form.replace(MARK, host.name), text))
    };
    let own = match main {
        None => OwnFiles::new(),
        Some(main) if names.len() == 1 => vec![main],
        Some(main) => with_files_beside(&sources, &form, &names, host, main, has_modules),
    };
    let is_defined = |module: &str| is_defined(&sources, module);
    without_missing_modules(&own, host.name, &names, &is_defined)
}

/// Returns whether a file of the fleet gives a value to an attribute of this name, or to a part of
/// such a module.
fn is_defined(sources: &Sources<'_>, module: &str) -> bool {
    let files = sources.files_that(|text| defines_module(text, module));
    !files.is_empty()
}

/// Returns the main file of a host, of this form, and the files that more than half of the hosts
/// have beside theirs. A module is one of them only if the others of the host name it.
fn with_files_beside(
    sources: &Sources<'_>,
    form: &str,
    names: &[&str],
    host: &NewHost<'_>,
    main: (String, String),
    are_modules: bool,
) -> OwnFiles {
    let mut learnt = vec![main];
    for form in forms_beside(sources.files, form, names) {
        let lesson = learn_file(sources, &form, names, host, false);
        learnt.extend(if are_modules {
            learn_beside(sources, &form, names, host, (lesson, &learnt))
        } else {
            lesson.map(|lesson| (form.replace(MARK, host.name), lesson.text))
        });
    }
    learnt
}

/// Empties the modules with the name of a host, in a text that was learnt from an only one. What
/// makes the host stays.
fn empty_modules(text: &str, host: &str) -> String {
    const REGISTRIES: [&str; 3] = ["nixosconfigurations", "hosts", "systems"];
    let Ok(root) = parse_source(text) else {
        return text.to_owned();
    };
    let entries = root
        .descendants()
        .filter_map(|node| cast::<ast::AttrpathValue>(&node));
    let mut places: Vec<(std::ops::Range<usize>, bool)> = Vec::new();
    for entry in entries {
        let path = entry_path(&entry);
        let mut names = path.iter().filter_map(|(name, _)| name.as_deref());
        let has_host = names.clone().any(|name| name.contains(host));
        let is_registry = names.any(|name| {
            let is_word = |word: &&str| name.to_lowercase().contains(word);
            !name.contains(host) && REGISTRIES.iter().any(is_word)
        });
        let is_module = matches!(
            entry.value(),
            Some(ast::Expr::Lambda(_) | ast::Expr::AttrSet(_))
        );
        let Some(value) = entry.value().filter(|_| is_module && has_host) else {
            continue;
        };
        let range = node_range(&untyped(&function_body(&value)));
        let is_inside = places.iter().any(|(outer, _)| outer.contains(&range.start));
        if !is_inside && !is_registry {
            let has_name = untyped(&value).to_string().contains("hostName");
            places.push((range, has_name));
        }
    }
    let mut emptied = text.to_owned();
    for (range, has_name) in places.into_iter().rev() {
        let name = format!("{{ networking.hostName = \"{host}\"; }}");
        let module = if has_name { name.as_str() } else { "{ }" };
        emptied.replace_range(range, module);
    }
    emptied
}

/// Returns a file beside the main one, if the host needs it. `learnt` are the lesson, and the files
/// that the host has.
fn learn_beside(
    sources: &Sources<'_>,
    form: &str,
    names: &[&str],
    host: &NewHost<'_>,
    (lesson, learnt): (Option<Lesson>, &OwnFiles),
) -> Option<(String, String)> {
    let file = form.rsplit('/').next().unwrap_or_default();
    let is_imported = learnt.iter().any(|(_, text)| text.contains(file));
    let is_alike = lesson
        .as_ref()
        .is_some_and(|lesson| matches!(lesson.origin, Origin::Learnt(_)));
    if !is_imported && !is_alike {
        // the settings are of other hosts, but its other files name the module
        let mut others = names.iter();
        let sets_name = others.any(|name| {
            let text = sources.files.read(&form.replace(MARK, name));
            text.is_some_and(|text| text.contains("hostName"))
        });
        let least = complete_file(sources, form, names, (host.name, sets_name), None);
        let least = least.filter(|(_, text)| is_named(text, learnt, host.name));
        if least.is_some() {
            return least;
        }
    }
    let lesson = lesson?;
    let is_wanted = is_imported || is_wanted_beside(&lesson, learnt, host.name);
    is_wanted.then(|| (form.replace(MARK, host.name), lesson.text))
}

/// Returns whether a file that the host has names a module that the text defines.
fn is_named(text: &str, learnt: &OwnFiles, host: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || "_-'".contains(letter);
    modules_in_text(text, host).iter().any(|path| {
        let last = path.rsplit('.').next().unwrap_or(path);
        let module = last.replace(MARK, host);
        let mut words = learnt
            .iter()
            .flat_map(|(_, text)| text.split(|letter: char| !is_letter(letter)));
        module != host && words.any(|word| word == module)
    })
}

/// Returns whether a module beside the main one is made: most hosts have it alike, it sets what
/// most of them do, or it defines what no other file does.
fn is_wanted_beside(lesson: &Lesson, learnt: &OwnFiles, host: &str) -> bool {
    let is_alike = matches!(lesson.origin, Origin::Learnt(_)) && !is_empty_set(&lesson.text);
    let modules = |text: &str| -> Vec<String> {
        let paths = modules_in_text(text, host).into_iter();
        paths
            .map(|path| path.trim_start_matches("config.").to_owned())
            .collect()
    };
    let known: Vec<String> = learnt.iter().flat_map(|(_, text)| modules(text)).collect();
    let own = modules(&lesson.text);
    is_alike || sets_anything(&lesson.text) || own.iter().any(|path| !known.contains(path))
}

/// Returns the hosts with the form of the file that defines each; none if fewer than half of the
/// hosts have such a file.
fn list_owners(sources: &Sources<'_>, found: &FlakeHosts, name: &str) -> Vec<(String, String)> {
    let mut hosts: Vec<&str> = Vec::new();
    let mut owners: Vec<(String, String)> = Vec::new();
    let others = found.hosts.iter().filter(|host| host.name != name);
    for host in others.filter(|host| !is_image(&host.name)) {
        if !hosts.contains(&host.name.as_str()) {
            hosts.push(&host.name);
        }
        if is_in_own_file(sources, host) {
            let path = sources.file_of(&host.entry).map(|file| file.path.clone());
            let form = rename_segments(&path.unwrap_or_default(), &host.name, MARK);
            owners.push((host.name.clone(), form));
        }
    }
    let owners = keep_main_files(&owners);
    if owners.len() * 2 <= hosts.len() {
        return Vec::new();
    }
    owners
}

/// Keeps one file of each host: the one that most hosts have, and of these the one with the name of
/// a main file.
fn keep_main_files(owners: &[(String, String)]) -> Vec<(String, String)> {
    const MAIN: [&str; 4] = ["default.nix", "configuration.nix", "host.nix", "nixos.nix"];
    let rank = |form: &str| {
        let hosts = owners.iter().filter(|(_, other)| other == form);
        let hosts: BTreeSet<&String> = hosts.map(|(host, _)| host).collect();
        let file = form.rsplit('/').next().unwrap_or_default();
        (hosts.len(), MAIN.contains(&file) || file.contains(MARK))
    };
    let mut kept: Vec<(String, String)> = Vec::new();
    for (host, form) in owners {
        match kept.iter_mut().find(|(known, _)| known == host) {
            Some((_, known)) if rank(form) > rank(known) => known.clone_from(form),
            Some(_) => {}
            None => kept.push((host.clone(), form.clone())),
        }
    }
    kept
}

fn most_common_form(owners: &[(String, String)]) -> Option<String> {
    let count = |form: &str| owners.iter().filter(|(_, other)| other == form).count();
    let forms = owners.iter().rev().map(|(_, form)| form);
    forms.max_by_key(|form| count(form)).cloned()
}

/// Returns the forms of the files that more than half of the hosts have in the folder of their main
/// file.
fn forms_beside(files: &dyn FleetFiles, main: &str, names: &[&str]) -> Vec<String> {
    let Some((folder, _)) = main.rsplit_once('/').filter(|(folder, _)| {
        let last = folder.rsplit('/').next();
        last.is_some_and(|last| last.contains(MARK))
    }) else {
        return Vec::new();
    };
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        let mut paths = Vec::new();
        list_nix_files(files, &folder.replace(MARK, name), &mut paths);
        seen.extend(paths.iter().map(|path| rename_segments(path, name, MARK)));
    }
    let count = |form: &String| seen.iter().filter(|other| *other == form).count();
    let mut common: Vec<String> = seen
        .iter()
        .filter(|form| count(form) * 2 > names.len() && *form != main && is_near(form, folder))
        .cloned()
        .collect();
    common.sort();
    common.dedup();
    common
}

/// Returns whether a file is directly in a folder, or in one that is imported by its path.
fn is_near(file: &str, folder: &str) -> bool {
    let inner = file.strip_prefix(folder).unwrap_or_default();
    let inner = inner.trim_start_matches('/');
    !inner.contains('/') || inner.starts_with('_')
}

/// Completes a file of a host by the modules that those of the others define. They set the host's
/// name if that is asked for.
fn complete_file(
    sources: &Sources<'_>,
    form: &str,
    names: &[&str],
    (host, sets_name): (&str, bool),
    learnt: Option<String>,
) -> Option<(String, String)> {
    let open = |name: &str| sources.open(&form.replace(MARK, name))?.ok();
    let opened: Vec<_> = names.iter().map(|name| (open(name), *name)).collect();
    let others: Vec<(&SourceFile, &str)> = opened
        .iter()
        .filter_map(|(file, name)| Some((file.as_deref()?, *name)))
        .collect();
    let text = learnt.unwrap_or_else(|| "{ }\n".to_owned());
    let text = complete_modules(&text, &others, host, sets_name);
    parse_source(&text).ok()?;
    Some((form.replace(MARK, host), text))
}

fn is_empty_set(text: &str) -> bool {
    text.split_whitespace().collect::<String>() == "{}"
}

/// Learns the text of one file from those of the same form.
fn learn_file(
    sources: &Sources<'_>,
    form: &str,
    names: &[&str],
    host: &NewHost<'_>,
    is_data: bool,
) -> Option<Lesson> {
    let siblings: Vec<Sibling> = names
        .iter()
        .filter_map(|name| {
            let file = sources.open(&form.replace(MARK, name))?.ok()?;
            Some(Sibling {
                name: (*name).to_owned(),
                value: untyped(&file_expression(&file)?),
                tail: String::new(),
                indent: String::new(),
            })
        })
        .collect();
    let wanted = Wanted {
        name: host.name,
        address: None, // each run must give the same text, also without the address
        module: "",
        is_file: true,
        is_data,
        file: "",
        values: NO_VALUES,
    };
    let siblings = with_system(keep_like(siblings, host.like), host.system);
    let lesson = learn_value(&siblings, wanted).ok()?;
    let text = format!("{}\n", lesson.text.trim_start());
    let text = without_missing_files(&text, &form.replace(MARK, host.name), sources.files);
    // a file that has no more than a key of each host
    let text_of = |one: &Sibling| one.value.text().to_string();
    let has_key = |one: &Sibling| text_of(one).contains("\"ssh-") && !text_of(one).contains("{ }");
    if text.contains("{ }") && siblings.iter().all(has_key) {
        return None;
    }
    (form.replace(MARK, host.name) != form).then_some(Lesson { text, ..lesson })
}

/// Learns the text of a file that is no module of NixOS, from those of the other hosts: `form` is
/// its path with `{}` for the name.
pub fn learn_data_file(
    files: &dyn FleetFiles,
    form: &str,
    hosts: &[String],
    host: &NewHost<'_>,
) -> Option<String> {
    let sources = Sources::new(files);
    let form = form.replace("{}", MARK);
    let mut names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    names.retain(|name| *name != host.name);
    let of_one = |name: &&str| learn_file(&sources, &form, &[*name], host, true);
    let lesson = learn_file(&sources, &form, &names, host, true);
    let lesson = lesson.or_else(|| names.iter().find_map(of_one));
    let own = [(form.replace(MARK, host.name), lesson?.text)];
    let is_defined = |module: &str| is_defined(&sources, module);
    let mut own = without_missing_modules(&own, host.name, &names, &is_defined);
    own.pop().map(|(_, text)| text)
}
