//! Declarations of a flake's hosts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use zts_cli::{Failure, evaluate_hosts, unknown_host};

use super::declarations::{ByHost, parse_hosts};

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

const WITHOUT_NIX: &str =
    "give the declarations with `--declarations FILE`, such as a host's `/etc/vault/secrets.json`";

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
    let evaluated: Evaluated = evaluate_hosts(reference, EXPRESSION, selected, WITHOUT_NIX)?;
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
