//! The AppRole auth method (API page "AppRole auth method").

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use zts_net::bounded;

use crate::{AppRoleCredentials, Authentication, Client, Error, Method, NodeError, Request};

/// Logs in and returns the token, which the client does not use by itself.
///
/// # Errors
/// [`Error::LoginRefused`], and those of [`Client::send`].
pub fn login(
    client: &Client,
    mount: &str,
    credentials: &AppRoleCredentials,
) -> Result<SecretString, Error> {
    #[derive(Serialize)]
    struct Body<'a> {
        role_id: &'a str,
        secret_id: &'a str,
    }
    let body = Body {
        role_id: credentials.role_id.expose_secret(),
        secret_id: credentials.secret_id.expose_secret(),
    };
    let path = format!("auth/{mount}/login");
    credentials.remember();
    let request = Request::new(Method::Post, &path)
        .json(&body)?
        .authentication(Authentication::None)
        .repeatable()
        .login();
    client.login(&request)
}

/// Reads a role; the values are the API's parameters.
///
/// # Errors
/// [`Error::NotFound`] where there is no such role, and those of [`Client::send`].
pub fn read_role(
    client: &Client,
    mount: &str,
    role: &str,
) -> Result<BTreeMap<String, Value>, Error> {
    client.data(&Request::new(
        Method::Get,
        &format!("auth/{mount}/role/{role}"),
    ))
}

/// Creates or updates a role; `settings` are the API's parameters.
///
/// # Errors
/// Those of [`Client::send`].
pub fn write_role(
    client: &Client,
    mount: &str,
    role: &str,
    settings: &impl Serialize,
) -> Result<(), Error> {
    let path = format!("auth/{mount}/role/{role}");
    let request = Request::new(Method::Post, &path)
        .json(settings)?
        .repeatable();
    client.send_ignoring_reply(&request)
}

/// Deletes a role and all its secret ids.
///
/// # Errors
/// Those of [`Client::send`]. A missing role is not an error.
pub fn delete_role(client: &Client, mount: &str, role: &str) -> Result<(), Error> {
    let path = format!("auth/{mount}/role/{role}");
    client.send_ignoring_reply(&Request::new(Method::Delete, &path).repeatable())
}

/// Reads a role's role id.
///
/// # Errors
/// Those of [`Client::send`].
pub fn role_id(client: &Client, mount: &str, role: &str) -> Result<SecretString, Error> {
    #[derive(Deserialize)]
    struct RoleId {
        role_id: SecretString,
    }
    let path = format!("auth/{mount}/role/{role}/role-id");
    client
        .data::<RoleId>(&Request::new(Method::Get, &path))
        .map(|data| data.role_id)
}

/// A new secret id and its accessor.
#[derive(Debug, Deserialize)]
pub struct IssuedSecretId {
    /// The secret id.
    pub secret_id: SecretString,
    /// The accessor, with which it can be destroyed and not used.
    #[serde(deserialize_with = "bounded::deserialize_text")]
    pub secret_id_accessor: String,
}

/// Issues a secret id that carries `metadata`.
///
/// # Errors
/// Those of [`Client::send`].
pub fn issue_secret_id(
    client: &Client,
    mount: &str,
    role: &str,
    metadata: &BTreeMap<&str, &str>,
) -> Result<IssuedSecretId, Error> {
    let path = format!("auth/{mount}/role/{role}/secret-id");
    // the API takes the metadata as a JSON text inside the JSON
    let metadata = json!(metadata).to_string();
    client.data(&Request::new(Method::Post, &path).json(&json!({ "metadata": metadata }))?)
}

/// Lists the accessors of all secret ids of a role.
///
/// # Errors
/// Those of [`Client::send`]. A role without any, or none of this name, is not an error.
pub fn secret_id_accessors(client: &Client, mount: &str, role: &str) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<String>,
    }
    let path = format!("auth/{mount}/role/{role}/secret-id/");
    match client.data::<Keys>(&Request::new(Method::List, &path)) {
        Ok(listing) => Ok(listing.keys),
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) if is_missing_role(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns whether the role does not exist: OpenBao answers 400 for a listing below it.
fn is_missing_role(error: &Error) -> bool {
    let Error::Refused {
        status: 400,
        api_error,
        ..
    } = error
    else {
        return false;
    };
    let mut messages = api_error.messages.iter();
    messages.any(|text| text.starts_with("role ") && text.ends_with(" does not exist"))
}

/// Returns whether the accessor does not exist: OpenBao answers 500 when its secret id is
/// destroyed.
fn is_missing_accessor(error: &Error) -> bool {
    let last = error.attempts().last();
    let Some(NodeError::Server { messages, .. }) = last.map(|last| &last.error) else {
        return false;
    };
    let mut messages = messages.iter();
    messages.any(|text| text.contains("failed to find accessor entry"))
}

/// The properties of a secret id.
#[derive(Debug, Deserialize)]
pub struct SecretIdInfo {
    /// The time of its creation (RFC 3339).
    #[serde(deserialize_with = "bounded::deserialize_text")]
    pub creation_time: String,
    /// The metadata that its issuer gave it.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Looks a secret id up by its accessor; `None` where it does not exist, or has expired and is
/// still listed.
///
/// # Errors
/// Those of [`Client::send`].
pub fn secret_id_info(
    client: &Client,
    mount: &str,
    role: &str,
    accessor: &str,
) -> Result<Option<SecretIdInfo>, Error> {
    let path = format!("auth/{mount}/role/{role}/secret-id-accessor/lookup");
    let request = Request::new(Method::Post, &path)
        .json(&json!({ "secret_id_accessor": accessor }))?
        .repeatable();
    match client.send(&request) {
        // OpenBao answers without a body for one that has expired
        Ok(reply) => Ok(reply.and_then(|reply| reply.data)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Destroys a secret id by its accessor.
///
/// # Errors
/// Those of [`Client::send`]. A missing one is not an error.
pub fn destroy_secret_id(
    client: &Client,
    mount: &str,
    role: &str,
    accessor: &str,
) -> Result<(), Error> {
    let path = format!("auth/{mount}/role/{role}/secret-id-accessor/destroy");
    let request = Request::new(Method::Post, &path)
        .json(&json!({ "secret_id_accessor": accessor }))?
        .repeatable();
    match client.send::<serde::de::IgnoredAny>(&request) {
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) if is_missing_accessor(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
