//! Entities and groups (API pages "Identity secrets engine: …").

use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::{Client, Error, Method, Request};

/// An entity, which can log in by several auth methods.
#[derive(Debug, Deserialize)]
pub struct Entity {
    /// Its own policies, without those of its logins.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub policies: Vec<String>,
    /// The ids of its groups, those of which it is a member by another group included.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub group_ids: Vec<String>,
    /// Set where its logins are refused.
    #[serde(default)]
    pub disabled: bool,
}

/// A group of entities.
#[derive(Debug, Deserialize)]
pub struct Group {
    /// The policies of all its members.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub policies: Vec<String>,
}

/// Finds the entity that logs in as `name` at the auth mount with this accessor; `None` before its
/// first login.
///
/// # Errors
/// Those of [`Client::send`].
pub fn find_entity_by_alias(
    client: &Client,
    name: &str,
    mount: &str,
) -> Result<Option<Entity>, Error> {
    let request = Request::new(Method::Post, "identity/lookup/entity")
        .json(&json!({ "alias_name": name, "alias_mount_accessor": mount }))?
        .repeatable();
    let reply = client.send(&request)?;
    Ok(reply.and_then(|reply| reply.data))
}

/// Reads the group with this id.
///
/// # Errors
/// [`Error::NotFound`] where there is none, and those of [`Client::send`].
pub fn read_group(client: &Client, id: &str) -> Result<Group, Error> {
    client.data(&Request::new(
        Method::Get,
        &format!("identity/group/id/{id}"),
    ))
}

/// Deserializes a list; OpenBao writes an empty one as `null`.
fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
