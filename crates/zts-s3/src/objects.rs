//! Requests on whole objects: list, read, put, remove.

use std::{io::Read, time::Duration};

use serde::Deserialize;
use zts_net::Download;

use crate::{Bucket, Error, pages::PageLimits, request::Operation};

/// The longest pause in the middle of an object.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// An object in a listing.
#[derive(Clone, Debug, Deserialize)]
pub struct Object {
    /// Its key.
    #[serde(rename = "Key")]
    pub key: String,
    /// Its size in bytes.
    #[serde(rename = "Size")]
    pub size: u64,
}

#[derive(Deserialize)]
pub(crate) struct Listing {
    #[serde(rename = "Contents", default)]
    pub(crate) contents: Vec<Object>,
    #[serde(rename = "NextContinuationToken", default)]
    next: Option<String>,
}

impl Bucket {
    /// Lists the objects whose keys begin with `prefix` (API action `ListObjectsV2`).
    ///
    /// # Errors
    /// A store that cannot be used, or that refuses the request.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let action = "listing";
        let (mut all, mut token) = (Vec::new(), None::<String>);
        let mut limits = PageLimits::new(self.settings.retry_timeout);
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", prefix)];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let listing: Listing = self.send_and_parse(&Operation {
                action: action.to_owned(),
                method: "GET",
                query: &query,
                ..Operation::default()
            })?;
            token = listing.next.filter(|token| !token.is_empty());
            let keys = listing.contents.iter().map(|object| object.key.as_str());
            let next = token.as_deref().map(|token| [token]);
            limits
                .check_page(keys, next.as_ref().map(<[_; 1]>::as_slice))
                .map_err(|cause| self.error(action, cause))?;
            all.extend(listing.contents);
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// Reads an object as a stream (API action `GetObject`).
    ///
    /// # Errors
    /// [`Error::is_absent`] where it does not exist, and those of [`Bucket::list`].
    pub fn read(&self, key: &str) -> Result<impl Read + Send + use<>, Error> {
        let response = self.send(&Operation {
            action: format!("reading `{key}`"),
            method: "GET",
            key,
            is_stream: true,
            ..Operation::default()
        })?;
        let body = response.into_body();
        let reader = body.into_with_config().limit(u64::MAX).reader();
        Ok(Download::new(reader, IDLE_TIMEOUT))
    }

    /// Writes an object with one request, and replaces one with the same key (API action
    /// `PutObject`).
    ///
    /// # Errors
    /// Those of [`Bucket::list`]. The new object is complete then, or the old state remains.
    pub fn put(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        self.put_with(key, content, &[])
    }

    /// Writes an object unless its key exists. A store without conditional writes replaces it.
    ///
    /// # Errors
    /// [`Error::is_taken`] where the key has other content, and those of [`Bucket::list`].
    pub fn put_new(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        match self.put_with(key, content, &[("if-none-match", "*")]) {
            Err(error) if error.is_unsupported() => self.put(key, content),
            // it may be the same object: the answer to the first attempt was lost
            Err(error) if error.is_taken() && self.has_content(key, content)? => Ok(()),
            result => result,
        }
    }

    fn has_content(&self, key: &str, content: &[u8]) -> Result<bool, Error> {
        let mut stored = Vec::new();
        let mut reader = self.read(key)?.take(content.len() as u64 + 1);
        Ok(reader.read_to_end(&mut stored).is_ok() && stored == content)
    }

    fn put_with(
        &self,
        key: &str,
        content: &[u8],
        headers: &[(&'static str, &'static str)],
    ) -> Result<(), Error> {
        self.send(&Operation {
            action: format!("writing `{key}`"),
            method: "PUT",
            key,
            headers,
            body: content,
            ..Operation::default()
        })
        .map(|_| ())
    }

    /// Returns the size of an object in bytes; `None` where it does not exist.
    ///
    /// # Errors
    /// Those of [`Bucket::list`].
    pub fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let mut objects = self.list(key)?.into_iter();
        let object = objects.find(|object| object.key == key);
        Ok(object.map(|object| object.size))
    }

    /// Removes an object (API action `DeleteObject`). A missing one is not an error.
    ///
    /// # Errors
    /// Those of [`Bucket::list`].
    pub fn remove(&self, key: &str) -> Result<(), Error> {
        let removed = self.send(&Operation {
            action: format!("removing `{key}`"),
            method: "DELETE",
            key,
            ..Operation::default()
        });
        match removed {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}
