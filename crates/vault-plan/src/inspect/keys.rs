//! Keys of a secret that the host needs or cannot use.

use std::collections::{BTreeMap, BTreeSet};

use zts_delivery::{Contents, DeclaredSecret, Error, Template};
use zts_openbao::SecretMap;

use crate::{
    finding::{Details, Finding, Kind},
    host::{Host, key_arguments, kv_command},
};

/// The value of `needed_by` for a required key.
const REQUIRED: &str = "required";

/// Returns the keys that the host needs, except those of invalid templates.
pub(super) fn needed_keys(secret: &DeclaredSecret) -> BTreeSet<String> {
    let required = secret.required_keys.iter();
    let required = required.chain(secret.encoding.keys()).cloned();
    let templates = secret.templates.iter();
    let named = templates.flat_map(|(name, text)| template_keys(name, text));
    let shared = shared_templates(secret).into_iter();
    let of_shared = shared.flat_map(|(_, template)| owned(template.keys()));
    required.chain(named).chain(of_shared).collect()
}

/// Returns the placeholders of templates over several secrets that can be parsed, by the templates'
/// names. The module takes no others.
fn shared_templates(secret: &DeclaredSecret) -> BTreeMap<&str, Template> {
    let templates = secret.template_keys.iter();
    let parsed = templates.filter_map(|(name, placeholders)| {
        let template = Template::of_placeholders(name, placeholders).ok()?;
        Some((name.as_str(), template))
    });
    parsed.collect()
}

fn owned<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    keys.map(ToOwned::to_owned).collect()
}

fn template_keys(name: &str, text: &str) -> BTreeSet<String> {
    let template = Template::parse(name, text).ok();
    owned(template.iter().flat_map(Template::keys))
}

/// Returns the names of the files that the host makes of the secret.
pub(super) fn file_names(secret: &DeclaredSecret, values: &SecretMap) -> BTreeSet<String> {
    let made = secret
        .templates
        .keys()
        .chain(&secret.environment_file)
        .chain(&secret.json_file);
    values.keys().chain(made).cloned().collect()
}

/// Checks the keys with the code that writes the files on the host. It removes each refused one and
/// checks again.
pub(super) fn check_keys(
    host: &Host,
    name: &str,
    secret: &DeclaredSecret,
    mut values: SecretMap,
) -> Vec<Finding> {
    let subject = Subject { host, name, secret };
    let mut findings = subject.invalid_templates();
    let mut contents = unrendered_contents(name, secret);
    let mut unusable = BTreeSet::new();
    while let Err(error) = contents.files(&secret.secret_path, &values) {
        match error {
            Error::Incomplete { missing, empty, .. } => {
                let told = missing.iter().filter(|key| !unusable.contains(*key));
                findings.extend(told.map(|key| subject.missing_key(key)));
                findings.extend(empty.iter().map(|key| subject.empty_key(key)));
                contents.required_keys.clear();
                let unmet: BTreeSet<_> = missing.iter().chain(&empty).collect();
                contents.base64_keys.retain(|key| !unmet.contains(key));
            }
            Error::Key { ref key, .. }
            | Error::NotBase64 { ref key, .. }
            | Error::Variable { ref key, .. }
            | Error::Credential { ref key, .. } => {
                findings.push(subject.refused(Some(key), &error));
                values.remove(key);
                unusable.insert(key.clone());
            }
            Error::NameTaken { ref name, .. } | Error::Name { ref name, .. } => {
                findings.push(subject.refused(None, &error));
                contents.templates.remove(name);
                contents.environment_file.take_if(|file| file == name);
                contents.json_file.take_if(|file| file == name);
            }
            error => {
                findings.push(subject.refused(None, &error));
                break;
            }
        }
    }
    findings
}

/// Returns the contents that the host writes, with empty templates.
fn unrendered_contents(name: &str, secret: &DeclaredSecret) -> Contents {
    let templates = secret.templates.keys();
    let unrendered = templates.filter_map(|name| {
        let empty = Template::parse(name, "").ok()?;
        Some((name.clone(), empty))
    });
    Contents {
        required_keys: needed_keys(secret).into_iter().collect(),
        base64_keys: base64_keys(name, secret),
        templates: unrendered.collect(),
        environment_file: secret.environment_file.clone(),
        json_file: secret.json_file.clone(),
        credential: secret.credential(name),
        ..Contents::default()
    }
}

/// Returns the keys that the host decodes, for their own files or in templates. The module takes no
/// encoding that is unknown.
fn base64_keys(name: &str, secret: &DeclaredSecret) -> BTreeSet<String> {
    let mut decoded = secret.base64_keys(name).unwrap_or_default();
    for (name, text) in &secret.templates {
        let template = Template::parse(name, text).ok();
        decoded.extend(owned(template.iter().flat_map(Template::base64_keys)));
    }
    for template in shared_templates(secret).values() {
        decoded.extend(owned(template.base64_keys()));
    }
    decoded
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
            .for_secret(self.name)
            .details(Details {
                key: key.map(ToOwned::to_owned),
                needed_by,
                ..Details::default()
            })
    }

    fn missing_key(&self, key: &str) -> Finding {
        self.unusable_key("missing", key, "has no key")
    }

    fn empty_key(&self, key: &str) -> Finding {
        self.unusable_key("empty", key, "has nothing in its key")
    }

    fn unusable_key(&self, reason: &'static str, key: &str, problem: &str) -> Finding {
        let path = &self.secret.secret_path;
        let by = self.needed_by(key).into_iter().map(|by| match by.as_str() {
            REQUIRED => "it is required".to_owned(),
            name => format!("the template `{name}` needs it"),
        });
        let by = by.collect::<Vec<_>>().join(", ");
        let message = format!("`{path}` {problem} `{key}` ({by})");
        self.finding(reason, Some(key), message).advice(kv_command(
            self.host,
            "patch",
            path,
            &key_arguments([key]),
        ))
    }

    /// Returns a finding with the error that the host would report.
    fn refused(&self, key: Option<&str>, error: &Error) -> Finding {
        self.finding("refused", key, error.to_string())
    }

    fn invalid_templates(&self) -> Vec<Finding> {
        let templates = self.secret.templates.iter();
        let errors = templates.filter_map(|(name, text)| Template::parse(name, text).err());
        errors
            .map(|error| self.finding("template", None, error.to_string()))
            .collect()
    }

    fn needed_by(&self, key: &str) -> Vec<String> {
        let DeclaredSecret {
            required_keys,
            encoding,
            ..
        } = self.secret;
        let is_required =
            encoding.contains_key(key) || required_keys.iter().any(|other| other == key);
        let required = is_required.then(|| REQUIRED.to_owned());
        let templates = self.secret.templates.iter();
        let naming = templates.filter(|(name, text)| template_keys(name, text).contains(key));
        let shared = shared_templates(self.secret).into_iter();
        let of_shared = shared.filter(|(_, template)| template.keys().any(|other| other == key));
        required
            .into_iter()
            .chain(naming.map(|(name, _)| name.clone()))
            .chain(of_shared.map(|(name, _)| name.to_owned()))
            .collect()
    }
}
