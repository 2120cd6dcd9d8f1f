//! Entities and groups (API pages "Identity secrets engine: …").

use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::{Client, Error, Method, Request};

/// Somebody who logs in, by whichever auth methods.
#[derive(Debug, Deserialize)]
pub struct Entity {
    /// Policies of its own, beside those of its logins.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub policies: Vec<String>,
    /// Every group that it is in, also by another group.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub group_ids: Vec<String>,
    /// Whether it may not log in.
    #[serde(default)]
    pub disabled: bool,
}

/// Several entities.
#[derive(Debug, Deserialize)]
pub struct Group {
    /// Policies of all that are in it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub policies: Vec<String>,
}

/// The entity that logs in as `name` at the auth mount with this accessor; `None` before its first login.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn by_alias(client: &Client, name: &str, mount: &str) -> Result<Option<Entity>, Error> {
    let request = Request::new(Method::Post, "identity/lookup/entity")
        .json(&json!({ "alias_name": name, "alias_mount_accessor": mount }))?
        .repeatable();
    let reply = client.send(&request)?;
    Ok(reply.and_then(|reply| reply.data))
}

/// A group by its id.
///
/// # Errors
/// [`Error::NotFound`] where there is none, and what [`Client::send`] gives.
pub fn group(client: &Client, id: &str) -> Result<Group, Error> {
    client.data(&Request::new(
        Method::Get,
        &format!("identity/group/id/{id}"),
    ))
}

/// OpenBao writes an empty list as `null`.
fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
