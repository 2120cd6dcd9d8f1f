//! A backend in a bucket of an S3 store.

use std::{
    io::{self, Read},
    time::{Duration, SystemTime},
};

use zts_cli::{Failure, warn};
use zts_s3::{Bucket, Error, Object};

use super::{
    backend::{Backend, ListedSnapshot, Listing},
    location::Location,
    work::Draft,
};
use crate::{
    description::{DESCRIPTION_SUFFIX, Description, timestamp_in_name},
    timestamp::Timestamp,
};

/// The least size of a part of a large snapshot in bytes. One part is in memory at a time.
const PART_SIZE: u64 = 16 << 20;
/// The limit of parts of an upload. S3's own is 10,000.
const MAX_PARTS: u64 = 9_000;
/// The least age of leftovers that are removed. Younger ones may belong to another host's running
/// upload.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A bucket, and the prefix of the snapshots in it.
pub(super) struct BucketBackend {
    bucket: Bucket,
    /// Empty, or ending in `/`.
    prefix: String,
}

impl BucketBackend {
    /// Returns the bucket that a value of `--s3` names. Does not connect.
    ///
    /// # Errors
    /// The value is invalid, or a file that it names cannot be read.
    pub(super) fn open(text: &str, timeout: Duration) -> Result<Self, Failure> {
        let location = Location::parse(text)?;
        if let Some(host) = host_without_tls(&location.endpoint) {
            warn(format_args!(
                "the store at `{host}` is used without TLS: others on the network can read and change the snapshots"
            ));
        }
        let bucket = Bucket::new(location.settings(timeout)?).map_err(|cause| {
            Failure::usage(cause).hint("name the store's CA certificate with `ca=FILE` behind `?`")
        })?;
        Ok(Self {
            bucket,
            prefix: location.prefix,
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Lists the objects directly behind the prefix, by their names.
    fn list_objects(&self) -> Result<Vec<(String, Object)>, Failure> {
        let objects = self
            .bucket
            .list(&self.prefix)
            .map_err(|error| failure(&error))?;
        let named = objects.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix(&self.prefix)?.to_owned();
            (!name.contains('/')).then_some((name, object))
        });
        Ok(named.collect())
    }

    fn upload(&self, draft: &Draft, key: &str) -> Result<(), Failure> {
        let size = draft.stored.size;
        let part_size = PART_SIZE.max(size.div_ceil(MAX_PARTS));
        let unreadable = |cause: &io::Error| {
            Failure::failed(format!(
                "`{}` could not be read: {cause}",
                draft.path().display()
            ))
        };
        let mut file = draft.open().map_err(|cause| unreadable(&cause))?;
        let mut read_part = |buffer: &mut Vec<u8>| {
            buffer.clear();
            let read = (&mut file).take(part_size).read_to_end(buffer);
            read.map_err(|cause| unreadable(&cause))
        };
        let room = usize::try_from(part_size.min(size)).unwrap_or_default();
        let mut buffer = Vec::with_capacity(room + 1);
        let failed = |error: Error| failure(&error);
        if size <= part_size {
            read_part(&mut buffer)?;
            return self.bucket.put(key, &buffer).map_err(failed);
        }
        let upload = self.bucket.create_upload(key).map_err(failed)?;
        let mut put_parts = || {
            let mut tags = Vec::new();
            while read_part(&mut buffer)? > 0 {
                let number = u32::try_from(tags.len() + 1).unwrap_or(u32::MAX);
                let tag = self.bucket.put_part(&upload, number, &buffer);
                tags.push(tag.map_err(failed)?);
            }
            self.bucket.complete(&upload, &tags).map_err(failed)
        };
        let uploaded = put_parts();
        // Parts of unfinished uploads cost money. Where removing them fails, a later run does it.
        let _ = self.abort_uploads(key);
        uploaded
    }

    /// Aborts unfinished uploads of a key, also those whose answer was lost.
    fn abort_uploads(&self, key: &str) -> Result<(), Error> {
        let uploads = self.bucket.uploads(key)?.into_iter();
        for upload in uploads.filter(|upload| upload.key == key) {
            self.bucket.abort(&upload)?;
        }
        Ok(())
    }

    /// Aborts old unfinished uploads of snapshots.
    fn abort_old_uploads(&self) -> Result<(), Error> {
        let limit = SystemTime::now() - LEFTOVER_AGE;
        for upload in self.bucket.uploads(&self.prefix)? {
            let name = upload.key.strip_prefix(&self.prefix);
            let is_snapshot = name.is_some_and(|name| timestamp_in_name(name).is_some());
            if is_snapshot && upload.initiated_at().is_some_and(|started| started < limit) {
                self.bucket.abort(&upload)?;
            }
        }
        Ok(())
    }
}

impl Backend for BucketBackend {
    fn display_name(&self) -> String {
        format!(
            "{}/{}",
            self.bucket.url(),
            self.prefix.trim_end_matches('/')
        )
        .trim_end_matches('/')
        .to_owned()
    }

