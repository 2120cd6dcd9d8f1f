//! What clients leave on a server.

use std::collections::BTreeSet;

use super::Server;

/// Everything on a server that outlives a request: compare before and after.
///
/// Batch tokens and inline logins store nothing, and so do not show up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// The accessors of all tokens, the root token's among them.
    pub token_accessors: BTreeSet<String>,
    /// The ids of all leases.
    pub leases: BTreeSet<String>,
}

impl Server {
    /// What is there now (API pages `auth/token/accessors`, `sys/leases`).
    pub fn left_behind(&self) -> LeftBehind {
        let mut leases = BTreeSet::new();
        self.walk_leases("", &mut leases);
        LeftBehind {
            token_accessors: self.list("auth/token/accessors").into_iter().collect(),
            leases,
        }
    }

    fn walk_leases(&self, prefix: &str, found: &mut BTreeSet<String>) {
        for key in self.list(&format!("sys/leases/lookup/{prefix}")) {
            let path = format!("{prefix}{key}");
            if key.ends_with('/') {
                self.walk_leases(&path, found);
            } else {
                found.insert(path);
            }
        }
    }
}
