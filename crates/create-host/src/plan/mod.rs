//! What is to change in the fleet's files. Pure: files' contents go in, files' contents come out, and
//! everything is checked before anything is written.

mod create;
mod names;
mod remove;
mod sources;

use std::collections::BTreeMap;

pub(crate) use create::create;
pub(crate) use names::in_use;
pub(crate) use remove::remove;
pub(crate) use sources::Sources;

/// The change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// From the fleet's root.
    pub(crate) path: String,
    /// What it held; `None` where it did not exist.
    pub(crate) before: Option<Vec<u8>>,
    /// What it will hold; `None` where it goes.
    pub(crate) after: Option<Vec<u8>>,
}

impl Change {
    /// The change in one word.
    pub(crate) fn kind(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "created",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "edited",
        }
    }
}

/// Changes by path: the last word on a file counts.
#[derive(Debug, Default)]
struct Changes(BTreeMap<String, Change>);

impl Changes {
    fn add(&mut self, path: &str, before: Option<Vec<u8>>, after: Option<Vec<u8>>) {
        if before != after {
            let path = path.to_owned();
            self.0.insert(
                path.clone(),
                Change {
                    path,
                    before,
                    after,
                },
            );
        }
    }

    /// An edited text file.
    fn edit(&mut self, path: &str, before: &str, after: String) {
        self.add(
            path,
            Some(before.to_owned().into_bytes()),
            Some(after.into_bytes()),
        );
    }

    fn done(self) -> Vec<Change> {
        self.0.into_values().collect()
    }
}
