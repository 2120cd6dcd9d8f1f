//! Secrets engines other than KV.

use serde_json::json;

use super::{hosts::policy_text, server::Server};

impl Server {
    /// Mounts a secrets engine.
    pub fn enable_engine(&self, mount: &str, kind: &str) {
        self.write(&format!("sys/mounts/{mount}"), &json!({ "type": kind }));
    }

    /// Mounts a PKI engine with a CA and the role `web`, for names below `example.org`.
    pub fn enable_pki(&self, mount: &str) {
        self.enable_engine(mount, "pki");
        let root = json!({ "common_name": "Test CA", "ttl": "87600h", "key_type": "ec" });
        self.write(&format!("{mount}/root/generate/internal"), &root);
        let role = json!({
            "allowed_domains": ["example.org"],
            "allow_subdomains": true,
            "allow_ip_sans": true,
            "key_type": "ec",
            "max_ttl": "720h",
        });
        self.write(&format!("{mount}/roles/web"), &role);
    }

    /// Gives a host the right to read and update what is below `mount`, beside its own secrets.
    pub fn allow_engine(&self, host: &str, mount: &str) {
        let rule = format!("path \"{mount}/*\" {{ capabilities = [\"read\", \"update\"] }}\n");
        self.write_policy(&format!("host-{host}"), &(policy_text(host) + &rule));
    }
}
