//! The policies that a host's role has besides the host's own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zts_cli::Failure;
use zts_infra_edit::generated::GeneratedHost;

use crate::{grants::section_header, host::HostName, host_access::role_policies};

/// The policies of a role besides the host's own and those that `fleet.toml` declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MorePolicies {
    /// Those that stay: somebody added them by hand.
    pub(crate) kept: BTreeSet<String>,
    /// Those that `--remove-policy` takes away.
    pub(crate) removed: BTreeSet<String>,
    /// Those of `--remove-policy` that the role does not have.
    pub(crate) absent: BTreeSet<String>,
}

impl MorePolicies {
    /// Sorts the policies of `role`. Without a role, they are those of the generated file, with
    /// which OpenTofu would make it.
    pub(crate) fn of_role(
        role: Option<&BTreeMap<String, Value>>,
        in_file: &BTreeSet<String>,
        access: &GeneratedHost,
        to_remove: &[String],
    ) -> Self {
        let present = role.map_or_else(|| in_file.clone(), role_policies);
        let (known, to_remove) = (access.token_policies(), to_remove.iter().cloned().collect());
        let by_hand: BTreeSet<String> = present.difference(&known).cloned().collect();
        Self {
            kept: by_hand.difference(&to_remove).cloned().collect(),
            removed: by_hand.intersection(&to_remove).cloned().collect(),
            absent: to_remove.difference(&by_hand).cloned().collect(),
        }
    }
}

/// Refuses to take away a policy that the next run would give the role again.
pub(crate) fn check_removal(
    name: &HostName,
    access: &GeneratedHost,
    to_remove: &[String],
) -> Result<(), Failure> {
    for policy in to_remove {
        if *policy == access.policy_name() {
            return Err(Failure::usage(format_args!(
                "`{policy}` is the own policy of `{name}`, without which it reads no secret"
            ))
            .hint(format!(
                "`create-host --hostname {name} --remove` removes the host"
            )));
        }
        if access.more_policies.contains(policy) {
            return Err(Failure::usage(format_args!(
                "`fleet.toml` gives `{name}` the policy `{policy}`"
            ))
            .hint(format!(
                "take it out of `policies` under `{}` there, then run the same command again",
                section_header(name.as_str())
            )));
        }
    }
    Ok(())
}
