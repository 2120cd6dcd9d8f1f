//! Servers that nobody initialised yet.

use std::fs;

use serde_json::{Value, json};

use super::{Builder, Server};

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
}
