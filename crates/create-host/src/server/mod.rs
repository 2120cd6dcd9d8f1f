//! The host in OpenBao: the checks before a change, its policy and role, its credentials.
//!
//! A [`Backend`] is the server and the method to write to it. [`preflight`] checks the token's
//! capabilities and the mounts; [`host_objects`] reads and writes policy and role through the API,
//! [`tofu`] through OpenTofu; [`credentials`] issues and destroys secret ids.

mod backend;
mod connection;
pub(crate) mod credentials;
mod host_objects;
mod preflight;
mod role_space;
mod tofu;

pub(crate) use backend::{Apply, Backend};
pub(crate) use connection::Server;
pub(crate) use host_objects::{
    HostChanges, HostObjects, ObjectChange, delete_host, read_host, write_host,
};
pub(crate) use preflight::{Preflight, Task, check_preconditions};
pub(crate) use role_space::RoleSpace;
