//! Servers that should be upgraded.

use openbao::{Client, sys};

use crate::message::warn;

/// Warns where the server has holes that every program here is concerned with. Who is told can upgrade it; a
/// host's own programs say nothing, for they would at each fetch. A server that does not answer is not judged.
pub fn warn_of_old_server(client: &Client) {
    let Ok(status) = sys::seal_status(client) else {
        return;
    };
    if status.has_flawed_inline_authentication() {
        warn(format_args!(
            "OpenBao at `{}` is version {}: its inline authentication, with which hosts fetch, has holes that were \
             mended up to {}; upgrade it, and give hosts new credentials (`create-host --force`) where others read \
             its audit log",
            client.address(),
            status.version,
            sys::SOUND_INLINE_AUTHENTICATION
        ));
    }
}
