//! Objects in parts: they are there only when they are completed.

use std::time::SystemTime;

use serde::Deserialize;

use crate::{
    Bucket, Error, Trouble,
    exchange::{Ask, Refusal, parse},
    pages::Pages,
};

/// The longest id of an upload and tag of a part, in bytes.
const LONGEST_ID: usize = 1_024;

/// An object of which parts are there.
#[derive(Clone, Debug, Deserialize)]
pub struct Upload {
    /// The key that it will have.
    #[serde(rename = "Key")]
    pub key: String,
    /// Which of the uploads for that key.
    #[serde(rename = "UploadId")]
    pub id: String,
    #[serde(rename = "Initiated", default)]
    initiated: String,
}

impl Upload {
    /// When it was begun, where the store says so.
    pub fn begun(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339_weak(self.initiated.trim_end_matches('Z')).ok()
    }
}

#[derive(Deserialize)]
struct Begun {
    #[serde(rename = "UploadId")]
    id: String,
}

#[derive(Deserialize)]
pub(crate) struct Uploads {
    #[serde(rename = "Upload", default)]
    list: Vec<Upload>,
    #[serde(rename = "NextKeyMarker", default)]
    next_key: Option<String>,
    #[serde(rename = "NextUploadIdMarker", default)]
    next_id: Option<String>,
    #[serde(rename = "IsTruncated", default)]
    truncated: bool,
}

impl Bucket {
    /// Begins an object (API action `CreateMultipartUpload`).
    ///
    /// # Errors
    /// A store that cannot be used, or that refuses.
    pub fn begin(&self, key: &str) -> Result<Upload, Error> {
        let begun: Begun = self.send_for(&Ask {
            what: format!("writing `{key}`"),
            method: "POST",
            key,
            query: &[("uploads", "")],
            ..Ask::default()
        })?;
        if begun.id.len() > LONGEST_ID {
            return Err(self.bad_reply("writing", "the id of an upload is too long".to_owned()));
        }
        Ok(Upload {
            key: key.to_owned(),
            id: begun.id,
            initiated: String::new(),
        })
    }

    /// Puts part `number` (from 1) there, and gives its tag (API action `UploadPart`).
    ///
    /// # Errors
    /// As for [`Bucket::begin`].
    pub fn put_part(&self, upload: &Upload, number: u32, content: &[u8]) -> Result<String, Error> {
        let ask = Ask {
            what: format!("writing part {number} of `{}`", upload.key),
            method: "PUT",
            key: &upload.key,
            query: &[
                ("partNumber", &number.to_string()),
                ("uploadId", &upload.id),
            ],
            body: content,
            ..Ask::default()
        };
        self.repeat(&ask, |response| {
            let tag = response.headers().get("etag");
            let tag = tag.and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned);
            tag.filter(|tag| tag.len() <= LONGEST_ID)
                .ok_or_else(|| Trouble::BadReply("a part has no tag".to_owned()))
        })
    }

    /// Makes the parts with these tags the object (API action `CompleteMultipartUpload`).
    ///
    /// # Errors
    /// As for [`Bucket::begin`].
    pub fn complete(&self, upload: &Upload, tags: &[String]) -> Result<(), Error> {
        let parts = tags.iter().zip(1..).map(|(tag, number)| {
            let tag = quick_xml::escape::escape(tag);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        });
        let parts: String = parts.collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let ask = Ask {
            what: format!("completing `{}`", upload.key),
            method: "POST",
            key: &upload.key,
            query: &[("uploadId", &upload.id)],
            body: body.as_bytes(),
            ..Ask::default()
        };
        // A store may begin its answer before it knows, and put an error into one of status 200.
        self.repeat(&ask, |response| {
            let text = crate::exchange::text(response)?;
            if !text.contains("<Error>") {
                return Ok(());
            }
            let refusal: Refusal = parse(&text)?;
            Err(refusal.into_trouble(500))
        })
    }

    /// Gives an upload and its parts up (API action `AbortMultipartUpload`); one that is gone is no error.
    ///
    /// # Errors
    /// As for [`Bucket::begin`].
    pub fn abort(&self, upload: &Upload) -> Result<(), Error> {
        let aborted = self.send(&Ask {
            what: format!("giving up `{}`", upload.key),
            method: "DELETE",
            key: &upload.key,
            query: &[("uploadId", &upload.id)],
            ..Ask::default()
        });
        match aborted {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }

    /// The uploads that are not completed, for keys that begin with `prefix` (API action
    /// `ListMultipartUploads`).
    ///
    /// # Errors
    /// As for [`Bucket::begin`].
    pub fn uploads(&self, prefix: &str) -> Result<Vec<Upload>, Error> {
        let what = "listing uploads";
        let mut all = Vec::new();
        let (mut key, mut id) = (String::new(), String::new());
        let mut pages = Pages::new(self.settings.patience);
        loop {
            let mut query = vec![("uploads", ""), ("prefix", prefix)];
            if !key.is_empty() {
                query.extend([
                    ("key-marker", key.as_str()),
                    ("upload-id-marker", id.as_str()),
                ]);
            }
            let page: Uploads = self.send_for(&Ask {
                what: what.to_owned(),
                method: "GET",
                query: &query,
                ..Ask::default()
            })?;
            (key, id) = (
                page.next_key.filter(|_| page.truncated).unwrap_or_default(),
                page.next_id.unwrap_or_default(),
            );
            let ends = key.is_empty();
            let next = [key.as_str(), id.as_str()];
            let of_page = page.list.iter();
            let texts = of_page.flat_map(|upload| [upload.key.as_str(), upload.id.as_str()]);
            pages
                .take(texts, (!ends).then_some(next.as_slice()))
                .map_err(|why| self.bad_reply(what, why))?;
            all.extend(page.list);
            if ends {
                return Ok(all);
            }
        }
    }
}
