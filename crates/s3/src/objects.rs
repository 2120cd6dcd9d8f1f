//! Objects: listing, reading, writing, removing.

use std::{io::Read, time::Duration};

use openbao::Download;
use serde::Deserialize;

use crate::{Bucket, Error, exchange::Ask, pages::Pages};

/// How long a store may be silent in the middle of an object.
const SILENCE: Duration = Duration::from_secs(60);

/// What a listing tells of an object.
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
    /// The objects whose keys begin with `prefix` (API action `ListObjectsV2`).
    ///
    /// # Errors
    /// A store that cannot be used, or that refuses.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let what = "listing";
        let (mut all, mut token) = (Vec::new(), None::<String>);
        let mut pages = Pages::new(self.settings.patience);
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", prefix)];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let listing: Listing = self.send_for(&Ask {
                what: what.to_owned(),
                method: "GET",
                query: &query,
                ..Ask::default()
            })?;
            token = listing.next.filter(|token| !token.is_empty());
            let keys = listing.contents.iter().map(|object| object.key.as_str());
            let next = token.as_deref().map(|token| [token]);
            pages
                .take(keys, next.as_ref().map(<[_; 1]>::as_slice))
                .map_err(|why| self.bad_reply(what, why))?;
            all.extend(listing.contents);
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// An object's bytes as they come in (API action `GetObject`).
    ///
    /// # Errors
    /// [`Error::is_absent`] where there is none, and as for [`Bucket::list`].
    pub fn read(&self, key: &str) -> Result<impl Read + Send + use<>, Error> {
        let response = self.send(&Ask {
            what: format!("reading `{key}`"),
            method: "GET",
            key,
            endless: true,
            ..Ask::default()
        })?;
        let body = response.into_body();
        let reader = body.into_with_config().limit(u64::MAX).reader();
        Ok(Download::new(reader, SILENCE))
    }

    /// Puts an object there at once, in the place of one that has its key (API action `PutObject`).
    ///
    /// # Errors
    /// As for [`Bucket::list`]. Then it is there whole, as it was, or not at all.
    pub fn put(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        self.put_with(key, content, &[])
    }

    /// Puts an object there unless there is one of its key. A store that cannot tell puts it there.
    ///
    /// # Errors
    /// [`Error::is_taken`] where there is another one, and as for [`Bucket::list`].
    pub fn put_new(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        match self.put_with(key, content, &[("if-none-match", "*")]) {
            Err(error) if error.is_unknown() => self.put(key, content),
            // It may be this one: the answer to the first try was lost.
            Err(error) if error.is_taken() && self.holds(key, content)? => Ok(()),
            put => put,
        }
    }

    fn holds(&self, key: &str, content: &[u8]) -> Result<bool, Error> {
        let mut there = Vec::new();
        let reader = self.read(key)?.take(content.len() as u64 + 1);
        Ok({ reader }.read_to_end(&mut there).is_ok() && there == content)
    }

    fn put_with(
        &self,
        key: &str,
        content: &[u8],
        headers: &[(&'static str, &'static str)],
    ) -> Result<(), Error> {
        self.send(&Ask {
            what: format!("writing `{key}`"),
            method: "PUT",
            key,
            headers,
            body: content,
            ..Ask::default()
        })
        .map(|_| ())
    }

    /// How large an object is; nothing where there is none.
    ///
    /// # Errors
    /// As for [`Bucket::list`].
    pub fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let mut found = self.list(key)?.into_iter();
        let object = found.find(|object| object.key == key);
        Ok(object.map(|object| object.size))
    }

    /// Removes an object (API action `DeleteObject`); one that is not there is no error.
    ///
    /// # Errors
    /// As for [`Bucket::list`].
    pub fn remove(&self, key: &str) -> Result<(), Error> {
        let removed = self.send(&Ask {
            what: format!("removing `{key}`"),
            method: "DELETE",
            key,
            ..Ask::default()
        });
        match removed {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}
