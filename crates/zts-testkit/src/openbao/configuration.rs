//! The configuration file of a server (documentation page "OpenBao configuration").

use std::fs;

use serde_json::{Value, json};

use super::{options::Audit, server::Server};
use crate::certificates::ServerCertificate;

const FILE: &str = "server.json";

/// Writes `server.json` into the server's folder.
pub(super) fn write(server: &Server, certificate: Option<&ServerCertificate>) {
    let mut settings = json!({
        "storage": storage(server),
        "listener": [{ "tcp": listener(server, certificate) }],
        "api_addr": server.direct_address(),
        "cluster_addr": format!("https://{}", server.cluster_address()),
        "ui": false,
        "unsafe_allow_api_audit_creation": server.options.audit == Audit::ByApi,
    });
    if server.options.audit == Audit::Declared {
        let file = server.folder.join("audit.log");
        // Without a second key beside `options`, OpenBao's parser takes that for a label.
        let device = json!({ "description": "for the test", "options": { "file_path": file } });
        settings["audit"] = json!([{ "file": { "file": device } }]);
    }
    if server.options.metrics {
        settings["telemetry"] =
            json!({ "disable_hostname": true, "prometheus_retention_time": "24h" });
        settings["listener"][0]["tcp"]["telemetry"] =
            json!({ "unauthenticated_metrics_access": true });
    }
    if let Some(time) = server.options.read_timeout {
        settings["listener"][0]["tcp"]["http_read_timeout"] = json!(time);
    }
    write_settings(server, &settings);
}

fn storage(server: &Server) -> Value {
    let Some(node) = &server.options.raft else {
        return json!({ "inmem": {} });
    };
    fs::create_dir(server.storage()).expect("the storage folder is created");
    // The defaults are for slow networks: elections take five times longer, and new nodes are
    // checked every 10 s.
    let mut raft = json!({
        "path": server.storage(),
        "node_id": node,
        "performance_multiplier": "1",
        "autopilot_update_interval": "100ms",
        "autopilot_reconcile_interval": "200ms",
    });
    if let Some(leader) = &server.options.join {
        let authority = server
            .ca_certificate()
            .filter(|_| leader.starts_with("https"));
        raft["retry_join"] = json!([match authority {
            Some(path) => json!({ "leader_api_addr": leader, "leader_ca_cert_file": path }),
            None => json!({ "leader_api_addr": leader }),
        }]);
    }
    json!({ "raft": raft })
}

fn listener(server: &Server, certificate: Option<&ServerCertificate>) -> Value {
    let address = server.ports.api.address().to_string();
    let cluster = server.cluster_address();
    match certificate.filter(|_| server.options.scheme() == "https") {
        None => json!({ "address": address, "cluster_address": cluster, "tls_disable": true }),
        Some(files) => json!({
            "address": address,
            "cluster_address": cluster,
            "tls_cert_file": files.certificate,
            "tls_key_file": files.key,
        }),
    }
}

fn write_settings(server: &Server, settings: &Value) {
    let text = serde_json::to_vec_pretty(settings).expect("the configuration is JSON");
    fs::write(server.folder.join(FILE), text).expect("the configuration is written");
}

impl Server {
    /// Returns the seal stanza of its configuration as JSON.
    ///
    /// # Panics
    /// If its configuration cannot be read.
    pub fn seal_configuration(&self) -> Value {
        json!({ "seal": self.settings()["seal"] })
    }

    /// Sets a parameter of its listener, which takes effect at its next start.
    ///
    /// # Panics
    /// If its configuration cannot be changed.
    pub fn set_listener(&self, name: &str, value: &Value) {
        self.configure(|settings| settings["listener"][0]["tcp"][name] = value.clone());
    }

    /// Changes its configuration, which takes effect at its next start.
    pub(super) fn configure(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.settings();
        change(&mut settings);
        write_settings(self, &settings);
    }

    fn settings(&self) -> Value {
        let text = fs::read(self.folder.join(FILE)).expect("the configuration is read");
        serde_json::from_slice(&text).expect("the configuration is JSON")
    }
}
