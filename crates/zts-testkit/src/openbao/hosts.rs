//! Hosts as create-host creates them: policy, role, credentials and secrets.

use std::{fs, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use zts_openbao::{AppRoleCredentials, Method, Request, approle, kv, sys, wrapping};

use super::server::Server;

/// The credentials of a host on a test server, in plain text for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCredentials {
    /// The role id.
    pub role_id: String,
    /// The secret id.
    pub secret_id: String,
    /// The secret id's accessor.
    pub accessor: String,
}

impl HostCredentials {
    /// Writes `role-id` and `secret-id` (0600) into `folder`, as vault-unwrap does on a host.
    pub fn write_to(&self, folder: &Path) {
        for (name, value) in [("role-id", &self.role_id), ("secret-id", &self.secret_id)] {
            let file = fs::File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(folder.join(name));
            std::io::Write::write_all(
                &mut file.expect("a credential's file is made"),
                value.as_bytes(),
            )
            .expect("a credential is written");
        }
    }
}

impl Server {
    /// Creates the token role of `vault-plan` as `terraform/vault/operator.tf` does. It allows
    /// policies `more-…` as well.
    fn create_token_role(&self) {
        let role = json!({
            "allowed_policies_glob": ["host-*", "more-*"],
            "token_type": "batch",
            "orphan": true,
            "renewable": false,
        });
        self.write("auth/token/roles/vault-plan", &role);
    }

    /// Mounts AppRole at `approle/`, unless it is mounted, without user lockout as the
    /// documentation says. Creates the token role of `vault-plan` as well.
    pub fn enable_approle(&self) {
        let mounts = sys::visible_mounts(&self.client()).expect("the mounts are listed");
        if !mounts.auth.contains_key("approle/") {
            self.write("sys/auth/approle", &json!({ "type": "approle" }));
            sys::disable_lockout(&self.client(), "approle").expect("the mount is tuned");
            self.create_token_role();
        }
    }

    /// Turns user lockout on: AppRole locks a role after five refused logins, which is OpenBao's
    /// default.
    pub fn enable_user_lockout(&self) {
        self.enable_approle();
        let locking = json!({ "user_lockout_config": { "lockout_disable": false } });
        self.write("sys/auth/approle/tune", &locking);
    }

    /// Locks a host's role by five refused logins, for which the role id suffices.
    pub fn lock_role(&self, role_id: &str) {
        let client = self.anonymous_client();
        let wrong = AppRoleCredentials {
            role_id: role_id.into(),
            secret_id: "wrong".into(),
        };
        for _ in 0..5 {
            approle::login(&client, "approle", &wrong).expect_err("the secret id is wrong");
        }
    }

    /// Writes a policy.
    pub fn write_policy(&self, name: &str, rules: &str) {
        sys::write_policy(&self.client(), name, rules).expect("the policy is written");
    }

    /// Writes a policy, and creates a token with it and with the policy `default`.
    pub fn create_token(&self, policy: &str, rules: &str) -> String {
        self.write_policy(policy, rules);
        let request = Request::new(Method::Post, "auth/token/create")
            .json(&json!({ "policies": [policy] }))
            .expect("the body is JSON");
        let reply = self.client().send::<Value>(&request);
        let reply = reply.expect("a token is created").and_then(|it| it.auth);
        let token = reply.expect("the answer has a token").client_token;
        token.expose_secret().to_owned()
    }

    /// Creates the policy `host-<host>` and the role `<host>` as create-host does, and a secret id.
    pub fn add_host(&self, host: &str) -> HostCredentials {
        self.enable_approle();
        let client = self.client();
        let policy = format!("host-{host}");
        self.write_policy(&policy, &policy_text(host));
        let role = json!({
            "token_policies": [policy],
            "secret_id_ttl": 0,
            "secret_id_num_uses": 0,
            "token_ttl": 3600,
            "token_no_default_policy": true,
            "token_type": "batch",
        });
        approle::write_role(&client, "approle", host, &role).expect("the role is written");
        self.issue_secret_id(host)
    }

    /// Issues one more secret id for a host.
    pub fn issue_secret_id(&self, host: &str) -> HostCredentials {
        let client = self.client();
        let role_id = approle::role_id(&client, "approle", host).expect("the role has an id");
        let path = format!("auth/approle/role/{host}/secret-id");
        let issued = self
            .write(&path, &json!({}))
            .expect("a secret id is issued");
        let text = |name: &str| {
            issued[name]
                .as_str()
                .expect("a secret id comes with its accessor")
                .to_owned()
        };
        HostCredentials {
            role_id: role_id.expose_secret().to_owned(),
            secret_id: text("secret_id"),
            accessor: text("secret_id_accessor"),
        }
    }

    /// Deletes a host's role. Its credentials are refused from then on.
    pub fn delete_role(&self, host: &str) {
        self.delete(&format!("auth/approle/role/{host}"));
    }

    /// Writes a new version of the KV v2 secret at `secret/<path>`.
    pub fn put_secret(&self, path: &str, values: &Value) {
        self.after_election(|client| kv::write(client, "secret", path, values))
            .expect("the secret is written");
    }

    /// Deletes the newest version, which can be undeleted.
    pub fn delete_version(&self, path: &str) {
        self.delete(&format!("secret/data/{path}"));
    }

    /// Destroys one version.
    pub fn destroy_version(&self, path: &str, version: u64) {
        self.write(
            &format!("secret/destroy/{path}"),
            &json!({ "versions": [version] }),
        );
    }

    /// Deletes the secret with all its versions.
    pub fn delete_metadata(&self, path: &str) {
        self.delete(&format!("secret/metadata/{path}"));
    }

    /// Wraps `payload` as create-host does and returns the wrapping token.
    pub fn wrap(&self, payload: &impl Serialize, ttl: Duration) -> String {
        let wrapped = wrapping::wrap(&self.client(), payload, ttl).expect("the payload is wrapped");
        wrapped.token.expose_secret().to_owned()
    }

    /// Wraps the answer to a read of `path` and returns the wrapping token.
    pub fn wrap_read(&self, path: &str, ttl: Duration) -> String {
        let request = Request::new(Method::Get, path)
            .header("X-Vault-Wrap-TTL", format!("{}s", ttl.as_secs()));
        let reply = self
            .client()
            .send::<Value>(&request)
            .expect("the answer is wrapped");
        let wrapped = reply
            .and_then(|reply| reply.wrap_info)
            .expect("a wrapped answer has a token");
        wrapped.token.expose_secret().to_owned()
    }

    /// Wraps a new host's credentials and returns the wrapping token.
    pub fn wrap_credentials(&self, credentials: &HostCredentials, ttl: Duration) -> String {
        self.wrap(
            &json!({ "role_id": credentials.role_id, "secret_id": credentials.secret_id }),
            ttl,
        )
    }
}

pub(super) fn policy_text(host: &str) -> String {
    let rule = |path: &str, capabilities: &str| {
        format!("path \"secret/{path}\" {{\n  capabilities = [{capabilities}]\n}}\n")
    };
    [
        rule(&format!("data/hosts/{host}/*"), r#""read", "list""#),
        rule(&format!("metadata/hosts/{host}/*"), r#""read", "list""#),
        rule(&format!("metadata/hosts/{host}/"), r#""list""#),
        rule(&format!("detailed-metadata/hosts/{host}/*"), r#""list""#),
    ]
    .concat()
}
