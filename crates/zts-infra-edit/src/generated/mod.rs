//! `terraform/vault/hosts-generated.tf`: the policies and AppRole roles of all hosts.
//!
//! The same value is written through the API where there is no OpenTofu:
//! [`GeneratedHost::token_policies`], [`GeneratedHost::policy`], [`ROLE`] and
//! [`GeneratedHost::bound_cidrs`].

mod earlier;
mod host;
mod parse;
mod render;

pub use host::{GeneratedHost, ROLE, RoleSettings, parse_policy};
pub use parse::{GeneratedFile, parse_file, parse_hosts};
pub use render::{render_file, render_hosts};
