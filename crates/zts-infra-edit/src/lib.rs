//! Text edits of the Nix, HCL, JSON, TOML and YAML files of a fleet.
//!
//! Text goes in, text comes out; no file is read or written. A source is parsed (`rnix`,
//! `hcl-edit`, `saphyr-parser`, `toml_edit`) only to locate its parts. The edit then splices the
//! source itself, so all other bytes stay as they are: comments, order, indentation, line endings,
//! a missing final newline. The result is parsed again before it is returned.
//!
//! A shape that cannot be edited safely is [`Error::Unsupported`], with the lines to add by hand.
//! Nothing is guessed.
//!
//! | module | edits |
//! | --- | --- |
//! | [`nix`] | the hosts in a flake's `nixosConfigurations` |
//! | [`vms`] | the hosts in a map of machines, such as `locals.vms` of `terraform/vms.tf` |
//! | [`declarations`] | none: lists what a file declares |
//! | [`generated`] | `terraform/vault/hosts-generated.tf`, which is generated as a whole |

pub mod declarations;
mod error;
pub mod generated;
mod hcl;
mod layout;
pub mod nix;
mod notice;
mod text;
mod toml;
mod tree;
pub mod vms;
mod yaml;

pub use error::{Error, FileError, Language, ManualEdit, Position};
pub use text::{is_word, replace_name};
