//! The new declarations, as Nix.

use std::fmt::Write as _;

use zts_cli::nix_string;

use crate::model::{NewFile, NewSecret, attribute_name};

/// Returns the bindings that declare the secret, without indentation.
pub(crate) fn declaration(secret: &NewSecret) -> String {
    let mut lines = Vec::new();
    if let Some(old) = secret.first() {
        for (name, value, default) in [
            ("owner", &old.owner, "root"),
            ("group", &old.group, "root"),
            ("mode", &old.mode, "0400"),
        ] {
            if value != default {
                lines.push(format!("{name} = {};", nix_string(value)));
            }
        }
    }
    let names: Vec<_> = secret.files.iter().map(|file| file.name.clone()).collect();
    lines.push(format!("requiredKeys = {};", list(&names)));
    for file in &secret.files {
        if file.value.as_ref().is_some_and(|value| value.is_base64) {
            lines.push(format!(
                "encoding.{} = \"base64\";",
                attribute_name(&file.name)
            ));
        }
    }
    if !secret.services.is_empty() {
        lines.push(format!("services = {};", list(&secret.services)));
        lines.push("restartTrigger = true;".to_owned());
        if secret.is_reloaded {
            lines.push("onChange = \"reload\";".to_owned());
        }
    }
    let mut text = format!("vault.secrets.{} = {{\n", attribute_name(&secret.name));
    for line in lines.iter().flat_map(|lines| lines.split('\n')) {
        let _ = writeln!(text, "  {line}"); // writing to a String cannot fail
    }
    text + "};"
}

/// Returns the binding that puts a link at the path that the old declaration had, where it is not
/// the tool's own.
pub(crate) fn link(secret: &NewSecret, file: &NewFile) -> Option<String> {
    file.old.is_linked.then(|| {
        format!(
            "vault.secrets.{}.links.{} = {};",
            attribute_name(&secret.name),
            nix_string(&file.old.path),
            nix_string(&file.name)
        )
    })
}

/// Writes a list as nixfmt does.
fn list(items: &[String]) -> String {
    match items {
        [one] => format!("[ {} ]", nix_string(one)),
        items => {
            let lines: Vec<_> = items
                .iter()
                .map(|item| format!("  {}\n", nix_string(item)))
                .collect();
            format!("[\n{}]", lines.concat())
        }
    }
}
