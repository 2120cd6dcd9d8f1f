//! Clients for the tests, and the server they share.

use std::time::Duration;

use zts_openbao::{Address, Authentication, Client, Settings};
use zts_testkit::Server;
pub(crate) use zts_testkit::shared_server;

/// Returns a client with these addresses and without authentication.
pub(crate) fn client(addresses: &[&str]) -> Client {
    let list = Address::parse_list(&addresses.join(",")).unwrap();
    let mut settings = Settings::new(list);
    settings.connect_timeout = zts_testkit::scale_timeout(Duration::from_millis(300));
    settings.request_timeout = zts_testkit::scale_timeout(Duration::from_millis(600));
    Client::new(settings).unwrap()
}

/// Returns a client with these addresses and the server's root token.
pub(crate) fn root_client(server: &Server, addresses: &[&str]) -> Client {
    let mut client = client(addresses);
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}
