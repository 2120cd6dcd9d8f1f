//! Text edits of the Nix and HCL files that a fleet is made of.
//!
//! Text goes in, text comes out; nothing here reads or writes a file. A source is parsed (`rnix`, `hcl-edit`) only to
//! learn *where* things stand; the edit then splices the source itself, so that every byte it need not touch stays:
//! comments, order, indentation, line endings, a missing final newline. The result is parsed again before it is returned.
//!
//! A shape that cannot be edited safely is [`Error::Unsupported`], which carries the lines to add by hand. Nothing is
//! guessed.
//!
//! | module | edits |
//! | --- | --- |
//! | [`nix`] | the hosts in a flake's `nixosConfigurations` |
//! | [`vms`] | the hosts in `locals.vms` of `terraform/vms.tf` |
//! | [`generated`] | `terraform/vault/hosts-generated.tf`, which is wholly generated |

mod error;
pub mod generated;
mod hcl;
mod layout;
pub mod nix;
mod order;
mod text;
pub mod vms;

pub use error::{Error, Language, Position};
