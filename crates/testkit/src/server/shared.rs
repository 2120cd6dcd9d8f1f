//! One server for all tests of a program that do it no harm.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Server;

/// The server that the tests of a process share which do it no harm, with AppRole and an audit device
/// (see [`Server::audited`]); it ends with the last of them.
///
/// # Panics
/// Where OpenBao does not start.
pub fn shared_server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::builder().audit().start());
        server.enable_approle(); // here, where no two tests do it at once
        *shared = Arc::downgrade(&server);
        server
    })
}
