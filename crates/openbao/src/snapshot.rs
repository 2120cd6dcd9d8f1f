//! Snapshots of raft storage (API page `sys/storage/raft`), which only the active server takes and restores.

use std::{io::Read, time::Duration};

use crate::{Client, Download, Error, Method, Request};

/// The one path that taking a snapshot needs `read` on.
pub const PATH: &str = "sys/storage/raft/snapshot";
/// The one that restores also where the snapshot's seal is another one.
pub const PATH_FORCE: &str = "sys/storage/raft/snapshot-force";

/// Has the server take a snapshot, and gives it as it comes in: a gzip archive that holds its own digests. A
/// server that fails in the middle cuts the archive short. Silent for `silence`, it counts as gone.
///
/// # Errors
/// What [`Client::download`] gives.
pub fn save(client: &Client, silence: Duration) -> Result<Download, Error> {
    client.download(&Request::new(Method::Get, PATH), silence)
}

/// Puts a snapshot in the place of all that the cluster holds. OpenBao answers when it has read and checked the
/// archive, and only then begins to apply it. With `force`, also one with another seal's keys, by which the
/// server then is sealed.
///
/// # Errors
/// [`Error::Refused`] with status 400 where the seal is another one, and what [`Client::upload`] gives.
pub fn restore(
    client: &Client,
    archive: &mut dyn Read,
    force: bool,
    total: Duration,
) -> Result<(), Error> {
    let path = if force { PATH_FORCE } else { PATH };
    client.upload(&Request::new(Method::Post, path), archive, total)
}
