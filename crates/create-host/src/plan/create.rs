//! A host that is to be there.

use cli::Failure;
use infra_edit::{Error, generated, generated::GeneratedHost, nix, vms};

use super::{Change, Changes, Sources, names};
use crate::{
    failure,
    fleet::{Contents, Settings, text_of},
    host::{HostAddress, HostName},
    placeholders::{Placeholders, Values},
};

/// What is to change so that the host is there.
pub(crate) fn create(
    name: &HostName,
    address: HostAddress,
    rights: &GeneratedHost,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<Change>, Failure> {
    names::check_folder(name, settings)?;
    let values = Values::new(name, address, settings);
    let known = names::is_known(name, address, sources, settings)?;
    let mut host = Host {
        name,
        address,
        known,
        values,
        settings,
    };
    let vms = host.vm(sources)?;
    host.known |= vms == sources.vms;
    let mut changes = Changes::default();
    changes.edit(settings.paths.vms.as_str(), &sources.vms, vms);
    host.files(sources, &mut changes)?;
    host.flake(sources, &mut changes)?;
    generated_file(rights, sources, settings, &mut changes)?;
    Ok(changes.done())
}

struct Host<'a> {
    name: &'a HostName,
    address: HostAddress,
    /// Whether it is in `vms.tf` already.
    known: bool,
    values: Values,
    settings: &'a Settings,
}

