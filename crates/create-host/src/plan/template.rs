//! The files of a host, rendered from the template.

use std::collections::BTreeMap;

use zts_cli::Failure;
use zts_infra_edit::nix;

use crate::{
    failure::edit_failure,
    fleet::{Settings, decode_text},
    host::{HostAddress, HostName},
    overlay::NewFile,
    placeholders::{Misspelt, Placeholders, Values},
};

use super::sources::Sources;

/// Returns the values of the placeholders for a host. A host without an address has no text that
/// needs one.
pub(super) fn placeholder_values(
    name: &HostName,
    address: Option<HostAddress>,
    settings: &Settings,
) -> Values {
    let network = &settings.network;
    let of_address = |part: fn(HostAddress) -> String| address.map(part).unwrap_or_default();
    let servers = network.nameservers.iter();
    Values {
        single: [
            name.to_string(),
            of_address(|address| address.to_string()),
            of_address(|address| address.address().to_string()),
            of_address(|address| address.prefix_length().to_string()),
            network.gateway.to_string(),
            network.domain.to_string(),
            settings.openbao.namespace.to_string(),
            settings.openbao.address.to_string(),
        ],
        nameservers: servers.map(ToString::to_string).collect(),
        own: BTreeMap::new(),
    }
}

/// Renders the files of a host from the template, or as learnt in a fleet without one.
pub(super) fn render_files(
    name: &HostName,
    values: &Values,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<NewFile>, Failure> {
    if sources.template.is_empty() {
        return Ok(sources.learnt.clone());
    }
    let mut values = values.clone();
    if let Some((host, domain)) = name.split_domain() {
        // NixOS's host name has no dots
        host.clone_into(&mut values.single[0]);
        domain.clone_into(&mut values.single[5]);
    }
    let mut files = Vec::new();
    for (path, target) in host_files(name, sources, settings) {
        let Some(bytes) = sources.template.get(path) else {
            continue;
        };
        let text = decode_text(path, bytes.clone())?;
        check_placeholders(path, &text, &values.own)?;
        let own = read_own_values(&text, &values, sources, &target);
        let text = Placeholders::AT_SIGNS.fill_lines(
            &text,
            &Values {
                own,
                ..values.clone()
            },
        );
        let is_nix = target.to_lowercase().ends_with(".nix");
        if let (true, Err(error)) = (is_nix, nix::check_syntax(&text)) {
            return Err(edit_failure(path, &error));
        }
        files.push((target, text));
    }
    Ok(files)
}

/// Returns the values of the placeholders that are not the fleet's: those of `--set`, else those
/// that the host's present file has, else those that are known.
fn read_own_values(
    text: &str,
    values: &Values,
    sources: &Sources,
    target: &str,
) -> BTreeMap<String, String> {
    let mut own = values.own.clone();
    if let Some(Ok(present)) = sources
        .host_files
        .get(target)
        .map(|bytes| str::from_utf8(bytes))
    {
        let without = Values {
            own: BTreeMap::new(),
            ..values.clone()
        };
        let pattern = Placeholders::AT_SIGNS.fill_lines(text, &without);
        own.extend(Placeholders::AT_SIGNS.match_own(&pattern, present));
        own.extend(sources.values.clone());
    }
    own
}

/// Returns the files of the template with those that a host gets from them; in a fleet without a
/// template, the files that are learnt.
pub(super) fn host_files<'a>(
    name: &HostName,
    sources: &'a Sources,
    settings: &Settings,
) -> Vec<(&'a str, String)> {
    if sources.template.is_empty() {
        let learnt = sources.learnt.iter();
        return learnt
            .map(|(path, _)| (path.as_str(), path.clone()))
            .collect();
    }
    let folder = settings.paths.template.as_str();
    let files = sources.template.keys().filter_map(|path| {
        let below = path.strip_prefix(folder).unwrap_or(path);
        let target = format!("{}/{name}{below}", settings.paths.hosts);
        (!is_backup(below)).then_some((path.as_str(), target))
    });
    files.collect()
}

/// Returns whether an editor or a file manager left the file.
pub(super) fn is_backup(path: &str) -> bool {
    path.contains("/.") || path.ends_with('~')
}

fn check_placeholders(
    path: &str,
    text: &str,
    own: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let Some(Misspelt {
        offset,
        word,
        meant,
    }) = Placeholders::AT_SIGNS.find_misspelt(text, own)
    else {
        return Ok(());
    };
    let line = text[..offset].matches('\n').count() + 1;
    Err(Failure::usage(format_args!(
        "`{path}`, line {line}: `{word}` is not a placeholder"
    ))
    .hint(format!(
        "did you mean `{meant}`? `hosts/README.md` lists all of them"
    )))
}