    fn list_files(&self) -> Result<Listing, Failure> {
        let objects = self.list_objects()?.into_iter();
        let files = objects.map(|(name, object)| (name, object.size));
        Ok(Listing::from_files(files))
    }

    fn find_file(&self, name: &str) -> Result<Option<ListedSnapshot>, Failure> {
        let mut objects = self.list_objects()?.into_iter();
        let found = objects.find(|(other, _)| other == name);
        Ok(found.map(|(name, object)| {
            ListedSnapshot::with_any_name(name, object.size, Timestamp::now())
        }))
    }

    fn read_description(&self, name: &str) -> Result<Option<Description>, Failure> {
        let key = self.key(&format!("{name}{DESCRIPTION_SUFFIX}"));
        match self.bucket.read(&key) {
            Ok(reader) => Description::read(reader).map_err(|cause| {
                Failure::failed(format!(
                    "`{key}` could not be read from {}: {cause}",
                    self.display_name()
                ))
            }),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(failure(&error)),
        }
    }

    fn open_snapshot(&self, name: &str) -> Result<Box<dyn Read + Send>, Failure> {
        let reader = self.bucket.read(&self.key(name));
        Ok(Box::new(reader.map_err(|error| failure(&error))?))
    }

    fn put_snapshot(&self, draft: &Draft, description: &Description) -> Result<(), Failure> {
        let name = description.name();
        let key = self.key(&name);
        let description_key = self.key(&format!("{name}{DESCRIPTION_SUFFIX}"));
        self.bucket
            .put_new(&description_key, &description.to_json())
            .map_err(|error| {
                if error.is_taken() {
                    return Failure::failed(format!(
                        "{} already has a snapshot of this cluster and second",
                        self.display_name()
                    ))
                    .hint("does another host save into it as well?");
                }
                failure(&error)
            })?;
        let uploaded = self.upload(draft, &key);
        // The stored object counts, because the answer to a successful request may have been lost.
        match self.bucket.size(&key) {
            Ok(Some(size)) if size == draft.stored.size => Ok(()),
            Ok(Some(size)) => Err(Failure::failed(format!(
                "`{key}` has {size} bytes in {}, instead of {}",
                self.display_name(),
                draft.stored.size
            ))),
            Ok(None) => {
                let _ = self.bucket.remove(&description_key); // else a later run does it
                let gone = format!(
                    "`{key}` was written to {}, but is missing there",
                    self.display_name()
                );
                uploaded.and(Err(Failure::failed(gone)))
            }
            Err(error) => uploaded.and(Err(failure(&error))),
        }
    }

    fn remove_snapshot(&self, name: &str) -> Result<(), Failure> {
        let remove = |key: &str| self.bucket.remove(key).map_err(|error| failure(&error));
        remove(&self.key(name))?;
        remove(&self.key(&format!("{name}{DESCRIPTION_SUFFIX}")))
    }

    fn has_stem(&self, _stem: &str) -> bool {
        false
    }

    fn remove_leftovers(&self) -> Result<(), Failure> {
        let objects = self.list_objects()?;
        let limit = Timestamp::now()
            .seconds()
            .saturating_sub(LEFTOVER_AGE.as_secs());
        for (name, object) in &objects {
            let Some(snapshot) = name.strip_suffix(DESCRIPTION_SUFFIX) else {
                continue;
            };
            let is_old =
                timestamp_in_name(snapshot).is_some_and(|timestamp| timestamp.seconds() < limit);
            if is_old && !objects.iter().any(|(other, _)| other == snapshot) {
                self.bucket
                    .remove(&object.key)
                    .map_err(|error| failure(&error))?;
            }
        }
        self.abort_old_uploads().map_err(|error| failure(&error))
    }
}

/// Returns the host of an endpoint without TLS, unless it is this machine.
fn host_without_tls(endpoint: &str) -> Option<&str> {
    let host = endpoint.strip_prefix("http://")?;
    let local = ["127.", "[::1]", "localhost"];
    (!local.iter().any(|local| host.starts_with(local))).then_some(host)
}

fn failure(error: &Error) -> Failure {
    let failure = Failure::failed(error);
    if error.is_denied() {
        return failure.hint("the credentials, the region (`region=NAME` behind `?`) and the clock must be right, and the key needs the right to get, put, list and delete");
    }
    failure
}
