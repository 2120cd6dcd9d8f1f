//! Translates between HashiCorp Vault's and OpenBao's API where they differ.
//!
//! The texts are those of Vault 1.21 and of its KV engine (`vault-plugin-secrets-kv`,
//! `pathInvalid`).

use serde_json::{Value, json};

use super::http::Message;

const VERSION: &str = "1.21.1";

/// The prefixes of tokens: OpenBao's and Vault's.
const TOKEN_PREFIXES: [(&str, &str); 2] = [("s.", "hvs."), ("b.", "hvb.")];

/// Translates a request for Vault into one for OpenBao.
pub(super) fn translate_request(request: &mut Message) {
    // Vault ignores these headers
    request
        .headers
        .retain(|(name, _)| !name.starts_with("x-vault-inline-auth-"));
    for (name, value) in &mut request.headers {
        if name == "x-vault-token" {
            *value = openbao_token(value);
        }
    }
    change_json(&mut request.body, |body| {
        if let Some(token) = body.get_mut("token").filter(|token| token.is_string()) {
            *token = openbao_token(token.as_str().unwrap_or_default()).into();
        }
    });
}

/// Translates OpenBao's reply to `request` into Vault's.
pub(super) fn translate_reply(request: &Message, reply: &mut Message) {
    let path = request.word(1);
    let path = path.split('?').next().unwrap_or_default();
    // a path that the policy denies does not reach the engine
    if path.contains("/detailed-metadata/") && reply.word(1) != "403" {
        let list = request.word(0) == "LIST" || request.word(1).contains("list=true");
        *reply = invalid_path(if list { "list" } else { "get" });
        return;
    }
    change_json(&mut reply.body, |body| {
        for pointer in ["/auth/client_token", "/wrap_info/token", "/data/id"] {
            if let Some(token) = body.pointer_mut(pointer).filter(|token| token.is_string()) {
                *token = vault_token(token.as_str().unwrap_or_default()).into();
            }
        }
        if body["version"].is_string() {
            body["version"] = VERSION.into();
        }
        if path.ends_with("/sys/health") {
            add_health_fields(body);
        }
    });
}

/// Returns the answer of Vault's KV engine to a path that it does not support.
fn invalid_path(command: &str) -> Message {
    let warning = format!(
        "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints \
         to use. If using the Vault CLI, use 'vault kv {command}' for this operation."
    );
    let body = json!({
        "request_id": "0b4fb0b2-3b9c-0ff0-4a40-cd0ae1d6a7e1",
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": null,
        "wrap_info": null,
        "warnings": [warning],
        "auth": null,
        "mount_type": "kv",
    });
    Message::reply(404, "application/json", body.to_string())
}

/// Adds the fields that only Vault's `sys/health` has.
fn add_health_fields(body: &mut Value) {
    let only_vaults = json!({
        "performance_standby": false,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "enterprise": false,
        "echo_duration_ms": 0,
        "clock_skew_ms": 0,
        "replication_primary_canary_age_ms": 0,
    });
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), only_vaults) {
        body.extend(fields);
    }
}

fn openbao_token(token: &str) -> String {
    let known = TOKEN_PREFIXES.iter();
    let mut renamed =
        known.filter_map(|(own, vaults)| Some(format!("{own}{}", token.strip_prefix(vaults)?)));
    renamed.next().unwrap_or_else(|| token.to_owned())
}

fn vault_token(token: &str) -> String {
    let known = TOKEN_PREFIXES.iter();
    let mut renamed =
        known.filter_map(|(own, vaults)| Some(format!("{vaults}{}", token.strip_prefix(own)?)));
    renamed.next().unwrap_or_else(|| token.to_owned())
}

/// Changes a body that is a JSON object; leaves any other.
fn change_json(body: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    if let Ok(mut json @ Value::Object(_)) = serde_json::from_slice(body) {
        change(&mut json);
        *body = json.to_string().into_bytes();
    }
}
