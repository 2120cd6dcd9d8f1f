//! KV version 2 secrets (API page "KV secrets engine, version 2").

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use zts_net::bounded;

use crate::{Client, Error, Method, Request, SecretMap, sys};

/// One version of a secret.
#[derive(Debug, Deserialize)]
pub struct SecretVersion {
    /// The keys and values of the version, or the other JSON that it holds.
    #[serde(rename = "data", deserialize_with = "deserialize_values")]
    pub values: Result<SecretMap, NoKeys>,
    /// The version's number and times.
    pub metadata: VersionMetadata,
}

/// The kind of JSON that a version holds in place of keys and values. OpenBao itself accepts
/// `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// `null`.
    #[error("`null`")]
    Null,
    /// Any other JSON.
    #[error("no JSON object")]
    Other,
}

/// Deserializes the data of a version. Data without keys is an error of this secret, not of the
/// answer.
fn deserialize_values<'de, D: Deserializer<'de>>(
    data: D,
) -> Result<Result<SecretMap, NoKeys>, D::Error> {
    let json = <Box<RawValue>>::deserialize(data)?;
    Ok(match json.get() {
        "null" => Err(NoKeys::Null),
        text => serde_json::from_str(text).map_err(|_| NoKeys::Other),
    })
}

/// The metadata of one version.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct VersionMetadata {
    /// The version's number, from 1; in a listing the key of the version.
    #[serde(default)]
    pub version: u64,
    /// The time of its creation (RFC 3339).
    #[serde(deserialize_with = "bounded::deserialize_text")]
    pub created_time: String,
    /// The time of its deletion (RFC 3339), which may be in the future; empty without one.
    #[serde(default, deserialize_with = "bounded::deserialize_text")]
    pub deletion_time: String,
    /// Set where its data was destroyed.
    #[serde(default)]
    pub destroyed: bool,
}

/// The metadata of one secret in a listing.
#[derive(Debug, Deserialize)]
pub struct SecretMetadata {
    /// The number of the newest version.
    pub current_version: u64,
    /// The time of the last change (RFC 3339).
    #[serde(deserialize_with = "bounded::deserialize_text")]
    pub updated_time: String,
    /// Its versions by their numbers; the server keeps a limited number of them.
    #[serde(default)]
    versions: BTreeMap<u64, VersionMetadata>,
}

impl SecretMetadata {
    /// Returns the newest version; `None` where the listing does not have it.
    pub fn newest(&self) -> Option<VersionMetadata> {
        self.version(self.current_version)
    }

    /// Returns the version with this number; `None` where the listing does not have it.
    pub fn version(&self, number: u64) -> Option<VersionMetadata> {
        Some(VersionMetadata {
            version: number,
            ..self.versions.get(&number)?.clone()
        })
    }
}

/// A secret of a KV mount, and the version of it that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretSelector<'a> {
    /// The path in the mount.
    pub path: &'a str,
    /// The number of the version; `None` for the newest.
    pub version: Option<u64>,
}

impl<'a> From<&'a str> for SecretSelector<'a> {
    fn from(path: &'a str) -> Self {
        Self {
            path,
            version: None,
        }
    }
}

impl<'a> From<&'a String> for SecretSelector<'a> {
    fn from(path: &'a String) -> Self {
        Self::from(path.as_str())
    }
}

/// Reads a version of a secret of the KV mount `mount`; with a path alone, the newest.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Deleted`] or [`Error::Destroyed`] where it has none, and those of
/// [`Client::send`].
pub fn read<'a>(
    client: &Client,
    mount: &str,
    secret: impl Into<SecretSelector<'a>>,
) -> Result<SecretVersion, Error> {
    let SecretSelector { path, version } = secret.into();
    let path = format!("{mount}/data/{path}");
    client.data(&Request::new(Method::Get, &path).version(version))
}

/// Writes a new version of a secret.
///
/// # Errors
/// Those of [`Client::send`].
pub fn write(
    client: &Client,
    mount: &str,
    path: &str,
    values: &impl Serialize,
) -> Result<(), Error> {
    write_after(client, mount, path, values, None)
}

