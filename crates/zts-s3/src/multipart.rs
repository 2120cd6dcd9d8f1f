//! Multipart uploads: objects that exist once all their parts are completed.

use std::time::SystemTime;

use serde::Deserialize;

use crate::{
    Bucket, Cause, Error,
    pages::PageLimits,
    request::{ErrorBody, Operation, parse_xml, read_text},
};

/// The longest upload id, and the longest tag of a part, in bytes.
const LONGEST_ID: usize = 1_024;

/// A multipart upload that is not completed.
#[derive(Clone, Debug, Deserialize)]
pub struct Upload {
    /// The key of the object.
    #[serde(rename = "Key")]
    pub key: String,
    /// The upload's id.
    #[serde(rename = "UploadId")]
    pub id: String,
    #[serde(rename = "Initiated", default)]
    initiated: String,
}

impl Upload {
    /// Returns the time of its beginning; `None` where the store does not tell.
    pub fn initiated_at(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339_weak(self.initiated.trim_end_matches('Z')).ok()
    }
}

#[derive(Deserialize)]
struct InitiatedUpload {
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
    /// Begins an upload (API action `CreateMultipartUpload`).
    ///
    /// # Errors
    /// A store that cannot be used, or that refuses the request.
    pub fn create_upload(&self, key: &str) -> Result<Upload, Error> {
        let initiated: InitiatedUpload = self.send_and_parse(&Operation {
            action: format!("writing `{key}`"),
            method: "POST",
            key,
            query: &[("uploads", "")],
            ..Operation::default()
        })?;
        if initiated.id.len() > LONGEST_ID {
            let cause = Cause::BadReply("the id of an upload is too long".to_owned());
            return Err(self.error("writing", cause));
        }
        Ok(Upload {
            key: key.to_owned(),
            id: initiated.id,
            initiated: String::new(),
        })
    }

    /// Uploads part `number` (from 1), and returns its tag (API action `UploadPart`).
    ///
    /// # Errors
    /// Those of [`Bucket::create_upload`].
    pub fn put_part(&self, upload: &Upload, number: u32, content: &[u8]) -> Result<String, Error> {
        let operation = Operation {
            action: format!("writing part {number} of `{}`", upload.key),
            method: "PUT",
            key: &upload.key,
            query: &[
                ("partNumber", &number.to_string()),
                ("uploadId", &upload.id),
            ],
            body: content,
            ..Operation::default()
        };
        self.send_and_read(&operation, |response| {
            let tag = response.headers().get("etag");
            let tag = tag.and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned);
            tag.filter(|tag| tag.len() <= LONGEST_ID)
                .ok_or_else(|| Cause::BadReply("a part has no tag".to_owned()))
        })
    }

    /// Joins the parts with these tags to the object (API action `CompleteMultipartUpload`).
    ///
    /// # Errors
    /// Those of [`Bucket::create_upload`].
    pub fn complete(&self, upload: &Upload, tags: &[String]) -> Result<(), Error> {
        let parts = tags.iter().zip(1..).map(|(tag, number)| {
            let tag = quick_xml::escape::escape(tag);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        });
        let parts: String = parts.collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let operation = Operation {
            action: format!("completing `{}`", upload.key),
            method: "POST",
            key: &upload.key,
            query: &[("uploadId", &upload.id)],
            body: body.as_bytes(),
            ..Operation::default()
        };
        // a store may answer with status 200 before it has joined the parts, and report an error in
        // the body
        self.send_and_read(&operation, |response| {
            let text = read_text(response)?;
            if !text.contains("<Error>") {
                return Ok(());
            }
            let error: ErrorBody = parse_xml(&text)?;
            Err(error.into_cause(500))
        })
    }

    /// Aborts an upload and removes its parts (API action `AbortMultipartUpload`). A missing one is
    /// not an error.
    ///
    /// # Errors
    /// Those of [`Bucket::create_upload`].
    pub fn abort(&self, upload: &Upload) -> Result<(), Error> {
        let aborted = self.send(&Operation {
            action: format!("giving up `{}`", upload.key),
            method: "DELETE",
            key: &upload.key,
            query: &[("uploadId", &upload.id)],
            ..Operation::default()
        });
        match aborted {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }

    /// Lists the uploads whose keys begin with `prefix` (API action `ListMultipartUploads`).
    ///
    /// # Errors
    /// Those of [`Bucket::create_upload`].
    pub fn uploads(&self, prefix: &str) -> Result<Vec<Upload>, Error> {
        let action = "listing uploads";
        let mut all = Vec::new();
        let (mut key, mut id) = (String::new(), String::new());
        let mut limits = PageLimits::new(self.settings.retry_timeout);
        loop {
            let mut query = vec![("uploads", ""), ("prefix", prefix)];
            if !key.is_empty() {
                query.extend([
                    ("key-marker", key.as_str()),
                    ("upload-id-marker", id.as_str()),
                ]);
            }
            let page: Uploads = self.send_and_parse(&Operation {
                action: action.to_owned(),
                method: "GET",
                query: &query,
                ..Operation::default()
            })?;
            (key, id) = (
                page.next_key.filter(|_| page.truncated).unwrap_or_default(),
                page.next_id.unwrap_or_default(),
            );
            let is_last = key.is_empty();
            let next = [key.as_str(), id.as_str()];
            let uploads = page.list.iter();
            let texts = uploads.flat_map(|upload| [upload.key.as_str(), upload.id.as_str()]);
            limits
                .check_page(texts, (!is_last).then_some(next.as_slice()))
                .map_err(|cause| self.error(action, cause))?;
            all.extend(page.list);
            if is_last {
                return Ok(all);
            }
        }
    }
}
