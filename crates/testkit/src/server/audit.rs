//! What the server says that it was asked.

use std::fs;

use serde_json::Value;

use super::Server;

/// A request as the audit device saw it (documentation page "Audit devices").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRequest {
    /// `read`, `list`, `update`, `create`, `delete`.
    pub operation: String,
    /// The API path, without `/v1/`.
    pub path: String,
    /// OpenBao's id of the request.
    pub id: String,
}

impl Server {
    /// The requests so far, in their order. An inline login is one of its own, although it came
    /// in the same HTTP request as the read after it.
    ///
    /// # Panics
    /// Without [`super::Builder::audit`].
    pub fn audited(&self) -> Vec<AuditedRequest> {
        let log = fs::read_to_string(self.folder.join("audit.log"))
            .expect("a server with an audit device");
        let entries = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            .filter(|entry| entry["type"] == "request")
            .map(|entry| request(&entry["request"]))
            .collect()
    }
}

fn request(entry: &Value) -> AuditedRequest {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    AuditedRequest {
        operation: text("operation"),
        path: text("path"),
        id: text("id"),
    }
}
