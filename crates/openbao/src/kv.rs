//! KV version 2 secrets (API page "KV secrets engine, version 2").

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{Client, Error, Method, Request, SecretMap, bounded, reply};

/// One version of a secret.
#[derive(Debug, Deserialize)]
pub struct Secret {
    /// The keys and values of the version, or the other JSON that it holds.
    #[serde(rename = "data", deserialize_with = "values")]
    pub values: Result<SecretMap, NoKeys>,
    /// Which version, and since when.
    pub metadata: VersionMetadata,
}

/// The kind of JSON that a version holds in place of keys and values. OpenBao itself accepts `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// `null`.
    #[error("`null`")]
    Null,
    /// Any other JSON.
    #[error("no JSON object")]
    Other,
}

/// Reads the data of a version. Odd data is a failure of this secret, not of the server's answer.
fn values<'de, D: Deserializer<'de>>(data: D) -> Result<Result<SecretMap, NoKeys>, D::Error> {
    let json = <Box<RawValue>>::deserialize(data)?;
    Ok(match json.get() {
        "null" => Err(NoKeys::Null),
        text => serde_json::from_str(text).map_err(|_| NoKeys::Other),
    })
}

/// What the server keeps of one version.
#[derive(Clone, Debug, Deserialize)]
pub struct VersionMetadata {
    /// The version's number, from 1.
    pub version: u64,
    /// When it was written (RFC 3339).
    #[serde(deserialize_with = "bounded::text")]
    pub created_time: String,
    /// When it was or will be deleted (RFC 3339), or empty.
    #[serde(default, deserialize_with = "bounded::text")]
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
    #[serde(deserialize_with = "bounded::text")]
    pub updated_time: String,
    /// Its versions by their numbers, as far as the server keeps them.
    #[serde(default)]
    pub versions: BTreeMap<u64, ListedVersion>,
}

/// What a listing tells of one version.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedVersion {
    /// When it was written (RFC 3339).
    #[serde(deserialize_with = "bounded::text")]
    pub created_time: String,
    /// When it was or will be deleted (RFC 3339), or empty.
    #[serde(default, deserialize_with = "bounded::text")]
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
    let request = Request::new(Method::Post, &path)
        .json(&Body { data: values })?
        .secret_body();
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
        key_info: BTreeMap<String, Box<RawValue>>,
    }
    let path = format!("{mount}/detailed-metadata/{path}/");
    let listing: Listing = client.data(&Request::new(Method::List, &path))?;
    Ok(readable(&listing.key_info))
}

/// The metadata of the secret `path`, with its versions: what [`list_detailed`] tells of it, for servers
/// without `detailed-metadata` (HashiCorp Vault, OpenBao before 2.2).
///
/// # Errors
/// What [`Client::send`] gives; [`Error::NotFound`] where there is no such secret.
pub fn metadata(client: &Client, mount: &str, path: &str) -> Result<SecretMetadata, Error> {
    client.data(&Request::new(
        Method::Get,
        &format!("{mount}/metadata/{path}"),
    ))
}

/// The entries with metadata. Folders have none, and one odd entry must not spoil the listing.
fn readable(listed: &BTreeMap<String, Box<RawValue>>) -> BTreeMap<String, SecretMetadata> {
    listed
        .iter()
        .filter_map(|(key, info)| Some((key.clone(), serde_json::from_str(info.get()).ok()?)))
        .collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Any JSON, nested a few levels deep.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn version(data: &Value) -> Secret {
        let metadata = json!({ "version": 3, "created_time": "2026-01-01T00:00:00Z", "custom_metadata": null });
        let body = json!({ "data": { "data": data, "metadata": metadata } }).to_string();
        reply::parse(body.as_bytes()).unwrap().data.unwrap()
    }

    #[test]
    fn numbers_and_depth_are_no_trouble() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        for value in [
            deep.as_str(),
            "1e999999",
            "-0.000",
            r#""\ud800""#,
            r#"{"a":null}"#,
        ] {
            let body = format!(
                r#"{{"data":{{"data":{{"k":{value}}},"metadata":{{"version":1,"created_time":""}}}}}}"#
            );
            let secret: Secret = reply::parse(body.as_bytes()).unwrap().data.unwrap();
            let bytes = secret.values.unwrap()["k"].to_bytes();
            assert_eq!(*bytes, value.as_bytes());
        }
    }

    proptest! {
        /// A version is readable whatever it holds; it has keys only where that is an object.
        #[test]
        fn whatever_a_version_holds_is_its_own_trouble(data in any_json()) {
            let values = version(&data).values;
            match &data {
                Value::Object(map) => {
                    let values = values.unwrap();
                    prop_assert!(values.keys().eq(map.keys().collect::<std::collections::BTreeSet<_>>()));
                }
                Value::Null => prop_assert_eq!(values.err(), Some(NoKeys::Null)),
                _ => prop_assert_eq!(values.err(), Some(NoKeys::Other)),
            }
        }

        #[test]
        fn an_odd_entry_spoils_no_listing(odd in any_json()) {
            let good = json!({ "current_version": 1, "updated_time": "", "versions": { "1": { "created_time": "" } } });
            let listed = json!({ "good": good, "odd": odd }).to_string();
            let listing = readable(&serde_json::from_str(&listed).unwrap());
            prop_assert_eq!(listing["good"].newest().unwrap().version, 1);
        }

        /// Replies that are cut off or damaged are errors, never panics.
        #[test]
        fn damaged_replies_are_errors(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let whole = json!({ "data": { "data": { "k": "v" }, "metadata": { "version": 1, "created_time": "" } } }).to_string();
            let mut body = whole.into_bytes();
            let at = at.index(body.len());
            let _ = reply::parse::<Secret>(&body[..at]);
            body[at] = byte;
            let _ = (reply::parse::<Secret>(&body), gone("p", &body), reply::is_openbaos(&body));
        }
    }
}
