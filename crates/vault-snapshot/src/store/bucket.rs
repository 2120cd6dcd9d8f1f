//! Snapshots in a store that knows S3.

use std::{
    io::Read,
    time::{Duration, SystemTime},
};

use cli::{Failure, warn};
use s3::{Bucket, Error, Object};

use super::{Listed, Look, Place, location};
use crate::{
    draft::Draft,
    metadata::{self, ENDING, Metadata},
    moment::Moment,
};

/// A part of a large snapshot: all that is held in memory of it at a time, in bytes.
const PART: u64 = 16 << 20;
/// S3 takes no more parts than 10,000.
const MOST_PARTS: u64 = 9_000;
/// Another host may be at work in the same bucket: what is younger may be its.
const SETTLED: Duration = Duration::from_secs(24 * 60 * 60);

/// A bucket, and where in it snapshots are.
pub(crate) struct S3 {
    bucket: Bucket,
    prefix: String,
}

impl S3 {
    /// The place that a value of `--s3` names. It does not connect.
    ///
    /// # Errors
    /// A value that makes no sense, files that cannot be read.
    pub(crate) fn open(text: &str, patience: Duration) -> Result<Self, Failure> {
        let location = location::read(text, patience)?;
        if let Some(host) = without_tls(&location.settings.endpoint) {
            warn(format_args!(
                "the store at `{host}` is reached without TLS: whoever listens sees what is stored there, and can change it"
            ));
        }
        let bucket = Bucket::new(location.settings).map_err(|cause| {
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

    /// The objects that stand directly behind the prefix, by their names.
    fn objects(&self) -> Result<Vec<(String, Object)>, Failure> {
        let objects = self
            .bucket
            .list(&self.prefix)
            .map_err(|error| failed(&error))?;
        let named = objects.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix(&self.prefix)?.to_owned();
            (!name.contains('/')).then_some((name, object))
        });
        Ok(named.collect())
    }

    fn upload(&self, draft: &Draft, key: &str) -> Result<(), Failure> {
        let size = draft.stored.size;
        let part = PART.max(size.div_ceil(MOST_PARTS));
        let unreadable = |cause: &std::io::Error| {
            Failure::failed(format!(
                "`{}` could not be read: {cause}",
                draft.path().display()
            ))
        };
        let mut file = draft.open().map_err(|cause| unreadable(&cause))?;
        let mut next = |buffer: &mut Vec<u8>| {
            buffer.clear();
            let read = (&mut file).take(part).read_to_end(buffer);
            read.map_err(|cause| unreadable(&cause))
        };
        let room = usize::try_from(part.min(size)).unwrap_or_default();
        let mut buffer = Vec::with_capacity(room + 1);
        if size <= part {
            next(&mut buffer)?;
            return self
                .bucket
                .put(key, &buffer)
                .map_err(|error| failed(&error));
        }
        let upload = self.bucket.begin(key).map_err(|error| failed(&error))?;
        let mut put_all = || {
            let mut tags = Vec::new();
            while next(&mut buffer)? > 0 {
                let number = u32::try_from(tags.len() + 1).unwrap_or(u32::MAX);
                let tag = self.bucket.put_part(&upload, number, &buffer);
                tags.push(tag.map_err(|error| failed(&error))?);
            }
            let completed = self.bucket.complete(&upload, &tags);
            completed.map_err(|error| failed(&error))
        };
        let uploaded = put_all();
        // Parts cost money until somebody removes them. Where that fails, a later run does it.
        let _ = self.give_up(key);
        uploaded
    }

    /// Gives up what is begun for a key, also where the answer that told of it was lost.
    fn give_up(&self, key: &str) -> Result<(), Error> {
        let uploads = self.bucket.uploads(key)?.into_iter();
        for upload in uploads.filter(|upload| upload.key == key) {
            self.bucket.abort(&upload)?;
        }
        Ok(())
    }

    fn sweep_uploads(&self) -> Result<(), Error> {
        let long_ago = SystemTime::now() - SETTLED;
        for upload in self.bucket.uploads(&self.prefix)? {
            let name = upload.key.strip_prefix(&self.prefix);
            let ours = name.is_some_and(|name| metadata::moment_of(name).is_some());
            if ours && upload.begun().is_some_and(|begun| begun < long_ago) {
                self.bucket.abort(&upload)?;
            }
        }
        Ok(())
    }
}

impl Place for S3 {
    fn shown(&self) -> String {
        format!(
            "{}/{}",
            self.bucket.url(),
            self.prefix.trim_end_matches('/')
        )
        .trim_end_matches('/')
        .to_owned()
    }

