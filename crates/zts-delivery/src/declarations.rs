//! The declarations of a host: the file `/etc/vault/secrets.json`, which the NixOS module writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use serde::Deserialize;
use zts_secure_fs::{LARGEST_TEXT, read_bounded};

use crate::{
    Contents, DeclaredSource, DeclaredTemplate, Error, FileMode, LoginMode, Ownership, Rejection,
    SealPolicy, SecretRef, StateDir, Template,
};

/// The file that the NixOS module writes.
pub const DECLARATIONS: &str = "/etc/vault/secrets.json";

/// The encoding of values that are files, in declarations.
const BASE64: &str = "base64";

/// The declarations of a host.
#[derive(Clone, Debug, Deserialize)]
pub struct Declarations {
    /// The name of the host, and of its role and policy.
    pub hostname: String,
    /// The connection to OpenBao.
    pub openbao: DeclaredOpenBao,
    /// The secrets by their names on the host.
    pub secrets: BTreeMap<String, DeclaredSecret>,
    /// The templates over several secrets by their names; none in declarations of older modules.
    #[serde(default)]
    pub templates: BTreeMap<String, DeclaredTemplate>,
}

/// A host's connection to OpenBao.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredOpenBao {
    /// The addresses of one cluster; empty where cloud-init provides the address.
    pub addresses: Vec<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The mount of the KV version 2 engine.
    pub kv_mount: String,
    /// The mount of the AppRole auth method.
    pub approle_mount: String,
    /// The way to log in; `auto` in declarations of older modules.
    #[serde(default)]
    pub authentication: LoginMode,
    /// The CA bundle; without one, the root certificates of the system.
    pub ca_certificate: Option<PathBuf>,
    /// Disables the verification of certificates.
    pub skip_verify: bool,
    /// The directory with the credentials.
    pub approle_directory: PathBuf,
}

/// One secret of a host.
///
/// A new field needs `#[serde(default)]`, unless it is an `Option`: `vault-plan` may read
/// declarations of an older module. It ignores those of a newer one that it does not know.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredSecret {
    /// The path: in the KV mount, or the API path for another source.
    pub secret_path: String,
    /// The source of the secret; KV in declarations of older modules.
    #[serde(default)]
    pub source: DeclaredSource,
    /// The version that is pinned; `None` for the newest.
    pub version: Option<u64>,
    /// The output directory.
    pub output_directory: PathBuf,
    /// The cache directory.
    pub cache_directory: Option<PathBuf>,
    /// The policy for sealing copies: `auto`, `always` or `never`.
    pub seal_cache: String,
    /// The age limit of a copy, such as `7d`.
    pub max_cache_age: Option<String>,
    /// The owner of the files.
    pub owner: String,
    /// The group of the files.
    pub group: String,
    /// The mode of the files, in octal.
    pub mode: String,
    /// The keys that must exist and have a value.
    pub required_keys: Vec<String>,
    /// The random values of a secret that does not exist, by their keys.
    #[serde(default)]
    pub generate: BTreeMap<String, GeneratedValue>,
    /// The encodings of the keys whose files have the decoded value.
    #[serde(default)]
    pub encoding: BTreeMap<String, String>,
    /// The templates by their file names.
    pub templates: BTreeMap<String, String>,
    /// The ownership of templates that have another one than the secret.
    #[serde(default)]
    pub template_ownership: BTreeMap<String, DeclaredOwnership>,
    /// The placeholders of templates over several secrets, by the templates' names: each a key of
    /// this secret, with its filter.
    #[serde(default)]
    pub template_keys: BTreeMap<String, Vec<String>>,
    /// The name of the environment file.
    pub environment_file: Option<String>,
    /// The name of the JSON file.
    #[serde(default)]
    pub json_file: Option<String>,
    /// The links to files of the secret, by their paths.
    #[serde(default)]
    pub links: BTreeMap<PathBuf, String>,
    /// Gives the files to services as systemd credentials.
    #[serde(default)]
    pub as_credential: bool,
    /// The units that use the secret, such as `postgresql.service`.
    pub services: Vec<String>,
    /// The action of a rotation on these units.
    pub on_change: OnChange,
    /// The times of rotations, as a systemd calendar expression. Secrets with the same one are
    /// rotated together.
    pub rotation: Option<String>,
}

