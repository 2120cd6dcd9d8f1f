//! Declarations of a flake's hosts.

use std::{
    collections::BTreeMap,
    io,
    process::{Output, Stdio},
};

use serde::Deserialize;
use serde_json::Value;
use zts_cli::{Failure, nix_eval, nix_string};

use super::declarations::{ByHost, parse_hosts, unknown_host};

/// The addresses in hosts' configurations, by host.
pub(super) type Addresses = BTreeMap<String, Vec<String>>;

/// The Nix function that is applied to the flake's nixosConfigurations. Hosts without the module,
/// or that do not use it, are left out. Addresses are the static ones.
const EXPRESSION: &str = "\
configurations:
let
  selected = SELECTED;
  names = builtins.attrNames configurations;
  chosen = builtins.filter (name: selected == [ ] || builtins.elem name selected) names;
  declares = name: configurations.${name}.config.vault.enable or false;
  each = what: set: builtins.concatMap what (builtins.attrValues set);
  fixed = config:
    each (network: network.address or [ ]) (config.systemd.network.networks or { })
    ++ each (interface: map (fixed: fixed.address) (
      (interface.ipv4.addresses or [ ]) ++ (interface.ipv6.addresses or [ ])
    )) (config.networking.interfaces or { });
  addresses = config:
    let
      tried = builtins.tryEval (builtins.deepSeq (fixed config) (fixed config));
    in
    if tried.success then tried.value else [ ];
  ofHosts = what: builtins.listToAttrs (
    map (name: {
      inherit name;
      value = what configurations.${name}.config;
    }) (builtins.filter declares chosen)
  );
in
{
  inherit names;
  hosts = ofHosts (config: config.vault.declarations);
  addresses = ofHosts addresses;
}";

#[derive(Deserialize)]
struct Evaluated {
    names: Vec<String>,
    hosts: BTreeMap<String, Value>,
    addresses: BTreeMap<String, Vec<String>>,
}

/// Evaluates the declarations and the addresses of these hosts of the flake, or of all.
pub(super) fn read_declarations(
    reference: &str,
    selected: &[String],
) -> Result<(ByHost, Addresses), Failure> {
    let evaluated = evaluate(reference, selected)?;
    for name in selected {
        if !evaluated.names.contains(name) {
            let place = format!("in `{reference}#nixosConfigurations`");
            return Err(unknown_host(name, &place, &evaluated.names));
        }
        if !evaluated.hosts.contains_key(name) {
            return Err(Failure::usage(format_args!(
                "host `{name}` does not use the module: its `vault.enable` is not set"
            )));
        }
    }
    Ok((parse_hosts(evaluated.hosts)?, evaluated.addresses))
}

fn evaluate(reference: &str, selected: &[String]) -> Result<Evaluated, Failure> {
    let output = run_nix(reference, selected).map_err(|cause| nix_error(&cause))?;
    if !output.status.success() {
        return Err(Failure::failed(format_args!(
            "`{reference}#nixosConfigurations` could not be evaluated (`nix eval`: {})",
            output.status
        ))
        .hint("see the messages of Nix above"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Failure::failed(format_args!("`nix eval` printed unexpected data: {error}"))
    })
}

/// Runs `nix eval`, whose messages go to the terminal.
fn run_nix(reference: &str, selected: &[String]) -> io::Result<Output> {
    let selected: Vec<_> = selected.iter().map(|name| nix_string(name)).collect();
    let expression = EXPRESSION.replace("SELECTED", &format!("[ {} ]", selected.join(" ")));
    nix_eval(&expression, &format!("{reference}#nixosConfigurations"))
        .stderr(Stdio::inherit())
        .output()
}

fn nix_error(cause: &io::Error) -> Failure {
    let failure = if cause.kind() == io::ErrorKind::NotFound {
        Failure::failed("Nix is not installed: there is no `nix` on `PATH`")
    } else {
        Failure::failed(format_args!("could not run `nix`: {cause}"))
    };
    failure.hint("give the declarations with `--declarations FILE`, such as a host's `/etc/vault/secrets.json`")
}
