//! A server that starts again with less than before.

use std::fs;

use super::Server;

impl Server {
    /// The one key share that unseals it (base64).
    pub fn unseal_key(&self) -> &str {
        &self.keys.unseal_key
    }

    /// Starts it again and leaves it sealed.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn seal_by_restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// Starts it again on an empty disk: not initialised, or, as a node that knows where to join, soon a
    /// new member.
    ///
    /// # Panics
    /// Where its storage cannot be emptied, or it does not start.
    pub fn wipe(&mut self) {
        self.stop();
        let storage = self.folder.join("storage");
        fs::remove_dir_all(&storage).expect("the storage is removed");
        fs::create_dir(&storage).expect("the storage folder is made");
        self.launch();
    }
}