impl Host<'_> {
    /// Files that are there already are their owner's.
    fn files(&self, sources: &Sources, changes: &mut Changes) -> Result<(), Failure> {
        for (path, text) in rendered(self.name, &self.values, &sources.template, self.settings)? {
            match sources.host_files.get(&path) {
                None => changes.add(&path, None, Some(text.into_bytes())),
                Some(there) if !self.known && *there != text.as_bytes() => {
                    let what = format!("`{path}` is there with another text");
                    return Err(names::in_use(self.name, &what, self.address, self.settings));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn flake(&self, sources: &Sources, changes: &mut Changes) -> Result<(), Failure> {
        let Some(flake) = &sources.flake else {
            return Ok(());
        };
        let file = self.settings.paths.flake.as_str();
        if self.known && names::is_in_flake(self.name, flake) {
            return Ok(());
        }
        let entry = self.settings.text.flake_entry.as_str();
        let entry = Placeholders::BRACES.fill(entry, &self.values, |servers| quoted(servers, " "));
        let edited = nix::add_configuration(flake, self.name.as_str(), &entry);
        let edited = edited.map_err(|error| match error {
            Error::Exists { position, .. } => {
                let what = format!("`{file}`, {position}, has a host of this name");
                names::in_use(self.name, &what, self.address, self.settings)
            }
            Error::Invalid { .. } => Failure::usage(format_args!("{error}"))
                .hint("it stands in `flake_entry` under `[text]` in `fleet.toml`"),
            Error::Unsupported { .. } => or_none(failure::edit(file, &error)),
            other => failure::edit(file, &other),
        })?;
        if let Ok(Some(called)) = nix::undefined_function(flake, &entry) {
            let name = self.name;
            return Err(Failure::usage(format_args!(
                "`{file}` has no `{called}`, which the entry of `{name}` calls"
            ))
            .hint(
                "say in `flake_entry` under `[text]` in `fleet.toml` what makes a host in this flake",
            ));
        }
        changes.edit(file, flake, edited);
        Ok(())
    }

    /// The text of `vms.tf` with the host in it.
    fn vm(&self, sources: &Sources) -> Result<String, Failure> {
        if self.known {
            return Ok(sources.vms.clone());
        }
        let file = self.settings.paths.vms.as_str();
        let body = self.settings.text.vm_entry.as_str();
        let body = Placeholders::BRACES.fill(body, &self.values, |servers| quoted(servers, ", "));
        let edited = vms::add(&sources.vms, self.name.as_str(), &body);
        edited.map_err(|error| match error {
            Error::Exists { position, .. } => {
                let what =
                    format!("`{file}`, {position}, has a host of this name with other values");
                names::in_use(self.name, &what, self.address, self.settings)
            }
            Error::Invalid { .. } => Failure::usage(format_args!("{error}"))
                .hint("it stands in `vm_entry` under `[text]` in `fleet.toml`"),
            other => failure::edit(file, &other),
        })
    }
}

/// A flake that finds its hosts by itself is a third way.
fn or_none(failure: Failure) -> Failure {
    let hint = failure.hint_text().unwrap_or_default();
    let hint = format!(
        "{hint}\n\nthen run the same command again; if the flake finds its hosts by itself, say so with \
         `flake_entry = \"\"` under `[text]` in `fleet.toml`"
    );
    failure.hint(hint)
}

fn quoted(texts: &[String], between: &str) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(between)
}

/// The host's files as the template makes them, by their path.
pub(super) fn rendered(
    name: &HostName,
    values: &Values,
    template: &Contents,
    settings: &Settings,
) -> Result<Vec<(String, String)>, Failure> {
    let folder = settings.paths.template.as_str();
    let mut files = Vec::new();
    for (path, bytes) in template {
        let below = path.strip_prefix(folder).unwrap_or(path);
        if is_left_over(below) {
            continue;
        }
        let text = text_of(path, bytes.clone())?;
        check_placeholders(path, &text)?;
        let text = Placeholders::AT_SIGNS.fill_lines(&text, values);
        let target = format!("{}/{name}{below}", settings.paths.hosts);
        let is_nix = target.to_lowercase().ends_with(".nix");
        if let (true, Err(error)) = (is_nix, nix::check(&text)) {
            return Err(failure::edit(path, &error));
        }
        files.push((target, text));
    }
    if files.is_empty() {
        return Err(Failure::failed(format_args!("there is no template for a host's files in `{folder}`"))
            .hint("put `default.nix` and what it imports there, or name another folder with `template` under `[paths]` in `fleet.toml`"));
    }
    Ok(files)
}

/// What editors and file managers leave beside the files.
fn is_left_over(path: &str) -> bool {
    path.contains("/.") || path.ends_with('~')
}

fn check_placeholders(path: &str, text: &str) -> Result<(), Failure> {
    let Some((offset, misspelt, meant)) = Placeholders::AT_SIGNS.misspelt(text) else {
        return Ok(());
    };
    let line = text[..offset].matches('\n').count() + 1;
    Err(Failure::usage(format_args!(
        "`{path}`, line {line}: `{misspelt}` is not a placeholder"
    ))
    .hint(format!(
        "did you mean `{meant}`? `hosts/README.md` lists them all"
    )))
}

/// The file with the policies and roles of all hosts.
fn generated_file(
    rights: &GeneratedHost,
    sources: &Sources,
    settings: &Settings,
    changes: &mut Changes,
) -> Result<(), Failure> {
    let mut hosts = others(&rights.name, sources, settings)?;
    hosts.push(rights.clone());
    write_generated(&hosts, sources, settings, changes);
    Ok(())
}

/// The other hosts in the generated file.
pub(super) fn others(
    name: &str,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<GeneratedHost>, Failure> {
    let text = sources.generated.as_deref().unwrap_or_default();
    let mut hosts = generated::parse(text)
        .map_err(|error| failure::edit(settings.paths.generated.as_str(), &error))?;
    hosts.retain(|host| host.name != name);
    Ok(hosts)
}

pub(super) fn write_generated(
    hosts: &[GeneratedHost],
    sources: &Sources,
    settings: &Settings,
    changes: &mut Changes,
) {
    let before = sources.generated.clone().map(String::into_bytes);
    let after = generated::render(hosts).into_bytes();
    changes.add(settings.paths.generated.as_str(), before, Some(after));
}
