//! Whether a secret that is there has what the host makes of it.

use std::collections::BTreeSet;

use delivery::{Contents, DeclaredSecret, Error, Template};
use openbao::SecretMap;

use crate::{
    advice,
    finding::{Details, Finding, Kind},
    host::Host,
};

/// How JSON and people are told that a key is needed by no template.
const REQUIRED: &str = "required";

/// The keys that the host needs; those of templates that are not understood are not known.
pub(super) fn needed(secret: &DeclaredSecret) -> BTreeSet<String> {
    let required = secret.required_keys.iter().cloned();
    let templates = secret.templates.iter();
    let named = templates.flat_map(|(name, text)| keys_of(name, text));
    required.chain(named).collect()
}

fn keys_of(name: &str, text: &str) -> BTreeSet<String> {
    let template = Template::parse(name, text).ok();
    let keys = template.iter().flat_map(Template::keys);
    keys.map(ToOwned::to_owned).collect()
}

/// Asks the very code that writes the files on the host what it would refuse, takes that away, and
/// asks again.
pub(super) fn findings(
    host: &Host,
    name: &str,
    secret: &DeclaredSecret,
    mut values: SecretMap,
) -> Vec<Finding> {
    let subject = Subject { host, name, secret };
    let mut findings = subject.templates();
    let mut contents = contents(name, secret);
    let mut unusable = BTreeSet::new();
    while let Err(error) = contents.files(&secret.secret_path, &values) {
        match error {
            Error::Incomplete { missing, empty, .. } => {
                let missing = missing.iter().filter(|key| !unusable.contains(*key));
                findings.extend(missing.map(|key| subject.lacks(key)));
                findings.extend(empty.iter().map(|key| subject.has_empty(key)));
                contents.required_keys.clear();
            }
            Error::Key { ref key, .. }
            | Error::Variable { ref key, .. }
            | Error::Credential { ref key, .. } => {
                findings.push(subject.refused(Some(key), &error));
                values.remove(key);
                unusable.insert(key.clone());
            }
            Error::Taken { ref name, .. } | Error::Name { ref name, .. } => {
                findings.push(subject.refused(None, &error));
                contents.templates.remove(name);
                contents.environment_file.take_if(|file| file == name);
            }
            error => {
                findings.push(subject.refused(None, &error));
                break;
            }
        }
    }
    findings
}

/// As on the host, but that nothing is rendered.
fn contents(name: &str, secret: &DeclaredSecret) -> Contents {
    let templates = secret.templates.keys();
    let unrendered = templates.filter_map(|name| {
        let nothing = Template::parse(name, "").ok()?;
        Some((name.clone(), nothing))
    });
    Contents {
        required_keys: needed(secret).into_iter().collect(),
        templates: unrendered.collect(),
        environment_file: secret.environment_file.clone(),
        credential: secret.credential(name),
    }
}

struct Subject<'a> {
    host: &'a Host,
    name: &'a str,
    secret: &'a DeclaredSecret,
}

impl Subject<'_> {
    fn finding(&self, reason: &'static str, key: Option<&str>, message: String) -> Finding {
        let needed_by = key.map(|key| self.needed_by(key)).unwrap_or_default();
        Finding::new(Kind::Keys, reason, &self.secret.secret_path, message)
            .of(self.name)
            .details(Details {
                key: key.map(ToOwned::to_owned),
                needed_by,
                ..Details::default()
            })
    }

    fn lacks(&self, key: &str) -> Finding {
        self.without("missing", key, "has no key")
    }

    fn has_empty(&self, key: &str) -> Finding {
        self.without("empty", key, "has nothing in its key")
    }

    fn without(&self, reason: &'static str, key: &str, lack: &str) -> Finding {
        let path = &self.secret.secret_path;
        let by = self.needed_by(key).into_iter().map(|by| match by.as_str() {
            REQUIRED => "it is required".to_owned(),
            name => format!("the template `{name}` needs it"),
        });
        let by = by.collect::<Vec<_>>().join(", ");
        let message = format!("`{path}` {lack} `{key}` ({by})");
        self.finding(reason, Some(key), message).advice(advice::kv(
            self.host,
            "patch",
            path,
            &advice::values([key]),
        ))
    }

    /// In the words of what refuses it on the host.
    fn refused(&self, key: Option<&str>, error: &Error) -> Finding {
        self.finding("refused", key, error.to_string())
    }

    fn templates(&self) -> Vec<Finding> {
        let templates = self.secret.templates.iter();
        let errors = templates.filter_map(|(name, text)| Template::parse(name, text).err());
        errors
            .map(|error| self.finding("template", None, error.to_string()))
            .collect()
    }

    fn needed_by(&self, key: &str) -> Vec<String> {
        let is_required = self.secret.required_keys.iter().any(|other| other == key);
        let required = is_required.then(|| REQUIRED.to_owned());
        let templates = self.secret.templates.iter();
        let naming = templates.filter(|(name, text)| keys_of(name, text).contains(key));
        required
            .into_iter()
            .chain(naming.map(|(name, _)| name.clone()))
            .collect()
    }
}
