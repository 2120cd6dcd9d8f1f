//! Snapshots of raft storage (API page `sys/storage/raft`), taken and restored by the active
//! server.

use std::{io::Read, time::Duration};

use zts_net::Download;

use crate::{Client, Error, Method, Request};

/// The path that needs `read` for saving a snapshot.
pub const PATH: &str = "sys/storage/raft/snapshot";
/// The path that also restores a snapshot with another seal.
pub const PATH_FORCE: &str = "sys/storage/raft/snapshot-force";

/// Takes a snapshot and returns it as a stream: a gzip archive that holds its own digests. A server
/// that fails in the middle cuts the archive short. `idle_timeout` limits each pause.
///
/// # Errors
/// Those of [`Client::download`].
pub fn save(client: &Client, idle_timeout: Duration) -> Result<Download, Error> {
    client.download(&Request::new(Method::Get, PATH), idle_timeout)
}

/// Replaces the cluster's data by a snapshot within `timeout`. OpenBao answers when it has read and
/// verified the archive, and only then begins to apply it. With `force`, the snapshot may have
/// another seal's keys; the server is sealed with these then.
///
/// # Errors
/// [`Error::Refused`] with status 400 where the seal is another one, and those of
/// [`Client::upload`].
pub fn restore(
    client: &Client,
    archive: &mut dyn Read,
    force: bool,
    timeout: Duration,
) -> Result<(), Error> {
    let path = if force { PATH_FORCE } else { PATH };
    client.upload(&Request::new(Method::Post, path), archive, timeout)
}
