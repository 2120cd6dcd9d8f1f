//! The outputs of a flake that have an entry for each host.

use rnix::ast;

use super::files::{SourceFile, Sources};
use super::flake_hosts::FlakeHosts;
use super::locate::locate_hosts;
use super::parse::{cast, untyped};
use super::search::{Context, search_entries};

/// The nodes of colmena.
pub(super) const COLMENA: &[&str] = &["colmena"];
/// The nodes of colmena, as a hive.
pub(super) const HIVE: &[&str] = &["colmenaHive"];
/// The machines of a clan, at any place of the flake.
const INVENTORY: &[&str] = &["inventory", "machines"];

/// The outputs beside `nixosConfigurations`.
pub(super) const OTHER_OUTPUTS: [&[&str]; 4] = [&["deploy", "nodes"], COLMENA, HIVE, INVENTORY];

/// Locates the hosts in an output.
pub(super) fn search_output(
    sources: &Sources<'_>,
    flake: &SourceFile,
    output: &[&str],
) -> FlakeHosts {
    const RESERVED: [&str; 3] = ["meta", "defaults", "network"];
    let context = Context::new(sources);
    if output != INVENTORY {
        let mut found = locate_hosts(flake, output, context);
        if output == COLMENA || output == HIVE {
            found
                .hosts
                .retain(|host| !RESERVED.contains(&host.name.as_str()));
        }
        return found;
    }
    let mut found = FlakeHosts::default();
    for set in flake
        .root
        .descendants()
        .filter_map(|node| cast::<ast::AttrSet>(&node))
    {
        found.append(search_entries(&untyped(&set), output, context));
    }
    found.into_argument()
}
