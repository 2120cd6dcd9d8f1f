//! Keys of a secret that the host needs or cannot use.

use std::collections::BTreeSet;

use zts_delivery::{Contents, DeclaredSecret, Error, Template};
use zts_openbao::SecretMap;

use crate::{
    finding::{Details, Finding, Kind},
    host::{Host, key_arguments, kv_command},
};

/// The value of `needed_by` for a required key.
const REQUIRED: &str = "required";

/// The advice about a pinned version that cannot be used.
pub(super) const PIN_ANOTHER: &str = "declare another `version`, or none for the newest";

/// The templates of a secret, and those of several secrets that have it in them, by their names.
struct Templates {
    parsed: Vec<(String, Template)>,
    errors: Vec<Error>,
}

impl Templates {
    fn parse(secret: &DeclaredSecret) -> Self {
        let own = secret.templates.iter();
        let own = own.map(|(name, text)| (name, Template::parse(name, text)));
        let shared = secret.template_keys.iter();
        let shared = shared.map(|(name, keys)| (name, Template::of_placeholders(name, keys)));
        let (mut parsed, mut errors) = (Vec::new(), Vec::new());
        for (name, template) in own.chain(shared) {
            match template {
                Ok(template) => parsed.push((name.clone(), template)),
                Err(error) => errors.push(error),
            }
        }
        Self { parsed, errors }
    }

    /// Returns the keys that the host needs, except those of invalid templates.
    fn needed_keys(&self, secret: &DeclaredSecret) -> BTreeSet<String> {
        let required = secret.required_keys.iter().chain(secret.encoding.keys());
        let templates = self.parsed.iter();
        let named = templates.flat_map(|(_, template)| template.keys());
        required
            .cloned()
            .chain(named.map(ToOwned::to_owned))
            .collect()
    }

    /// Returns the keys that the host decodes, for their own files or in templates. The module
    /// takes no encoding that is unknown.
    fn base64_keys(&self, name: &str, secret: &DeclaredSecret) -> BTreeSet<String> {
        let templates = self.parsed.iter();
        let decoded = templates.flat_map(|(_, template)| template.base64_keys());
        let own = secret.base64_keys(name).unwrap_or_default().into_iter();
        own.chain(decoded.map(ToOwned::to_owned)).collect()
    }
}

/// Returns the keys that the host needs, except those of invalid templates.
pub(crate) fn needed_keys(secret: &DeclaredSecret) -> BTreeSet<String> {
    Templates::parse(secret).needed_keys(secret)
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
    let templates = Templates::parse(secret);
    let mut contents = unrendered_contents(name, secret, &templates);
    let subject = Subject {
        host,
        name,
        secret,
        templates,
    };
    let mut findings = subject.invalid_templates();
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
fn unrendered_contents(name: &str, secret: &DeclaredSecret, parsed: &Templates) -> Contents {
    let templates = secret.templates.keys();
    let unrendered = templates.filter_map(|name| {
        let empty = Template::parse(name, "").ok()?;
        Some((name.clone(), empty))
    });
    Contents {
        required_keys: parsed.needed_keys(secret).into_iter().collect(),
        base64_keys: parsed.base64_keys(name, secret),
        templates: unrendered.collect(),
        environment_file: secret.environment_file.clone(),
        json_file: secret.json_file.clone(),
        credential: secret.credential(name),
        ..Contents::default()
    }
}

struct Subject<'a> {
    host: &'a Host,
    name: &'a str,
    secret: &'a DeclaredSecret,
    templates: Templates,
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
        let advice = match self.secret.version {
            Some(_) => PIN_ANOTHER.to_owned(),
            None => kv_command(self.host, "patch", path, &key_arguments([key])),
        };
        self.finding(reason, Some(key), message).advice(advice)
    }

    /// Returns a finding with the error that the host would report.
    fn refused(&self, key: Option<&str>, error: &Error) -> Finding {
        self.finding("refused", key, error.to_string())
    }

    fn invalid_templates(&self) -> Vec<Finding> {
        let errors = self.templates.errors.iter();
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
        let templates = self.templates.parsed.iter();
        let naming = templates.filter(|(_, template)| template.keys().any(|other| other == key));
        let naming = naming.map(|(name, _)| name.clone());
        required.into_iter().chain(naming).collect()
    }
}
