//! Clients for the tests, and the server they share.

use std::time::Duration;

use openbao::{Address, Authentication, Client, Settings};
use testkit::Server;
pub(crate) use testkit::shared_server;

/// A client that asks these addresses and proves nothing.
pub(crate) fn client(addresses: &[&str]) -> Client {
    let list = Address::parse_list(&addresses.join(",")).unwrap();
    let mut settings = Settings::new(list);
    settings.connect_timeout = testkit::busy(Duration::from_millis(300));
    settings.request_timeout = testkit::busy(Duration::from_millis(600));
    Client::new(settings).unwrap()
}

/// A client that asks these addresses with the server's root token.
pub(crate) fn root_client(server: &Server, addresses: &[&str]) -> Client {
    let mut client = client(addresses);
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}
