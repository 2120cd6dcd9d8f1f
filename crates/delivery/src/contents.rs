//! Which files a secret becomes: one a key, templates, and an environment file.

use std::collections::{BTreeMap, BTreeSet};

use openbao::{SecretMap, SecretValue, kv};
use zeroize::Zeroizing;

use crate::{Template, environment_file, error::Error, names};

/// File names with their contents.
pub type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// What is made of a secret, beside one file a key.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Keys that must be there, and not empty.
    pub required_keys: Vec<String>,
    /// Files with placeholders for keys, by name.
    pub templates: BTreeMap<String, Template>,
    /// The name of the file for systemd's `EnvironmentFile=`.
    pub environment_file: Option<String>,
    /// The name in `LoadCredential=`, where the files are handed over as systemd credentials.
    pub credential: Option<String>,
}

/// How many bytes systemd takes as credentials of one service: contents and names.
const MOST_CREDENTIALS: usize = 1 << 20;

impl Contents {
    /// Every key that must be there: the required ones, and those that templates name.
    pub fn keys(&self) -> BTreeSet<&str> {
        let required = self.required_keys.iter().map(String::as_str);
        let named = self.templates.values().flat_map(Template::keys);
        required.chain(named).collect()
    }

    /// Checks the names of templates and environment file, without any secret.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn check(&self) -> Result<(), Error> {
        for (what, name) in self.names() {
            let reason = names::not_a_file_name(name);
            let reason = reason.or_else(|| self.not_a_credential(name));
            let taken = what == ENVIRONMENT_FILE && self.templates.contains_key(name);
            if let Some(reason) = reason.or(taken.then_some("a template has that name")) {
                return Err(Error::Name {
                    what,
                    name: name.to_owned(),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// The files of a secret's version; `secret` is its path. Refuses it as a whole where one file
    /// cannot be made, so that nothing of it is ever written.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Key`], [`Error::Incomplete`], [`Error::Taken`],
    /// [`Error::Variable`], [`Error::Credential`] and [`Error::TooLarge`].
    pub fn files(&self, secret: &str, values: &SecretMap) -> Result<Files, Error> {
        self.check()?;
        check_keys(secret, values)?;
        self.check_credentials(secret, values)?;
        self.check_complete(secret, values)?;
        self.check_apart(secret, values)?;
        let mut files: Files = values
            .iter()
            .map(|(key, value)| (key.clone(), value.to_bytes()))
            .collect();
        if let Some(name) = &self.environment_file {
            files.insert(name.clone(), environment_file::render(secret, values)?);
        }
        for (name, template) in &self.templates {
            files.insert(name.clone(), template.render(values));
        }
        self.check_size(secret, &files)?;
        Ok(files)
    }

    /// The files of what OpenBao gave of the secret `path` in the KV mount `mount`.
    ///
    /// # Errors
    /// [`Error::NoKeys`], and what [`Contents::files`] gives.
    pub fn files_of(&self, mount: &str, path: &str, given: &kv::Secret) -> Result<Files, Error> {
        match &given.values {
            Ok(values) => self.files(path, values),
            Err(found) => Err(Error::NoKeys {
                mount: mount.to_owned(),
                path: path.to_owned(),
                version: given.metadata.version,
                found: *found,
            }),
        }
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

    /// Other credentials of a service count, too; those are not known here.
    fn check_size(&self, secret: &str, files: &Files) -> Result<(), Error> {
        let Some(id) = &self.credential else {
            return Ok(());
        };
        let sizes = files
            .iter()
            .map(|(name, content)| id.len() + 1 + name.len() + content.len());
        match sizes.sum() {
            bytes if bytes > MOST_CREDENTIALS => Err(Error::TooLarge {
                secret: secret.to_owned(),
                bytes,
                most: MOST_CREDENTIALS,
            }),
            _ => Ok(()),
        }
    }

    /// The names of the files that are no keys', and what they are.
    fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let templates = self.templates.keys().map(|name| (TEMPLATE, name.as_str()));
        let environment = self.environment_file.iter();
        templates.chain(environment.map(|name| (ENVIRONMENT_FILE, name.as_str())))
    }

    fn check_complete(&self, secret: &str, values: &SecretMap) -> Result<(), Error> {
        let owned = |key: &str| key.to_owned();
        let (there, missing): (Vec<_>, Vec<_>) = self
            .keys()
            .into_iter()
            .partition(|key| values.contains_key(*key));
        let empty = |key: &&str| values.get(*key).is_some_and(is_empty);
        let empty: Vec<_> = there.into_iter().filter(empty).map(owned).collect();
        if missing.is_empty() && empty.is_empty() {
            return Ok(());
        }
        Err(Error::Incomplete {
            secret: secret.to_owned(),
            missing: missing.into_iter().map(owned).collect(),
            empty,
        })
    }

    /// No file may take a key's place.
    fn check_apart(&self, secret: &str, values: &SecretMap) -> Result<(), Error> {
        let taken = self.names().find(|(_, name)| values.contains_key(*name));
        taken.map_or(Ok(()), |(what, name)| {
            Err(Error::Taken {
                secret: secret.to_owned(),
                what,
                name: name.to_owned(),
            })
        })
    }
}

const TEMPLATE: &str = "a template";
const ENVIRONMENT_FILE: &str = "the environment file";

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

/// Whether that is no value for a key that somebody needs: an empty text, or `null`.
fn is_empty(value: &SecretValue) -> bool {
    matches!(json_of(value).as_str(), "\"\"" | "null")
}

/// The value as JSON, as the server sent it.
pub(crate) fn json_of(value: &SecretValue) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(value).unwrap_or_default()) // a text that is there cannot fail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(json: &str) -> SecretMap {
        serde_json::from_str(json).unwrap()
    }

    fn contents(
        required: &[&str],
        templates: &[(&str, &str)],
        environment: Option<&str>,
    ) -> Contents {
        let parsed = |(name, text): &(&str, &str)| {
            ((*name).to_owned(), Template::parse(name, text).unwrap())
        };
        Contents {
            required_keys: required.iter().map(|key| (*key).to_owned()).collect(),
            templates: templates.iter().map(parsed).collect(),
            environment_file: environment.map(ToOwned::to_owned),
            credential: None,
        }
    }

    fn as_credential(contents: Contents) -> Contents {
        Contents {
            credential: Some("db".to_owned()),
            ..contents
        }
    }

    #[test]
    fn what_systemd_takes_as_no_credential_is_refused_by_name() {
        let contents = as_credential(contents(&[], &[], None));
        for key in [".env", "schlüssel", "a:b", &"x".repeat(253)] {
            let secret = values(&format!(r#"{{"{key}":"hunter2"}}"#));
            let error = contents.files("s", &secret).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for (templates, environment) in [(&[(".conf", "")][..], None), (&[], Some(".env"))] {
            let contents = as_credential(self::contents(&[], templates, environment));
            let error = contents.check().unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{error}");
        }
    }

    #[test]
    fn credentials_have_a_mebibyte_together_with_their_names() {
        let contents = as_credential(contents(&[], &[], None));
        let secret = |length: usize| values(&format!(r#"{{"k":"{}"}}"#, "x".repeat(length)));
        let most = MOST_CREDENTIALS - "db_k".len();
        assert!(contents.files("s", &secret(most)).is_ok());
        let error = contents.files("s", &secret(most + 1)).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_file_each_for_keys_templates_and_environment() {
        let contents = contents(
            &["user"],
            &[("conf", "{{ user }}:{{ password }}")],
            Some("env"),
        );
        assert_eq!(
            contents.keys().into_iter().collect::<Vec<_>>(),
            ["password", "user"]
        );
        let secret = values(r#"{"user":"u","password":"p"}"#);
        let files = contents.files("s", &secret).unwrap();
        let texts = files
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()));
        let expected: [(&str, &[u8]); 4] = [
            ("conf", b"u:p"),
            ("env", b"password=\"p\"\nuser=\"u\"\n"),
            ("password", b"p"),
            ("user", b"u"),
        ];
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_missing_or_empty_is_told_at_once() {
        let contents = contents(
            &["a", "b", "c", "zero"],
            &[("t", "{{ d }} {{ e }} {{ f }}")],
            None,
        );
        let secret = values(r#"{"b":"","c":null,"e":"","f":"null","zero":0}"#);
        let error = contents.files("hosts/web01/db", &secret).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`hosts/web01/db` has no key `a`, `d`, and has nothing in its key `b`, `c`, `e`"
        );
    }

    #[test]
    fn names_are_checked_before_any_secret_is_there() {
        for (templates, environment) in [
            (&[("a/b", "")][..], None),
            (&[("", "")], None),
            (&[("..", "")], None),
            (&[], Some("../env")),
            (&[], Some("")),
            (&[("env", "")], Some("env")),
        ] {
            let error = contents(&[], templates, environment).check().unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{error}");
        }
    }

    #[test]
    fn no_file_takes_a_keys_place() {
        let secret = values(r#"{"conf":"x"}"#);
        for contents in [
            contents(&[], &[("conf", "y")], None),
            contents(&[], &[], Some("conf")),
        ] {
            let error = contents.files("s", &secret).unwrap_err();
            assert!(matches!(error, Error::Taken { .. }), "{error}");
        }
    }
}
