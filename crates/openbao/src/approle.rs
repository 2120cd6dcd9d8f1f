//! The AppRole auth method (API page "AppRole auth method").

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{AppRoleCredentials, Authentication, Client, Error, Method, Request, Trouble, bounded};

/// Logs in and gives the token; it is not used for further requests by itself.
///
/// # Errors
/// [`Error::LoginRefused`], and what [`Client::send`] gives.
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

/// What the server keeps of a role, as it gives it.
///
/// # Errors
/// [`Error::NotFound`] where there is no such role, and what [`Client::send`] gives.
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
/// What [`Client::send`] gives.
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
    client.send::<serde::de::IgnoredAny>(&request).map(|_| ())
}

/// Deletes a role, and with it all its secret ids.
///
/// # Errors
/// What [`Client::send`] gives; a role that is not there is no error.
pub fn delete_role(client: &Client, mount: &str, role: &str) -> Result<(), Error> {
    let path = format!("auth/{mount}/role/{role}");
    client
        .send::<serde::de::IgnoredAny>(&Request::new(Method::Delete, &path).repeatable())
        .map(|_| ())
}

/// A role's role id.
///
/// # Errors
/// What [`Client::send`] gives.
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

/// A new secret id and the accessor that can destroy it later.
#[derive(Debug, Deserialize)]
pub struct IssuedSecretId {
    /// The secret id.
    pub secret_id: SecretString,
    /// Destroys it without being it.
    #[serde(deserialize_with = "bounded::text")]
    pub secret_id_accessor: String,
}

/// Issues a secret id that carries `metadata`.
///
/// # Errors
/// What [`Client::send`] gives.
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

/// The accessors of all secret ids of a role.
///
/// # Errors
/// What [`Client::send`] gives; a role without any, or none of this name, is no error.
pub fn secret_id_accessors(client: &Client, mount: &str, role: &str) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<String>,
    }
    let path = format!("auth/{mount}/role/{role}/secret-id/");
    match client.data::<Keys>(&Request::new(Method::List, &path)) {
        Ok(listing) => Ok(listing.keys),
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) if no_such_role(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// OpenBao answers 400 for a listing below a role that is not there.
fn no_such_role(error: &Error) -> bool {
    let Error::Refused {
        status: 400,
        refusal,
        ..
    } = error
    else {
        return false;
    };
    let mut messages = refusal.messages.iter();
    messages.any(|text| text.starts_with("role ") && text.ends_with(" does not exist"))
}

/// OpenBao answers 500 to whoever destroys a secret id that is gone.
fn no_such_accessor(error: &Error) -> bool {
    let Error::Unavailable { attempts } = error else {
        return false;
    };
    let Some(Trouble::Server { messages, .. }) = attempts.last().map(|last| &last.trouble) else {
        return false;
    };
    let mut messages = messages.iter();
    messages.any(|text| text.contains("failed to find accessor entry"))
}

/// What the server keeps of a secret id.
#[derive(Debug, Deserialize)]
pub struct SecretIdInfo {
    /// When it was issued (RFC 3339).
    #[serde(deserialize_with = "bounded::text")]
    pub creation_time: String,
    /// What its issuer wrote on it.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Looks a secret id up by its accessor; `None` where it is gone.
///
/// # Errors
/// What [`Client::send`] gives.
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
    match client.data(&request) {
        Ok(info) => Ok(Some(info)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Destroys a secret id by its accessor.
///
/// # Errors
/// What [`Client::send`] gives; one that is gone already is no error.
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
        Err(error) if no_such_accessor(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
