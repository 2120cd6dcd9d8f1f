//! The configuration file of a server (documentation page "OpenBao configuration").

use std::fs;

use serde_json::{Value, json};

use super::{Server, builder::Audit};
use crate::ServerCertificate;

/// Writes `server.json` into the server's folder.
pub(super) fn write(server: &Server, shown: Option<&ServerCertificate>) {
    let mut settings = json!({
        "storage": storage(server),
        "listener": [{ "tcp": listener(server, shown) }],
        "api_addr": server.own_address(),
        "cluster_addr": format!("https://{}", server.ports.cluster.address()),
        "ui": false,
        "unsafe_allow_api_audit_creation": server.builder.audit == Audit::ByApi,
    });
    if server.builder.audit == Audit::Declared {
        let file = server.folder.join("audit.log");
        // Without a second key beside `options`, OpenBao's parser takes that for a label.
        let device = json!({ "description": "for the test", "options": { "file_path": file } });
        settings["audit"] = json!([{ "file": { "file": device } }]);
    }
    if server.builder.metrics {
        settings["telemetry"] =
            json!({ "disable_hostname": true, "prometheus_retention_time": "24h" });
        settings["listener"][0]["tcp"]["telemetry"] =
            json!({ "unauthenticated_metrics_access": true });
    }
    if let Some(time) = server.builder.read_timeout {
        settings["listener"][0]["tcp"]["http_read_timeout"] = json!(time);
    }
    let text = serde_json::to_vec_pretty(&settings).expect("the configuration is JSON");
    fs::write(server.folder.join("server.json"), text).expect("the configuration is written");
}

fn storage(server: &Server) -> Value {
    let Some(node) = &server.builder.raft else {
        return json!({ "inmem": {} });
    };
    let folder = server.folder.join("storage");
    fs::create_dir(&folder).expect("the storage folder is made");
    // The defaults are for slow networks: elections five times longer, a look at new nodes every 10 s.
    let mut raft = json!({
        "path": folder,
        "node_id": node,
        "performance_multiplier": "1",
        "autopilot_update_interval": "100ms",
        "autopilot_reconcile_interval": "200ms",
    });
    if let Some(leader) = &server.builder.join {
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

fn listener(server: &Server, shown: Option<&ServerCertificate>) -> Value {
    let address = server.ports.api.address().to_string();
    let cluster = server.ports.cluster.address().to_string();
    match shown.filter(|_| server.builder.scheme() == "https") {
        None => json!({ "address": address, "cluster_address": cluster, "tls_disable": true }),
        Some(files) => json!({
            "address": address,
            "cluster_address": cluster,
            "tls_cert_file": files.certificate,
            "tls_key_file": files.key,
        }),
    }
}
