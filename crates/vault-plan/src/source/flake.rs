//! Declarations of a flake's hosts.

use std::{
    collections::BTreeMap,
    io,
    process::{Command, Output, Stdio},
};

use cli::Failure;
use serde::Deserialize;
use serde_json::Value;

use super::{ByHost, understood, unknown};

/// What the flake is asked for, given its nixosConfigurations. Hosts without the module, or that do
/// not use it, are left out.
const EXPRESSION: &str = "\
configurations:
let
  asked = ASKED;
  names = builtins.attrNames configurations;
  chosen = builtins.filter (name: asked == [ ] || builtins.elem name asked) names;
  declares = name: configurations.${name}.config.vault.enable or false;
in
{
  inherit names;
  hosts = builtins.listToAttrs (
    map (name: {
      inherit name;
      value = configurations.${name}.config.vault.declarations;
    }) (builtins.filter declares chosen)
  );
}";

#[derive(Deserialize)]
struct Evaluated {
    names: Vec<String>,
    hosts: BTreeMap<String, Value>,
}

/// What the hosts of the flake declare: those asked for, or all.
pub(super) fn declarations(reference: &str, asked: &[String]) -> Result<ByHost, Failure> {
    let evaluated = evaluate(reference, asked)?;
    for name in asked {
        if !evaluated.names.contains(name) {
            let place = format!("in `{reference}#nixosConfigurations`");
            return Err(unknown(name, &place, &evaluated.names));
        }
        if !evaluated.hosts.contains_key(name) {
            return Err(Failure::usage(format_args!(
                "host `{name}` does not use the module: its `vault.enable` is not set"
            )));
        }
    }
    understood(evaluated.hosts)
}

fn evaluate(reference: &str, asked: &[String]) -> Result<Evaluated, Failure> {
    let output = run(reference, asked).map_err(|cause| not_run(&cause))?;
    if !output.status.success() {
        return Err(Failure::failed(format_args!(
            "`{reference}#nixosConfigurations` could not be evaluated (`nix eval`: {})",
            output.status
        ))
        .hint("what Nix said stands above"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Failure::failed(format_args!(
            "what `nix eval` gave is not what was asked for: {error}"
        ))
    })
}

/// What Nix says goes to the terminal as it comes. The token is no business of a flake's.
fn run(reference: &str, asked: &[String]) -> io::Result<Output> {
    let asked: Vec<_> = asked.iter().map(|name| nix_text(name)).collect();
    let expression = EXPRESSION.replace("ASKED", &format!("[ {} ]", asked.join(" ")));
    Command::new("nix")
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args(["eval", "--json", "--apply", &expression, "--"])
        .arg(format!("{reference}#nixosConfigurations"))
        .env_remove("BAO_TOKEN")
        .env_remove("VAULT_TOKEN")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
}

fn not_run(cause: &io::Error) -> Failure {
    let failure = if cause.kind() == io::ErrorKind::NotFound {
        Failure::failed("Nix is not installed: there is no `nix` on `PATH`")
    } else {
        Failure::failed(format_args!("could not run `nix`: {cause}"))
    };
    failure.hint("give what the hosts declare with `--declarations FILE`, such as a host's `/etc/vault/secrets.json`")
}

/// A text as Nix reads it.
fn nix_text(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$");
    format!("\"{escaped}\"")
}