    fn look(&self) -> Result<Look, Failure> {
        let objects = self.objects()?.into_iter();
        Ok(Look::of(objects.map(|(name, object)| (name, object.size))))
    }

    fn named(&self, name: &str) -> Result<Option<Listed>, Failure> {
        let mut objects = self.objects()?.into_iter();
        let found = objects.find(|(other, _)| other == name);
        Ok(found.map(|(name, object)| Listed::of_any_name(name, object.size, Moment::now())))
    }

    fn metadata(&self, name: &str) -> Result<Option<Metadata>, Failure> {
        let key = self.key(&format!("{name}{ENDING}"));
        match self.bucket.read(&key) {
            Ok(reader) => Metadata::read(reader).map_err(|cause| {
                Failure::failed(format!(
                    "`{key}` could not be read from {}: {cause}",
                    self.shown()
                ))
            }),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, Failure> {
        let reader = self.bucket.read(&self.key(name));
        Ok(Box::new(reader.map_err(|error| failed(&error))?))
    }

    fn put(&self, draft: &Draft, metadata: &Metadata) -> Result<(), Failure> {
        let name = metadata.name();
        let (key, beside) = (self.key(&name), self.key(&format!("{name}{ENDING}")));
        let description = serde_json::to_vec_pretty(metadata).unwrap_or_default();
        self.bucket
            .put_new(&beside, &description)
            .map_err(|error| {
                if error.is_taken() {
                    return Failure::failed(format!(
                        "{} has a snapshot of this cluster and second already",
                        self.shown()
                    ))
                    .hint("does another host save into it, too?");
                }
                failed(&error)
            })?;
        let uploaded = self.upload(draft, &key);
        // What counts is what is there: the answer to a request that was carried out may have been lost.
        match self.bucket.size(&key) {
            Ok(Some(size)) if size == draft.stored.size => Ok(()),
            Ok(Some(size)) => Err(Failure::failed(format!(
                "`{key}` has {size} bytes in {}, and not {}",
                self.shown(),
                draft.stored.size
            ))),
            Ok(None) => {
                let _ = self.bucket.remove(&beside); // a later run would do it, too
                let gone = format!("`{key}` was written to {}, and is not there", self.shown());
                uploaded.and(Err(Failure::failed(gone)))
            }
            Err(error) => uploaded.and(Err(failed(&error))),
        }
    }

    fn remove(&self, name: &str) -> Result<(), Failure> {
        let remove = |key: &str| self.bucket.remove(key).map_err(|error| failed(&error));
        remove(&self.key(name))?;
        remove(&self.key(&format!("{name}{ENDING}")))
    }

    fn holds(&self, _stem: &str) -> bool {
        false
    }

    fn sweep(&self) -> Result<(), Failure> {
        let objects = self.objects()?;
        let oldest_young = Moment::now().seconds().saturating_sub(SETTLED.as_secs());
        for (name, object) in &objects {
            let Some(of) = name.strip_suffix(ENDING) else {
                continue;
            };
            let settled =
                metadata::moment_of(of).is_some_and(|moment| moment.seconds() < oldest_young);
            if settled && !objects.iter().any(|(other, _)| other == of) {
                self.bucket
                    .remove(&object.key)
                    .map_err(|error| failed(&error))?;
            }
        }
        self.sweep_uploads().map_err(|error| failed(&error))
    }
}

/// The host of an endpoint that is neither reached with TLS nor on this machine.
fn without_tls(endpoint: &str) -> Option<&str> {
    let host = endpoint.strip_prefix("http://")?;
    let here = ["127.", "[::1]", "localhost"];
    (!here.iter().any(|here| host.starts_with(here))).then_some(host)
}

fn failed(error: &Error) -> Failure {
    let failure = Failure::failed(error);
    if error.is_denied() {
        return failure.hint("the credentials, the region (`region=NAME` behind `?`) and the clock must be right, and the key needs the right to get, put, list and delete");
    }
    failure
}
