//! Servers that nobody initialised yet.

use std::fs;

use openbao::{
    init::{self, Initialisation},
    sys,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Builder, Server};
use crate::wait_for;

impl Builder {
    /// Starts it, and leaves it as it is then: not initialised, and so sealed.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_uninitialised(self) -> Server {
        let mut server = self.prepare();
        server.launch();
        server
    }

    /// As [`Builder::start_uninitialised`], with a seal that opens by itself (configuration page
    /// `seal "static"`).
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_uninitialised_with_static_seal(self) -> Server {
        let mut server = self.prepare();
        let key = server.folder.join("seal-key");
        fs::write(&key, [7; 32]).expect("the seal's key is written");
        let path = server.folder.join("server.json");
        let text = fs::read(&path).expect("the configuration is read");
        let mut settings: Value = serde_json::from_slice(&text).expect("the configuration is JSON");
        let key = format!("file://{}", key.display());
        settings["seal"] =
            json!([{ "static": { "current_key_id": "for-the-test", "current_key": key } }]);
        fs::write(&path, settings.to_string()).expect("the configuration is written");
        server.launch();
        server
    }

    /// As [`Builder::start`], with a seal that opens by itself; [`Server::seal_configuration`] tells which.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_with_static_seal(self) -> Server {
        let mut server = self.start_uninitialised_with_static_seal();
        let wanted = Initialisation {
            shares: 1,
            threshold: 1,
            opens_itself: true,
            ..Initialisation::default()
        };
        let made = init::initialise(&server.anonymous_client(), &wanted);
        let made = made.expect("the server is initialised");
        server.keys.root_token = made.root_token.expose_secret().into();
        wait_for("the server has opened itself", || {
            let status = sys::seal_status(&server.anonymous_client()).ok()?;
            (!status.sealed && server.has_leader()).then_some(())
        });
        server.mount_kv();
        server
    }
}

impl Server {
    /// The part of its configuration that is about its seal, as JSON.
    ///
    /// # Panics
    /// Where its configuration cannot be read.
    pub fn seal_configuration(&self) -> Value {
        let text = fs::read(self.folder.join("server.json")).expect("the configuration is read");
        let settings: Value = serde_json::from_slice(&text).expect("the configuration is JSON");
        json!({ "seal": settings["seal"] })
    }

    /// Unseals it with the key of another server, whose data it has, and goes on with that one's root token.
    ///
    /// # Panics
    /// Where that key does not open it.
    pub fn open_as(&mut self, other: &Server) {
        self.keys = other.keys.clone();
        self.unseal();
    }
}
