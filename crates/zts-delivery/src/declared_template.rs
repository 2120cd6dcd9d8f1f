//! A template over several secrets, as the NixOS module declares it.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{Error, FileMode, Ownership};

/// A template over several secrets of a host.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredTemplate {
    /// The directory of its file, which holds nothing else.
    pub output_directory: PathBuf,
    /// The name of its file.
    pub file: String,
    /// The text, with placeholders such as `{{ db.password }}`.
    pub content: String,
    /// The owner of the file.
    pub owner: String,
    /// The group of the file.
    pub group: String,
    /// The mode of the file, in octal.
    pub mode: String,
    /// The units that use the file. Each is also among the services of the template's secrets.
    pub services: Vec<String>,
}

impl DeclaredTemplate {
    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.output_directory.join(&self.file)
    }

    /// Looks up the ownership of the file of the template `name`.
    ///
    /// # Errors
    /// [`Error::Rendering`] for an invalid mode, [`Error::UnknownAccount`] and [`Error::LookUp`].
    pub fn ownership(&self, name: &str) -> Result<Ownership, Error> {
        let mode = self.mode.parse::<FileMode>();
        let mode = mode.map_err(|reason| Error::Rendering {
            template: name.to_owned(),
            reason: format!("its mode is `{}`: {reason}", self.mode),
        })?;
        Ownership::look_up(Some(&self.owner), Some(&self.group), mode)
    }
}
