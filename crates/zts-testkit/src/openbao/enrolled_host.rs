//! A host with a role on a server, and a folder in place of its disk.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{HostCredentials, Server};
use crate::{Proxy, ScratchDir, scratch_dir};

/// A host whose credentials are in the folder `approle` on its disk.
#[derive(Debug)]
pub struct EnrolledHost {
    /// The server that has its role.
    pub server: Arc<Server>,
    /// Its name.
    pub name: String,
    /// Its credentials at first.
    pub credentials: HostCredentials,
    folder: ScratchDir,
    /// The proxy that the host uses in place of the server.
    relay: Option<Proxy>,
}

impl EnrolledHost {
    /// Creates the host and its role.
    ///
    /// # Panics
    /// OpenBao refuses a request.
    pub fn new(server: impl Into<Arc<Server>>, name: &str) -> Self {
        let server = server.into();
        let credentials = server.add_host(name);
        let folder = scratch_dir();
        fs::create_dir(folder.join("approle")).expect("the folder is new");
        credentials.write_to(&folder.join("approle"));
        Self {
            server,
            name: name.to_owned(),
            credentials,
            folder,
            relay: None,
        }
    }

    /// Puts the host on a server that answers as HashiCorp Vault does.
    pub fn use_vault(&mut self) {
        self.relay = Some(Proxy::emulating_vault(&self.server.address()));
    }

    /// Returns the method and path of each request about secrets to the server that answers as
    /// HashiCorp Vault does.
    ///
    /// # Panics
    /// The host does not use such a server.
    pub fn requests_to_vault(&self) -> Vec<String> {
        let relay = self.relay.as_ref().expect("the host uses Vault");
        let requests = relay.requests();
        requests
            .iter()
            .filter(|request| request.path != "/v1/sys/leader") // not asked where one was seen
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// Returns the address that the host uses.
    pub fn address(&self) -> String {
        let own = || self.server.address();
        self.relay.as_ref().map_or_else(own, Proxy::address)
    }

    /// Returns the folder in place of its disk.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a path on its disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
