//! Declarations of the old tools, the new secrets, and their values.

use std::{collections::BTreeSet, path::PathBuf, str};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use zts_infra_edit::nix;

use crate::tool::Tool;

/// A host and what it declares.
#[derive(Debug)]
pub(crate) struct Host {
    /// The name in the flake or on the command line.
    pub(crate) name: String,
    /// The host name, which is part of paths in OpenBao.
    pub(crate) hostname: String,
    /// The directory of our module's secrets.
    pub(crate) secrets_directory: Option<String>,
    /// The files with its declarations; `None` if any file can have some.
    pub(crate) files: Option<BTreeSet<PathBuf>>,
    pub(crate) declarations: Vec<Declaration>,
    pub(crate) templates: Vec<DeclaredTemplate>,
    /// The names of declarations that cannot be read, with the reason.
    pub(crate) unread: Vec<(String, String)>,
    /// Other facts about the declarations.
    pub(crate) notes: Vec<String>,
}

/// A secret as sops-nix or agenix has it.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    pub(crate) tool: Tool,
    /// The name in `sops.secrets` or `age.secrets`.
    pub(crate) name: String,
    /// The encrypted file.
    pub(crate) file: PathBuf,
    pub(crate) content: Content,
    pub(crate) owner: String,
    pub(crate) group: String,
    pub(crate) mode: String,
    /// The path that services read.
    pub(crate) path: String,
    /// Set where `path` is not below the tool's own directory.
    pub(crate) is_linked: bool,
    pub(crate) restart_units: Vec<String>,
    pub(crate) reload_units: Vec<String>,
    /// The units in whose settings Nix found the path.
    pub(crate) readers: Vec<String>,
    /// Set for passwords of users and secrets of the initrd, which are read before the network is
    /// up.
    pub(crate) needed_early: bool,
}

/// The part of the encrypted file that is the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A key of a file of sops in this format; keys of nested maps have slashes.
    Key { format: String, key: String },
    /// A whole file of sops in this format.
    Whole { format: String },
    /// A file of age.
    Age,
}

/// A template of sops-nix.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredTemplate {
    pub(crate) name: String,
    pub(crate) path: String,
    /// The names of the secrets in it.
    pub(crate) secrets: Vec<String>,
}

impl Content {
    /// Returns the content of a secret of sops-nix: in YAML and JSON a key, unless it is empty.
    pub(crate) fn of_sops(format: &str, key: &str) -> Self {
        let format = format.to_owned();
        if matches!(format.as_str(), "yaml" | "json") && !key.is_empty() {
            Self::Key {
                format,
                key: key.to_owned(),
            }
        } else {
            Self::Whole { format }
        }
    }
}

impl Declaration {
    /// Returns the option of the declaration, such as `sops.secrets."app/password"`.
    pub(crate) fn option(&self) -> String {
        format!(
            "{}.secrets.{}",
            self.tool.option(),
            attribute_name(&self.name)
        )
    }
}

/// The secrets of a host that move, and the declarations that stay.
#[derive(Debug)]
pub(crate) struct HostPlan {
    pub(crate) name: String,
    pub(crate) hostname: String,
    /// The directory of our module's secrets.
    pub(crate) secrets_directory: String,
    pub(crate) files: Option<BTreeSet<PathBuf>>,
    pub(crate) secrets: Vec<NewSecret>,
    /// The templates all of whose secrets move.
    pub(crate) templates: Vec<DeclaredTemplate>,
    pub(crate) staying: Vec<Staying>,
    pub(crate) notes: Vec<String>,
}

/// A secret of OpenBao, made from declarations with the same owner, mode and units.
#[derive(Debug)]
pub(crate) struct NewSecret {
    /// The name in `vault.secrets`.
    pub(crate) name: String,
    pub(crate) files: Vec<NewFile>,
    pub(crate) services: Vec<String>,
    /// Set where the units are reloaded, not restarted.
    pub(crate) is_reloaded: bool,
}

/// A file of a secret, which is a key in OpenBao.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) name: String,
    pub(crate) old: Declaration,
    /// The value, once it is decrypted.
    pub(crate) value: Option<Value>,
}

/// A declaration that stays with its tool.
#[derive(Debug)]
pub(crate) struct Staying {
    pub(crate) old: Declaration,
    pub(crate) reason: String,
}

impl HostPlan {
    /// Returns the path of a secret in the KV mount, which is the module's default.
    pub(crate) fn secret_path(&self, secret: &NewSecret) -> String {
        format!("hosts/{}/{}", self.hostname, secret.name)
    }
}

impl NewSecret {
    /// Returns the first of its declarations, whose owner and mode all have.
    pub(crate) fn first(&self) -> Option<&Declaration> {
        self.files.first().map(|file| &file.old)
    }
}

/// A value as OpenBao stores it.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) text: SecretString,
    /// Set where the text is the Base64 of bytes that JSON cannot hold.
    pub(crate) is_base64: bool,
}

impl Value {
    pub(crate) fn new(bytes: &SecretSlice<u8>) -> Self {
        let bytes = bytes.expose_secret();
        match str::from_utf8(bytes) {
            Ok(text) => Self {
                text: text.to_owned().into(),
                is_base64: false,
            },
            Err(_) => Self {
                text: STANDARD.encode(bytes).into(),
                is_base64: true,
            },
        }
    }
}

/// Writes the name of an attribute, with quotes where Nix needs them.
pub(crate) fn attribute_name(name: &str) -> String {
    nix::format_name(name, false)
}
