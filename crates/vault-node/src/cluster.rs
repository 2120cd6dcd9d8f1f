//! Which nodes there are.

use std::{collections::BTreeMap, path::Path, path::PathBuf, time::Duration};

use cli::Failure;
use openbao::{Address, Client, Settings, Trust};
use secure_fs::{LARGEST_TEXT, read_text_bounded};
use serde::Deserialize;

/// How long a node may take to answer before it counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(3);

/// A cluster, as the NixOS module writes it down (`nixos-modules/server/restart.nix`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// Its name.
    pub(crate) name: String,
    /// The node that this machine is.
    pub(crate) this_node: String,
    /// The address of each node.
    pub(crate) nodes: BTreeMap<String, String>,
    /// The CA bundle (PEM); without one, the system's roots count.
    ca_certificate: Option<PathBuf>,
    /// OpenBao's unit.
    pub(crate) unit: String,
}

impl Cluster {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = read_text_bounded(path, LARGEST_TEXT).map_err(|cause| {
            Failure::usage(format!("`{shown}` could not be read: {cause}")).hint(
                "the NixOS module writes it where `vault.server.enable` is set; `--config` names another",
            )
        })?;
        let cluster: Self = serde_json::from_str(&text)
            .map_err(|cause| Failure::usage(format!("`{shown}` is no list of nodes: {cause}")))?;
        if !cluster.nodes.contains_key(&cluster.this_node) {
            return Err(Failure::usage(format!(
                "`{shown}` has no node `{}`, which this machine is said to be",
                cluster.this_node
            )));
        }
        Ok(cluster)
    }

    /// A client of one node alone.
    pub(crate) fn client(&self, address: &str) -> Result<Client, Failure> {
        let mut settings =
            Settings::new(Address::parse_list(address).map_err(openbao::Error::from)?);
        settings.connect_timeout = PATIENCE;
        settings.request_timeout = PATIENCE;
        if let Some(bundle) = &self.ca_certificate {
            settings.trust = Trust::Bundle(bundle.clone());
        }
        Ok(Client::new(settings)?)
    }

    /// The nodes that this machine is not.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        let others = self.nodes.keys().filter(|name| **name != self.this_node);
        others.map(String::as_str)
    }
}
