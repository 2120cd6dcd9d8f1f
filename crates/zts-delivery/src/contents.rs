//! The files of a secret: one for each key, templates, an environment file, and a JSON file.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;
use zts_openbao::{SecretMap, SecretValue, kv};

use crate::{
    Files, Ownership, SecretRef, Template,
    encoding::{decode_base64, json_of},
    environment_file,
    error::Error,
    files::digest_of,
    names,
};

/// The declared contents of an output directory, in addition to one file for each key.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The keys that must exist and have a value.
    pub required_keys: Vec<String>,
    /// The keys whose values are Base64, and whose files have the decoded bytes. Each is required.
    pub base64_keys: BTreeSet<String>,
    /// The templates by their file names.
    pub templates: BTreeMap<String, Template>,
    /// The placeholders of templates over several secrets, by the templates' names. Their files are
    /// made of this secret's files; the keys are required, and their filters must be able to write
    /// them.
    pub shared_templates: BTreeMap<String, Template>,
    /// The name of the environment file.
    pub environment_file: Option<String>,
    /// The name of the JSON file.
    pub json_file: Option<String>,
    /// The ownership of the files that have another one than the secret, by name.
    pub ownership: BTreeMap<String, Ownership>,
    /// The name in `LoadCredential=`, where services get the files as systemd credentials.
    pub credential: Option<String>,
}

/// The largest size of the credentials of one service, contents and names, in bytes (systemd).
const MAX_CREDENTIALS_SIZE: usize = 1 << 20;

impl Contents {
    /// Returns the keys that must exist: the required ones, those in Base64 and those in
    /// templates.
    pub fn keys(&self) -> BTreeSet<&str> {
        let required = self.required_keys.iter().chain(&self.base64_keys);
        let required = required.map(String::as_str);
        let templates = self
            .templates
            .values()
            .chain(self.shared_templates.values());
        let named = templates.flat_map(Template::keys);
        required.chain(named).collect()
    }

