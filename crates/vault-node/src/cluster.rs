//! The configured cluster.

use std::{collections::BTreeMap, path::Path, path::PathBuf, time::Duration};

use serde::Deserialize;
use zts_cli::{Failure, read_text};
use zts_openbao::{Address, Client, Settings, Trust};

/// The time after which a node that has not answered counts as out of reach.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The file that the NixOS module writes (`nixos-modules/server/restart.nix`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    /// The name of this machine's node.
    pub(crate) this_node: String,
    /// The addresses of all nodes by name.
    pub(crate) nodes: BTreeMap<String, String>,
    /// The CA bundle (PEM) in place of the system's.
    ca_certificate: Option<PathBuf>,
    /// The name of OpenBao's unit.
    pub(crate) unit: String,
}

impl Cluster {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let path_shown = path.display();
        let text = read_text(path).map_err(|failure| {
            failure.hint(
                "the NixOS module writes it where `vault.server.enable` is set; `--config` names another",
            )
        })?;
        let cluster: Self = serde_json::from_str(&text).map_err(|cause| {
            Failure::usage(format!("`{path_shown}` is no list of nodes: {cause}"))
        })?;
        if !cluster.nodes.contains_key(&cluster.this_node) {
            return Err(Failure::usage(format!(
                "`{path_shown}` has no node `{}`, which is configured as this machine's",
                cluster.this_node
            )));
        }
        Ok(cluster)
    }

    /// Creates a client of one node.
    pub(crate) fn client(&self, address: &str) -> Result<Client, Failure> {
        let mut settings =
            Settings::new(Address::parse_list(address).map_err(zts_openbao::Error::from)?);
        settings.connect_timeout = TIMEOUT;
        settings.request_timeout = TIMEOUT;
        if let Some(bundle) = &self.ca_certificate {
            settings.trust = Trust::Bundle(bundle.clone());
        }
        Ok(Client::new(settings)?)
    }

    /// Returns the names of the other nodes.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        let others = self.nodes.keys().filter(|name| **name != self.this_node);
        others.map(String::as_str)
    }
}
