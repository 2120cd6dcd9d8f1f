//! The requests, tokens and leases that a server has recorded.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::server::Server;

/// A request in the audit log (documentation page "Audit devices").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRequest {
    /// `read`, `list`, `update`, `create`, `delete`.
    pub operation: String,
    /// The API path, without `/v1/`.
    pub path: String,
    /// OpenBao's id of the request.
    pub id: String,
}

/// All tokens and leases of a server, to compare before and after.
///
/// Batch tokens and inline logins are not stored, so they do not appear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokensAndLeases {
    /// The accessors of all tokens, including the root token's.
    pub token_accessors: BTreeSet<String>,
    /// The ids of all leases.
    pub leases: BTreeSet<String>,
}

impl Server {
    /// Returns the requests so far, in order. An inline login is a request of its own, although it
    /// came in the same HTTP request as the read after it.
    ///
    /// # Panics
    /// Without [`crate::ServerBuilder::audit`].
    pub fn audited_requests(&self) -> Vec<AuditedRequest> {
        let log = fs::read_to_string(self.folder.join("audit.log"))
            .expect("a server with an audit device");
        let entries = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            .filter(|entry| entry["type"] == "request")
            .map(|entry| parse_request(&entry["request"]))
            .collect()
    }

    /// Returns all current tokens and leases (API pages `auth/token/accessors`, `sys/leases`).
    pub fn tokens_and_leases(&self) -> TokensAndLeases {
        let mut leases = BTreeSet::new();
        self.collect_leases("", &mut leases);
        TokensAndLeases {
            token_accessors: self.list("auth/token/accessors").into_iter().collect(),
            leases,
        }
    }

    fn collect_leases(&self, prefix: &str, leases: &mut BTreeSet<String>) {
        for key in self.list(&format!("sys/leases/lookup/{prefix}")) {
            let path = format!("{prefix}{key}");
            if key.ends_with('/') {
                self.collect_leases(&path, leases);
            } else {
                leases.insert(path);
            }
        }
    }
}

fn parse_request(entry: &Value) -> AuditedRequest {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    AuditedRequest {
        operation: text("operation"),
        path: text("path"),
        id: text("id"),
    }
}
