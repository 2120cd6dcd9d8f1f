//! Edits of the text of Nix files: which secrets of sops-nix and agenix a file declares
//! ([`declarations()`]), the new declarations beside the old ones ([`insert()`]), and the new
//! declarations in place of the old ones ([`replace()`]).
//!
//! A source is parsed only to locate its parts. An edit splices the source itself, so all other
//! bytes stay: comments, indentation, line breaks. The result is parsed again before it is
//! returned. Nothing is evaluated: a part that cannot be read is reported with its line.
//!
//! | file | subject |
//! | --- | --- |
//! | `model.rs` | moves, and the results |
//! | `syntax.rs` | parsing, names, strings |
//! | `shape.rs` | sets below `lib.mkIf`, `//`, `let` … |
//! | `definitions.rs` | each definition of an option of a tool, with its place |
//! | `declarations.rs` | these definitions as declarations |
//! | `own.rs` | the declarations of OpenBao's secrets that a file has already |
//! | `layout.rs` | lines, indentation, edits |
//! | `bindings.rs` | new bindings under the conditions of the old ones |
//! | `insert.rs` | the new declarations beside the old ones |
//! | `templates.rs`, `copy.rs`, `content.rs` | the copies of `sops.templates` |
//! | `removal.rs` | the ranges of removed declarations |
//! | `references.rs`, `uses.rs`, `aliases.rs` | the uses of secrets in expressions |
//! | `mentions.rs` | the paths of secrets in strings |
//! | `replace.rs` | all edits of the last step |

mod aliases;
mod bindings;
mod content;
mod copy;
mod declarations;
mod definitions;
mod insert;
mod layout;
mod mentions;
mod model;
mod own;
mod references;
mod removal;
mod replace;
mod shape;
mod syntax;
mod templates;
mod uses;

#[cfg(test)]
mod properties_tests;
#[cfg(test)]
mod shapes_tests;

pub(crate) use declarations::declarations;
pub(crate) use insert::insert;
pub(crate) use model::{Attribute, Declaration, FileDeclarations, Left, Move, Value};
pub(crate) use replace::replace;
