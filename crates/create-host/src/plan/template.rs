//! The files of a host, rendered from the template.

use zts_cli::Failure;
use zts_infra_edit::nix;

use crate::{
    failure::edit_failure,
    fleet::{Contents, Settings, decode_text},
    host::{HostAddress, HostName},
    placeholders::{Misspelt, Placeholders, Values},
};

/// Returns the values of the placeholders for a host.
pub(super) fn placeholder_values(
    name: &HostName,
    address: HostAddress,
    settings: &Settings,
) -> Values {
    let network = &settings.network;
    let servers = network.nameservers.iter();
    Values {
        single: [
            name.to_string(),
            address.to_string(),
            address.address().to_string(),
            address.prefix_length().to_string(),
            network.gateway.to_string(),
            network.domain.to_string(),
        ],
        nameservers: servers.map(ToString::to_string).collect(),
    }
}

/// Renders the files of a host from the template, as pairs of path and text.
pub(super) fn render_template(
    name: &HostName,
    values: &Values,
    template: &Contents,
    settings: &Settings,
) -> Result<Vec<(String, String)>, Failure> {
    let folder = settings.paths.template.as_str();
    let mut files = Vec::new();
    for (path, bytes) in template {
        let below = path.strip_prefix(folder).unwrap_or(path);
        if is_backup(below) {
            continue;
        }
        let text = decode_text(path, bytes.clone())?;
        check_placeholders(path, &text)?;
        let text = Placeholders::AT_SIGNS.fill_lines(&text, values);
        let target = format!("{}/{name}{below}", settings.paths.hosts);
        let is_nix = target.to_lowercase().ends_with(".nix");
        if let (true, Err(error)) = (is_nix, nix::check_syntax(&text)) {
            return Err(edit_failure(path, &error));
        }
        files.push((target, text));
    }
    if files.is_empty() {
        return Err(Failure::failed(format_args!("there is no template for a host's files in `{folder}`"))
            .hint("create `default.nix` and the files that it imports there, or set another folder with `template` under `[paths]` in `fleet.toml`"));
    }
    Ok(files)
}

/// Returns whether an editor or a file manager left the file.
fn is_backup(path: &str) -> bool {
    path.contains("/.") || path.ends_with('~')
}

fn check_placeholders(path: &str, text: &str) -> Result<(), Failure> {
    let Some(Misspelt {
        offset,
        word,
        meant,
    }) = Placeholders::AT_SIGNS.find_misspelt(text)
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