/// Writes the first version of a secret. It never replaces one: a secret that exists, also with its
/// newest version deleted, is [`Error::Refused`] with status 400 (API page, parameter `cas`).
///
/// # Errors
/// Those of [`Client::send`]; [`Error::KvVersion1`], because that engine ignores the parameter and
/// stores the whole request at another path.
pub fn create(
    client: &Client,
    mount: &str,
    path: &str,
    values: &impl Serialize,
) -> Result<(), Error> {
    let engine = sys::visible_mount(client, &format!("{mount}/data/{path}"))?;
    let options = engine.options.unwrap_or_default();
    if options.get("version").map(String::as_str) != Some("2") {
        let mount = mount.to_owned();
        return Err(Error::KvVersion1 { mount });
    }
    write_after(client, mount, path, values, Some(0))
}

/// Writes a new version of a secret, only after the version `cas` if there is one.
fn write_after(
    client: &Client,
    mount: &str,
    path: &str,
    values: &impl Serialize,
    cas: Option<u64>,
) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Options {
        cas: u64,
    }
    #[derive(Serialize)]
    struct Body<'a, V> {
        #[serde(skip_serializing_if = "Option::is_none")]
        options: Option<Options>,
        data: &'a V,
    }
    let path = format!("{mount}/data/{path}");
    let body = Body {
        options: cas.map(|cas| Options { cas }),
        data: values,
    };
    let request = Request::new(Method::Post, &path).json(&body)?.secret_body();
    client.send_ignoring_reply(&request)
}

/// Lists the names in the folder `path`; those of folders end in `/`.
///
/// # Errors
/// Those of [`Client::send`]; an empty folder is [`Error::NotFound`].
pub fn list(client: &Client, mount: &str, path: &str) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Listing {
        keys: Vec<String>,
    }
    let path = format!("{mount}/metadata/{path}/");
    let listing: Listing = client.data(&Request::new(Method::List, &path))?;
    Ok(listing.keys)
}

/// Lists the secrets in the folder `path` with their versions: one request for a whole host.
///
/// # Errors
/// Those of [`Client::send`]; an empty folder is [`Error::NotFound`].
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
    Ok(parse_entries(&listing.key_info))
}

/// Reads the metadata of the secret `path` with its versions, as in [`list_detailed`], for servers
/// without `detailed-metadata` (HashiCorp Vault, OpenBao before 2.2).
///
/// # Errors
/// Those of [`Client::send`]; [`Error::NotFound`] where there is no such secret.
pub fn metadata(client: &Client, mount: &str, path: &str) -> Result<SecretMetadata, Error> {
    client.data(&Request::new(
        Method::Get,
        &format!("{mount}/metadata/{path}"),
    ))
}

/// Parses the entries with metadata. Folders have none. An entry that cannot be parsed is skipped,
/// so that the others remain usable.
fn parse_entries(listed: &BTreeMap<String, Box<RawValue>>) -> BTreeMap<String, SecretMetadata> {
    listed
        .iter()
        .filter_map(|(key, info)| Some((key.clone(), serde_json::from_str(info.get()).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::reply;

    /// Generates any JSON, nested a few levels deep.
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

    fn version(data: &Value) -> SecretVersion {
        let metadata = json!({ "version": 3, "created_time": "2026-01-01T00:00:00Z", "custom_metadata": null });
        let body = json!({ "data": { "data": data, "metadata": metadata } }).to_string();
        reply::parse(body.as_bytes()).unwrap().data.unwrap()
    }

    #[test]
    fn any_number_and_depth_is_kept() {
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
            let secret: SecretVersion = reply::parse(body.as_bytes()).unwrap().data.unwrap();
            let bytes = secret.values.unwrap()["k"].to_bytes();
            assert_eq!(*bytes, value.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn only_an_object_has_keys(data in any_json()) {
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
        fn an_invalid_entry_is_skipped(odd in any_json()) {
            let good = json!({ "current_version": 1, "updated_time": "", "versions": { "1": { "created_time": "" } } });
            let listed = json!({ "good": good, "odd": odd }).to_string();
            let listing = parse_entries(&serde_json::from_str(&listed).unwrap());
            prop_assert_eq!(listing["good"].newest().unwrap().version, 1);
        }

        #[test]
        fn damaged_replies_do_not_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let whole = json!({ "data": { "data": { "k": "v" }, "metadata": { "version": 1, "created_time": "" } } }).to_string();
            let mut body = whole.into_bytes();
            let at = at.index(body.len());
            let _ = reply::parse::<SecretVersion>(&body[..at]);
            body[at] = byte;
            let _ = (reply::parse::<SecretVersion>(&body), reply::is_openbao_error(&body));
        }
    }
}
