//! What a host's configuration declares: the file `/etc/vault/secrets.json`, as the NixOS module
//! writes it.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
};

use secure_fs::{LARGEST_TEXT, read_bounded};
use serde::Deserialize;

use crate::{Contents, Error, FileMode, Login, Ownership, Seal, Template, Workplace};

/// Where the NixOS module puts the file.
pub const DECLARATIONS: &str = "/etc/vault/secrets.json";

/// Everything that a host declares.
#[derive(Clone, Debug, Deserialize)]
pub struct Declarations {
    /// The host's name, which is that of its role and policy too.
    pub hostname: String,
    /// How the host reaches OpenBao.
    pub openbao: DeclaredOpenBao,
    /// Its secrets by their names on the host.
    pub secrets: BTreeMap<String, DeclaredSecret>,
}

/// How a host reaches OpenBao.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredOpenBao {
    /// The servers of one cluster; empty where cloud-init tells the address.
    pub addresses: Vec<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The mount of the KV version 2 engine.
    pub kv_mount: String,
    /// The mount of the AppRole auth method.
    pub approle_mount: String,
    /// How the host logs in; `auto` in declarations of older modules.
    #[serde(default)]
    pub authentication: Login,
    /// The CA bundle; the system's root certificates where there is none.
    pub ca_certificate: Option<PathBuf>,
    /// Whether certificates are not verified.
    pub skip_verify: bool,
    /// Where vault-unwrap put the credentials.
    pub approle_directory: PathBuf,
}

/// One secret of a host.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredSecret {
    /// Its path in the KV mount.
    pub secret_path: String,
    /// The directory that gets the files.
    pub output_directory: PathBuf,
    /// Where a copy is kept.
    pub cache_directory: Option<PathBuf>,
    /// Whether the copy is sealed to the machine: `auto`, `always` or `never`.
    pub seal_cache: String,
    /// The oldest copy that may stand in, such as `7d`.
    pub max_cache_age: Option<String>,
    /// Who owns the files.
    pub owner: String,
    /// Which group the files have.
    pub group: String,
    /// The files' mode, in octal.
    pub mode: String,
    /// Keys that must be there, and not empty.
    pub required_keys: Vec<String>,
    /// Files with placeholders for keys, by name.
    pub templates: BTreeMap<String, String>,
    /// The name of the file for systemd's `EnvironmentFile=`.
    pub environment_file: Option<String>,
    /// Whether services get the files as systemd credentials.
    #[serde(default)]
    pub as_credential: bool,
    /// The units that use the secret, such as `postgresql.service`.
    pub services: Vec<String>,
    /// What a new version does to them.
    pub on_change: OnChange,
    /// When new versions are looked for, as a systemd calendar expression. Secrets with the same one
    /// are looked after together.
    pub rotation: Option<String>,
}

/// What a new version of a secret does to the services that use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    /// They read the files again by themselves.
    Nothing,
    /// They are reloaded.
    Reload,
    /// They are restarted.
    Restart,
}

impl Declarations {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Declarations`] with the place in the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            read_bounded(path, LARGEST_TEXT).map_err(|cause| Error::io("read", path, cause))?;
        serde_json::from_slice(&text).map_err(|cause| Error::Declarations {
            path: path.to_owned(),
            cause,
        })
    }

    /// The secret that is declared as `name`.
    ///
    /// # Errors
    /// [`Error::NotDeclared`], with the names there are.
    pub fn secret(&self, name: &str) -> Result<&DeclaredSecret, Error> {
        self.secrets.get(name).ok_or_else(|| Error::NotDeclared {
            name: name.to_owned(),
            declared: self.secrets.keys().cloned().collect(),
        })
    }
}

impl DeclaredSecret {
    /// What is made of the secret; `name` is its name on the host.
    ///
    /// # Errors
    /// [`Error::Template`] and [`Error::Name`].
    pub fn contents(&self, name: &str) -> Result<Contents, Error> {
        let templates = self.templates.iter().map(|(file, text)| {
            let template = Template::parse(&format!("{file}` of `{name}"), text)?;
            Ok((file.clone(), template))
        });
        let contents = Contents {
            required_keys: self.required_keys.clone(),
            templates: templates.collect::<Result<_, Error>>()?,
            environment_file: self.environment_file.clone(),
            credential: self.credential(name),
        };
        contents.check()?;
        Ok(contents)
    }

    /// Returns the secret's name in `LoadCredential=`, where it has one; `name` is its name on the host.
    pub fn credential(&self, name: &str) -> Option<String> {
        self.as_credential.then(|| name.to_owned())
    }

    /// Who may read the files.
    ///
    /// # Errors
    /// [`Error::Declared`], [`Error::NoSuch`] and [`Error::LookUp`].
    pub fn ownership(&self, name: &str) -> Result<Ownership, Error> {
        let mode: FileMode = parse(name, "mode", &self.mode)?;
        Ownership::look_up(Some(&self.owner), Some(&self.group), mode)
    }

    /// Whether the copy is sealed.
    ///
    /// # Errors
    /// [`Error::Declared`].
    pub fn seal(&self, name: &str) -> Result<Seal, Error> {
        parse(name, "seal_cache", &self.seal_cache)
    }

    /// Where notes on the secret are kept: with the copy, or beside the directory.
    pub fn home(&self) -> Option<PathBuf> {
        let cache = self.cache_directory.clone();
        cache.or_else(|| Workplace::folder_of(&self.output_directory))
    }
}

fn parse<T: FromStr<Err: Display>>(
    name: &str,
    field: &'static str,
    value: &str,
) -> Result<T, Error> {
    value.parse().map_err(|reason: T::Err| Error::Declared {
        name: name.to_owned(),
        field,
        value: value.to_owned(),
        reason: reason.to_string(),
    })
}
