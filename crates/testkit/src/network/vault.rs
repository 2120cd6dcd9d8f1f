//! HashiCorp Vault's answers, where they differ from OpenBao's.
//!
//! The texts are those of Vault 1.21 and of its KV engine (`vault-plugin-secrets-kv`, `pathInvalid`).

use serde_json::{Value, json};

use super::http::Message;

const VERSION: &str = "1.21.1";

/// The beginnings of tokens: OpenBao's, and Vault's.
const TOKENS: [(&str, &str); 2] = [("s.", "hvs."), ("b.", "hvb.")];

/// Makes a request for Vault one for the OpenBao behind it.
pub(super) fn request(request: &mut Message) {
    // Vault takes no notice of these headers
    request
        .headers
        .retain(|(name, _)| !name.starts_with("x-vault-inline-auth-"));
    for (name, value) in &mut request.headers {
        if name == "x-vault-token" {
            *value = openbaos(value);
        }
    }
    change_json(&mut request.body, |body| {
        if let Some(token) = body.get_mut("token").filter(|token| token.is_string()) {
            *token = openbaos(token.as_str().unwrap_or_default()).into();
        }
    });
}

/// Makes OpenBao's reply to `request` Vault's.
pub(super) fn reply(request: &Message, reply: &mut Message) {
    let path = request.word(1);
    let path = path.split('?').next().unwrap_or_default();
    // what the policy does not allow is refused before the engine looks at the path
    if path.contains("/detailed-metadata/") && reply.word(1) != "403" {
        let list = request.word(0) == "LIST" || request.word(1).contains("list=true");
        *reply = no_such_path(if list { "list" } else { "get" });
        return;
    }
    change_json(&mut reply.body, |body| {
        for pointer in ["/auth/client_token", "/wrap_info/token", "/data/id"] {
            if let Some(token) = body.pointer_mut(pointer).filter(|token| token.is_string()) {
                *token = vaults(token.as_str().unwrap_or_default()).into();
            }
        }
        if body["version"].is_string() {
            body["version"] = VERSION.into();
        }
        if path.ends_with("/sys/health") {
            health(body);
        }
    });
}

/// The answer of Vault's KV engine to a path that it does not know.
fn no_such_path(command: &str) -> Message {
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

/// The fields that only Vault's `sys/health` has.
fn health(body: &mut Value) {
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

fn openbaos(token: &str) -> String {
    let known = TOKENS.iter();
    let mut renamed =
        known.filter_map(|(own, vaults)| Some(format!("{own}{}", token.strip_prefix(vaults)?)));
    renamed.next().unwrap_or_else(|| token.to_owned())
}

fn vaults(token: &str) -> String {
    let known = TOKENS.iter();
    let mut renamed =
        known.filter_map(|(own, vaults)| Some(format!("{vaults}{}", token.strip_prefix(own)?)));
    renamed.next().unwrap_or_else(|| token.to_owned())
}

/// Changes a body that is a JSON object; any other stays as it is.
fn change_json(body: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    if let Ok(mut json @ Value::Object(_)) = serde_json::from_slice(body) {
        change(&mut json);
        *body = json.to_string().into_bytes();
    }
}
