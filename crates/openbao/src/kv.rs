//! KV version 2 secrets (API page "KV secrets engine, version 2").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Client, Error, Method, Request, SecretMap, reply};

/// One version of a secret.
#[derive(Debug, Deserialize)]
pub struct Secret {
    /// Its keys and values.
    #[serde(rename = "data")]
    pub values: SecretMap,
    /// Which version, and since when.
    pub metadata: VersionMetadata,
}

/// What the server keeps of one version.
#[derive(Clone, Debug, Deserialize)]
pub struct VersionMetadata {
    /// The version's number, from 1.
    pub version: u64,
    /// When it was written (RFC 3339).
    pub created_time: String,
    /// When it was or will be deleted (RFC 3339), or empty.
    #[serde(default)]
    pub deletion_time: String,
    /// Whether its data is gone for good.
    #[serde(default)]
    pub destroyed: bool,
}

/// What a listing tells of one secret.
#[derive(Debug, Deserialize)]
pub struct SecretMetadata {
    /// The newest version's number.
    pub current_version: u64,
    /// When anything of it changed last (RFC 3339).
    pub updated_time: String,
    /// Its versions by their numbers, as far as the server keeps them.
    #[serde(default)]
    pub versions: BTreeMap<u64, ListedVersion>,
}

/// What a listing tells of one version.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedVersion {
    /// When it was written (RFC 3339).
    pub created_time: String,
    /// When it was or will be deleted (RFC 3339), or empty.
    #[serde(default)]
    pub deletion_time: String,
    /// Whether its data is gone for good.
    #[serde(default)]
    pub destroyed: bool,
}

impl SecretMetadata {
    /// The newest version, where the listing tells of it.
    pub fn newest(&self) -> Option<VersionMetadata> {
        let listed = self.versions.get(&self.current_version)?.clone();
        Some(VersionMetadata {
            version: self.current_version,
            created_time: listed.created_time,
            deletion_time: listed.deletion_time,
            destroyed: listed.destroyed,
        })
    }
}

/// Reads the newest version of the secret `path` of the KV mount `mount`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Deleted`] or [`Error::Destroyed`] where it has none, and what
/// [`Client::send`] gives.
pub fn read(client: &Client, mount: &str, path: &str) -> Result<Secret, Error> {
    client.data(&Request::new(Method::Get, &format!("{mount}/data/{path}")))
}

/// Writes a new version of a secret.
///
/// # Errors
/// What [`Client::send`] gives.
pub fn write(
    client: &Client,
    mount: &str,
    path: &str,
    values: &impl Serialize,
) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Body<'a, V> {
        data: &'a V,
    }
    let path = format!("{mount}/data/{path}");
    let request = Request::new(Method::Post, &path).json(&Body { data: values })?;
    client.send::<serde::de::IgnoredAny>(&request).map(|_| ())
}

/// The names in the folder `path`; those of folders end in `/`.
///
/// # Errors
/// What [`Client::send`] gives; an empty folder is [`Error::NotFound`].
pub fn list(client: &Client, mount: &str, path: &str) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Listing {
        keys: Vec<String>,
    }
    let path = format!("{mount}/metadata/{path}/");
    let listing: Listing = client.data(&Request::new(Method::List, &path))?;
    Ok(listing.keys)
}

/// What there is in the folder `path`, with the version of each: one request for a whole host.
///
/// # Errors
/// What [`Client::send`] gives; an empty folder is [`Error::NotFound`].
pub fn list_detailed(
    client: &Client,
    mount: &str,
    path: &str,
) -> Result<BTreeMap<String, SecretMetadata>, Error> {
    #[derive(Deserialize)]
    struct Listing {
        #[serde(default)]
        key_info: BTreeMap<String, serde_json::Value>,
    }
    let path = format!("{mount}/detailed-metadata/{path}/");
    let listing: Listing = client.data(&Request::new(Method::List, &path))?;
    let secrets = listing.key_info.into_iter();
    // folders stand in the same listing, without metadata
    Ok(secrets
        .filter_map(|(key, info)| Some((key, serde_json::from_value(info).ok()?)))
        .collect())
}

/// The error that a 404 means when its body speaks of a deleted or destroyed version.
pub(crate) fn gone(path: &str, body: &[u8]) -> Option<Error> {
    #[derive(Deserialize)]
    struct Gone {
        metadata: VersionMetadata,
    }
    let metadata = reply::parse::<Gone>(body).ok()?.data?.metadata;
    let (path, version) = (path.to_owned(), metadata.version);
    Some(if metadata.destroyed {
        Error::Destroyed { path, version }
    } else {
        Error::Deleted {
            path,
            version,
            deletion_time: metadata.deletion_time,
        }
    })
}
