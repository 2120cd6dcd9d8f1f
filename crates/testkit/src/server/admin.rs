//! The administrator's requests, all through the openbao crate.

use openbao::{Authentication, Client, Error, Method, Request, Settings, Trust};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use super::{Certificate, Server};

impl Server {
    /// A client with the root token.
    pub fn client(&self) -> Client {
        let mut client = self.anonymous_client();
        client.authenticate(Authentication::Token(SecretString::from(self.root_token())));
        client
    }

    /// A client that proves nothing.
    pub fn anonymous_client(&self) -> Client {
        let address = self.own_address().parse().expect("our own address is one");
        let mut settings = Settings::new(vec![address]);
        settings.trust = match (self.builder.tls, self.ca_certificate()) {
            (Some(Certificate::Good), Some(authority)) => Trust::Bundle(authority),
            // The administrator must get in although the certificate is bad on purpose.
            _ => Trust::SkipVerify,
        };
        Client::new(settings).expect("a client is made from our own settings")
    }

    /// Reads any API path as root: what the answer holds under `data`, `None` for a 404.
    pub fn read(&self, path: &str) -> Option<Value> {
        self.find(Method::Get, path)
    }

    /// Lists any API path as root: its keys, none for a 404.
    pub fn list(&self, path: &str) -> Vec<String> {
        let data = self.find(Method::List, path).unwrap_or_default();
        let keys = data["keys"].as_array().cloned().unwrap_or_default();
        keys.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    fn find(&self, method: Method, path: &str) -> Option<Value> {
        match self.client().data(&Request::new(method, path)) {
            Ok(data) => Some(data),
            Err(Error::NotFound { .. }) => None,
            Err(error) => panic!("reading `{path}`: {error}"),
        }
    }

    /// Writes to any API path as root; gives what the answer holds under `data`, if anything.
    pub fn write(&self, path: &str, body: &impl Serialize) -> Option<Value> {
        let request = Request::new(Method::Post, path)
            .json(body)
            .expect("the body is JSON");
        self.change(path, &request)
    }

    /// Deletes any API path as root.
    pub fn delete(&self, path: &str) {
        self.change(path, &Request::new(Method::Delete, path));
    }

    fn change(&self, path: &str, request: &Request<'_>) -> Option<Value> {
        let reply = self.client().send::<Value>(request);
        let reply =
            reply.unwrap_or_else(|error| panic!("changing `{path}`: {error}\n{}", self.logs()));
        reply.and_then(|reply| reply.data)
    }
}