    /// Checks the names of templates, environment file and JSON file. Needs no secret.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn check(&self) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        for (what, name) in self.names() {
            let reason = names::not_a_file_name(name);
            let reason = reason.or_else(|| self.not_a_credential(name));
            let taken = seen.insert(name, what).map(|other| match other {
                TEMPLATE => "a template has that name",
                _ => "the environment file has that name",
            });
            if let Some(reason) = reason.or(taken) {
                return Err(Error::Name {
                    what,
                    name: name.to_owned(),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// Returns the files of a version of the secret with the path `secret`. Fails if one of them
    /// cannot be made.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Key`], [`Error::Incomplete`], [`Error::NameTaken`],
    /// [`Error::NotBase64`], [`Error::Variable`], [`Error::Credential`] and
    /// [`Error::CredentialsTooLarge`].
    pub fn files(&self, secret: &str, values: &SecretMap) -> Result<Files, Error> {
        self.check()?;
        check_keys(secret, values)?;
        self.check_credentials(secret, values)?;
        self.check_complete(secret, values)?;
        self.check_names_differ(secret, values)?;
        let of_keys = values.iter().map(|(key, value)| {
            let content = if self.base64_keys.contains(key) {
                decode_base64(secret, key, value)?
            } else {
                value.to_bytes()
            };
            Ok((key.clone(), content))
        });
        let mut files = Files::from(of_keys.collect::<Result<BTreeMap<_, _>, Error>>()?);
        if let Some(name) = &self.environment_file {
            files.insert(name.clone(), environment_file::render(secret, values)?);
        }
        for (name, template) in &self.templates {
            files.insert(name.clone(), template.render(secret, values)?);
        }
        if let Some(name) = &self.json_file {
            files.insert(name.clone(), json_of_all(values));
        }
        for template in self.shared_templates.values() {
            template.render(secret, values)?; // refuses what a filter cannot write
        }
        files.set_ownership(self.ownership.clone());
        files.set_shape(self.shape());
        self.check_credentials_size(secret, &files)?;
        Ok(files)
    }

    /// Returns the files of the version that OpenBao returned of `secret`. Cached copies and
    /// roll-backs use [`Contents::files`]: a check that applies only to new versions belongs here.
    ///
    /// # Errors
    /// [`Error::NoKeys`], and the errors of [`Contents::files`].
    pub fn render_answer(
        &self,
        secret: SecretRef<'_>,
        given: &kv::SecretVersion,
    ) -> Result<Files, Error> {
        let (mount, path) = (secret.kv_mount(), secret.path);
        match &given.values {
            Ok(values) => self.files(path, values).map_err(|error| match secret.kv() {
                Some((mount, _)) => error.in_mount(mount),
                None => error,
            }),
            Err(found) => Err(Error::NoKeys {
                mount: mount.to_owned(),
                path: path.to_owned(),
                version: given.metadata.version,
                found: *found,
            }),
        }
    }

    /// Returns a digest of the parts of a declaration that shape the files of a secret, where
    /// `ownership` is the secret's.
    pub fn digest(&self, ownership: Ownership) -> String {
        digest_of(&self.shape(), ownership)
    }

    /// Describes the parts that shape the files. Each other field is named, so that a new one is
    /// not left out by accident.
    fn shape(&self) -> String {
        let Self {
            base64_keys,
            templates,
            environment_file,
            json_file,
            ownership,
            required_keys: _,
            shared_templates: _,
            credential: _,
        } = self;
        format!("{base64_keys:?} {templates:?} {environment_file:?} {json_file:?} {ownership:?}")
    }

    fn not_a_credential(&self, name: &str) -> Option<&'static str> {
        names::not_a_credential(self.credential.as_deref()?, name)
    }

    fn check_credentials(&self, secret: &str, values: &SecretMap) -> Result<(), Error> {
        let refused = values
            .keys()
            .find_map(|key| Some((key, self.not_a_credential(key)?)));
        refused.map_or(Ok(()), |(key, reason)| {
            Err(Error::Credential {
                secret: secret.to_owned(),
                key: key.clone(),
                reason,
            })
        })
    }

    /// Checks the size as credentials. A service may have other credentials, which are not known
    /// here.
    fn check_credentials_size(&self, secret: &str, files: &Files) -> Result<(), Error> {
        let Some(id) = &self.credential else {
            return Ok(());
        };
        let sizes = files
            .iter()
            .map(|(name, content)| id.len() + 1 + name.len() + content.len());
        match sizes.sum() {
            bytes if bytes > MAX_CREDENTIALS_SIZE => Err(Error::CredentialsTooLarge {
                secret: secret.to_owned(),
                bytes,
                most: MAX_CREDENTIALS_SIZE,
            }),
            _ => Ok(()),
        }
    }

    /// Returns the names of the files that are not keys, with their kinds.
    fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let templates = self.templates.keys().map(|name| (TEMPLATE, name.as_str()));
        let others = [
            (ENVIRONMENT_FILE, &self.environment_file),
            (JSON_FILE, &self.json_file),
        ];
        let others = others.into_iter();
        templates.chain(others.filter_map(|(what, name)| Some((what, name.as_deref()?))))
    }

    fn check_complete(&self, secret: &str, values: &SecretMap) -> Result<(), Error> {
        let owned = |key: &str| key.to_owned();
        let (there, missing): (Vec<_>, Vec<_>) = self
            .keys()
            .into_iter()
            .partition(|key| values.contains_key(*key));
        let is_blank = |key: &str, value: &SecretValue| {
            is_empty(value) || self.base64_keys.contains(key) && is_blank_text(value)
        };
        let empty = |key: &&str| values.get(*key).is_some_and(|value| is_blank(key, value));
        let empty: Vec<_> = there.into_iter().filter(empty).map(owned).collect();
        if missing.is_empty() && empty.is_empty() {
            return Ok(());
        }
        let lacks = |key: &str| missing.contains(&key) || empty.iter().any(|other| other == key);
        let shared = self.shared_templates.iter();
        let shared = shared.filter(|(_, template)| template.keys().any(lacks));
        let templates = shared.map(|(name, _)| name.clone()).collect();
        Err(Error::Incomplete {
            secret: secret.to_owned(),
            missing: missing.into_iter().map(owned).collect(),
            empty,
            templates,
        })
    }

    /// Refuses a key that has the name of another file.
    fn check_names_differ(&self, secret: &str, values: &SecretMap) -> Result<(), Error> {
        let taken = self.names().find(|(_, name)| values.contains_key(*name));
        taken.map_or(Ok(()), |(what, name)| {
            Err(Error::NameTaken {
                secret: secret.to_owned(),
                what,
                name: name.to_owned(),
            })
        })
    }
}

const TEMPLATE: &str = "a template";
const ENVIRONMENT_FILE: &str = "the environment file";
const JSON_FILE: &str = "the JSON file";

fn check_keys(secret: &str, values: &SecretMap) -> Result<(), Error> {
    let refused = values
        .keys()
        .find_map(|key| Some((key, names::not_a_file_name(key)?)));
    refused.map_or(Ok(()), |(key, reason)| {
        Err(Error::Key {
            secret: secret.to_owned(),
            key: key.clone(),
            reason,
        })
    })
}

/// Returns whether a required key lacks a value: an empty string, or `null`.
fn is_empty(value: &SecretValue) -> bool {
    matches!(json_of(value).as_str(), "\"\"" | "null")
}

/// Returns whether a value is a text without a visible letter, which is the Base64 of nothing.
fn is_blank_text(value: &SecretValue) -> bool {
    let text = serde_json::from_str::<String>(json_of(value).as_str()).map(Zeroizing::new);
    text.is_ok_and(|text| text.trim().is_empty())
}

/// Returns all keys as one JSON object, each value as the server sent it.
fn json_of_all(values: &SecretMap) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(values).unwrap_or_default()) // texts that are there cannot fail
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
