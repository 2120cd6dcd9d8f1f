//! Clients for the tests, and the server they share.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use openbao::{Address, Authentication, Client, Settings};
use testkit::Server;

/// The server that the tests share which do it no harm; it ends with the last of them.
pub(crate) fn shared_server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::dev());
        server.enable_approle(); // here, where no two tests do it at once
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A client that asks these addresses and proves nothing.
pub(crate) fn client(addresses: &[&str]) -> Client {
    let list = Address::parse_list(&addresses.join(",")).unwrap();
    let mut settings = Settings::new(list);
    settings.connect_timeout = Duration::from_millis(300);
    settings.request_timeout = Duration::from_millis(600);
    Client::new(settings).unwrap()
}

/// A client that asks these addresses with the server's root token.
pub(crate) fn root_client(server: &Server, addresses: &[&str]) -> Client {
    let mut client = client(addresses);
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}