/// A random value that an operator's program makes.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct GeneratedValue {
    /// The number of characters.
    pub length: usize,
    /// The set of characters.
    pub characters: CharacterSet,
}

/// A set of characters of which a random value consists.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CharacterSet {
    /// Letters and digits.
    Alphanumeric,
    /// The digits of base 16, in lower case.
    Hex,
    /// Letters, digits, and symbols that need no quotes in most files.
    Symbols,
}

/// The declared ownership of a file.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredOwnership {
    /// The owner.
    pub owner: String,
    /// The group.
    pub group: String,
    /// The mode, in octal.
    pub mode: String,
}

/// The action of a rotation on the services that use the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    /// None: the services read the files again by themselves.
    Nothing,
    /// The services are reloaded.
    Reload,
    /// The services are restarted.
    Restart,
}

impl Declarations {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Path`], and [`Error::Declarations`] with the place in the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_bounded(path, LARGEST_TEXT);
        Self::parse(path, &text.map_err(|cause| Error::io("read", path, cause))?)
    }

    /// Reads the text of a declarations file, without a look at what it says. `None` if there is no
    /// file at `path`, as after a switch to a configuration without the module.
    ///
    /// # Errors
    /// A file that cannot be read or exceeds the limit.
    pub fn read_text(path: &Path) -> Result<Option<Vec<u8>>, Error> {
        match read_bounded(path, LARGEST_TEXT) {
            Ok(text) => Ok(Some(text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", path, cause)),
        }
    }

    /// Parses the text of the declarations file `path`.
    ///
    /// # Errors
    /// A text that holds no declarations.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text).map_err(|cause| Error::Declarations {
            path: path.to_owned(),
            cause,
        })
    }

    /// Returns whether `place`, or a place below it, is the output directory or the cache directory
    /// of a secret, or the directory of a template.
    pub fn use_place(&self, place: &Path) -> bool {
        let secrets = self.secrets.values();
        let caches = secrets
            .clone()
            .filter_map(|secret| secret.cache_directory.as_ref());
        let templates = self.templates.values();
        let mut places = secrets
            .map(|secret| &secret.output_directory)
            .chain(caches)
            .chain(templates.map(|template| &template.output_directory));
        places.any(|declared| declared.starts_with(place))
    }

    /// Returns the template over several secrets with the name `name`.
    ///
    /// # Errors
    /// [`Error::NotDeclared`] with the declared names.
    pub fn template(&self, name: &str) -> Result<&DeclaredTemplate, Error> {
        self.templates.get(name).ok_or_else(|| Error::NotDeclared {
            kind: "template",
            name: name.to_owned(),
            declared: self.templates.keys().cloned().collect(),
        })
    }

    /// Returns the secret with the name `name`.
    ///
    /// # Errors
    /// [`Error::NotDeclared`] with the declared names.
    pub fn secret(&self, name: &str) -> Result<&DeclaredSecret, Error> {
        self.secrets.get(name).ok_or_else(|| Error::NotDeclared {
            kind: "secret",
            name: name.to_owned(),
            declared: self.secrets.keys().cloned().collect(),
        })
    }
}

impl DeclaredSecret {
    /// Returns the secret that is read, where `kv_mount` is the mount of the KV engine.
    pub fn reference<'a>(&'a self, kv_mount: &'a str) -> SecretRef<'a> {
        SecretRef {
            path: &self.secret_path,
            engine: self.source.engine(kv_mount, self.version),
        }
    }

    /// Returns whether it is in the KV engine.
    pub fn is_in_kv(&self) -> bool {
        matches!(self.source, DeclaredSource::Kv)
    }

    /// Returns the contents of the output directory for the secret with the name `name`. They lack
    /// the ownership of single files, which can be looked up on the host only.
    ///
    /// # Errors
    /// [`Error::InvalidDeclaration`], [`Error::Template`] and [`Error::Name`].
    pub fn contents(&self, name: &str) -> Result<Contents, Error> {
        let templates = self.templates.iter().map(|(file, text)| {
            let template = Template::parse(&format!("{file}` of `{name}"), text)?;
            Ok((file.clone(), template))
        });
        let contents = Contents {
            required_keys: self.required_keys.clone(),
            base64_keys: self.base64_keys(name)?,
            templates: templates.collect::<Result<_, Error>>()?,
            shared_templates: Template::of_each(&self.template_keys)?,
            environment_file: self.environment_file.clone(),
            json_file: self.json_file.clone(),
            ownership: BTreeMap::new(),
            credential: self.credential(name),
        };
        contents.check()?;
        Ok(contents)
    }

    /// Returns whether each key that `vault.templates` need has a file.
    pub fn has_template_keys(&self) -> bool {
        let has_file = |key| self.output_directory.join(key).exists();
        let texts = Template::of_each(&self.template_keys).unwrap_or_default();
        texts.values().flat_map(Template::keys).all(has_file)
    }

    /// Returns the keys whose values are Base64.
    ///
    /// # Errors
    /// [`Error::InvalidDeclaration`] for another encoding.
    pub fn base64_keys(&self, name: &str) -> Result<BTreeSet<String>, Error> {
        match self.encoding.values().find(|encoding| *encoding != BASE64) {
            Some(other) => Err(invalid(name, "encoding", other, &"only `base64` is known")),
            None => Ok(self.encoding.keys().cloned().collect()),
        }
    }

    /// Returns the name in `LoadCredential=`, if it has one; `name` is its name on the host.
    pub fn credential(&self, name: &str) -> Option<String> {
        self.as_credential.then(|| name.to_owned())
    }

    /// Looks up the ownership of the files.
    ///
    /// # Errors
    /// [`Error::InvalidDeclaration`], [`Error::UnknownAccount`] and [`Error::LookUp`].
    pub fn ownership(&self, name: &str) -> Result<Ownership, Error> {
        let mode: FileMode = parse(name, "mode", &self.mode)?;
        Ownership::look_up(Some(&self.owner), Some(&self.group), mode)
    }

    /// Looks up the ownership of the files that have another one than the secret, by their names.
    ///
    /// # Errors
    /// [`Error::InvalidDeclaration`], [`Error::UnknownAccount`] and [`Error::LookUp`].
    pub fn ownership_of_files(&self, name: &str) -> Result<BTreeMap<String, Ownership>, Error> {
        let of_templates = self.template_ownership.iter();
        let looked_up = of_templates.map(|(file, declared)| {
            let DeclaredOwnership { owner, group, mode } = declared;
            let mode: FileMode = parse(name, "mode", mode)?;
            let ownership = Ownership::look_up(Some(owner), Some(group), mode)?;
            Ok((file.clone(), ownership))
        });
        looked_up.collect()
    }

    /// Returns the policy for sealing copies.
    ///
    /// # Errors
    /// [`Error::InvalidDeclaration`].
    pub fn seal(&self, name: &str) -> Result<SealPolicy, Error> {
        parse(name, "seal_cache", &self.seal_cache)
    }

    /// Returns the oldest age of a copy that may stand in for OpenBao.
    ///
    /// # Errors
    /// [`Error::InvalidDeclaration`].
    pub fn max_age(&self, name: &str) -> Result<Option<Duration>, Error> {
        let parsed = self.max_cache_age.as_deref().map(|age| {
            humantime::parse_duration(age)
                .map_err(|reason| invalid(name, "max_cache_age", age, &reason))
        });
        parsed.transpose()
    }

    /// Returns whether the secret is in place: its output directory is there, and vault-fetch wrote
    /// it.
    ///
    /// # Errors
    /// The system's errors.
    pub fn is_in_place(&self) -> Result<bool, Error> {
        let output = &self.output_directory;
        Ok(output.is_dir() && StateDir::exists(output)?)
    }

    /// Returns the note of the version that this host rejected, if there is one.
    ///
    /// # Errors
    /// The system's errors.
    pub fn rejection(&self) -> Result<Option<Rejection>, Error> {
        Rejection::load(self.cache_directory.as_deref(), &self.output_directory)
    }

    /// Removes that note.
    ///
    /// # Errors
    /// The system's errors.
    pub fn forget_rejection(&self) -> Result<(), Error> {
        Rejection::remove(self.cache_directory.as_deref(), &self.output_directory)
    }
}

fn parse<T: FromStr<Err: Display>>(
    name: &str,
    field: &'static str,
    value: &str,
) -> Result<T, Error> {
    let parsed = value.parse();
    parsed.map_err(|reason: T::Err| invalid(name, field, value, &reason))
}

fn invalid(name: &str, field: &'static str, value: &str, reason: &dyn Display) -> Error {
    Error::InvalidDeclaration {
        name: name.to_owned(),
        field,
        value: value.to_owned(),
        reason: reason.to_string(),
    }
}
