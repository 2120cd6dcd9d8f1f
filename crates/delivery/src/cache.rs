//! The copy on disk for the day OpenBao cannot be used.
//!
//! One file, `secret.json`, in a folder that only this user may enter. It names the secret it is of,
//! and carries a digest, so that a damaged copy or another secret's is never handed to a service.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use openbao::{SecretMap, kv};
use ring::digest::{SHA256, digest};
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::{
    error::Error,
    workplace::{make_private, open_private, refuse_others},
};

/// The largest file that is read: OpenBao's largest answer, with each character escaped.
const LARGEST_COPY: u64 = 256 << 20;

/// Where one secret's copy is kept.
pub struct Cache {
    folder: PathBuf,
    /// Which secret: namespace, mount and path.
    identity: String,
}

/// A secret as it was when OpenBao last gave it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Copy {
    secret: String,
    /// The version's number, from 1.
    pub version: u64,
    created_time: String,
    /// Its keys and values.
    pub values: SecretMap,
}

/// What there is in place of OpenBao.
#[derive(Debug)]
pub enum Found {
    /// A copy, and how long ago OpenBao confirmed it.
    Copy(Copy, Duration),
    /// Nothing.
    Nothing,
    /// Something that must not be used, and why.
    Unusable(String),
    /// A copy of another secret.
    OfAnother(String),
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    sha256: String,
    #[serde(borrow)]
    copy: &'a RawValue,
}

impl Cache {
    /// The cache in `folder` for the secret that `identity` names in full.
    pub fn new(folder: PathBuf, identity: String) -> Self {
        Self { folder, identity }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("secret.json")
    }

    /// What is written before it becomes the file.
    fn draft(&self) -> PathBuf {
        self.folder.join("secret.json.new")
    }

    /// Reads the copy and checks that it is whole and of the right secret.
    pub fn read(&self) -> Found {
        let path = self.file();
        let no_surprise = OFlags::NOFOLLOW | OFlags::NONBLOCK; // no link, and no pipe to wait for
        let mut file = match OpenOptions::new()
            .read(true)
            .custom_flags(no_surprise.bits().cast_signed())
            .open(&path)
        {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(cause) => {
                return Found::Unusable(format!("`{}` cannot be read: {cause}", path.display()));
            }
        };
        match check(&mut file) {
            Ok((copy, _)) if copy.secret != self.identity => Found::OfAnother(format!(
                "`{}` is of another secret: `{}`",
                path.display(),
                copy.secret
            )),
            Ok((copy, age)) => Found::Copy(copy, age),
            Err(reason) => Found::Unusable(format!("`{}` {reason}", path.display())),
        }
    }

    /// Keeps `secret`. A copy of the same version is only marked as confirmed now, without waiting
    /// for the disk.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn keep(&self, secret: &kv::Secret) -> Result<(), Error> {
        let io_error = |doing| move |cause: io::Error| Error::io(doing, &self.file(), cause);
        refuse_others(&self.folder)?;
        fs::create_dir_all(self.folder.parent().unwrap_or(Path::new("/")))
            .map_err(io_error("make the folder of"))?;
        make_private(&self.folder).map_err(io_error("make the folder of"))?;
        let folder = self.lock()?;
        if self.confirm(secret).unwrap_or(false) {
            return Ok(());
        }
        let text = self
            .text(secret)
            .map_err(|cause| io_error("write")(cause.into()))?;
        self.replace(&text, &folder).map_err(io_error("write"))
    }

    /// Marks the copy as confirmed now if it is the same; whether it is.
    fn confirm(&self, secret: &kv::Secret) -> io::Result<bool> {
        let Found::Copy(copy, _) = self.read() else {
            return Ok(false);
        };
        let same = copy.version == secret.metadata.version
            && copy.created_time == secret.metadata.created_time
            && copy.values == secret.values;
        if same {
            File::open(self.file())?.set_modified(SystemTime::now())?;
        }
        Ok(same)
    }

    fn text(&self, secret: &kv::Secret) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let copy = Copy {
            secret: self.identity.clone(),
            version: secret.metadata.version,
            created_time: secret.metadata.created_time.clone(),
            values: secret.values.clone(),
        };
        let copy = serde_json::value::to_raw_value(&copy)?;
        serde_json::to_vec(&Sealed {
            sha256: sha256(copy.get()),
            copy: &copy,
        })
        .map(Zeroizing::new)
    }

    /// Writes the file whole or not at all; the caller holds the lock, so one name for the draft will do.
    fn replace(&self, text: &[u8], folder: &File) -> io::Result<()> {
        let draft = self.draft();
        let _ = fs::remove_file(&draft); // a killed run's
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(text)?;
                file.sync_all()
            });
        let renamed = written.and_then(|()| fs::rename(&draft, self.file()));
        if renamed.is_err() {
            let _ = fs::remove_file(&draft);
        }
        renamed.and_then(|()| folder.sync_all())
    }

    /// Takes the copy away: its secret is gone from the server. A copy of another secret stays.
    ///
    /// # Errors
    /// A place that cannot or must not be written to, and what the system refuses.
    pub fn forget(&self) -> Result<(), Error> {
        if !self.folder.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        if matches!(self.read(), Found::OfAnother(_)) {
            return Ok(());
        }
        for path in [self.draft(), self.file()] {
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, cause));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets one run at a time write, until what this gives is dropped.
    fn lock(&self) -> Result<File, Error> {
        let folder = open_private(&self.folder)?;
        flock(&folder, FlockOperation::LockExclusive)
            .map_err(|cause| Error::io("lock", &self.folder, cause))?;
        Ok(folder)
    }
}

fn check(file: &mut File) -> Result<(Copy, Duration), String> {
    let metadata = file.metadata().map_err(|cause| cause.to_string())?;
    if !metadata.is_file() || metadata.len() > LARGEST_COPY {
        return Err("is no copy of a secret".to_owned());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err("may be changed by other users".to_owned());
    }
    let mut text = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len()).unwrap_or(0) + 1,
    ));
    file.read_to_end(&mut text)
        .map_err(|cause| format!("cannot be read: {cause}"))?;
    let copy = parse(&text).ok_or("is damaged")?;
    let confirmed = metadata.modified().map_err(|cause| cause.to_string())?;
    Ok((
        copy,
        SystemTime::now()
            .duration_since(confirmed)
            .unwrap_or_default(),
    ))
}

fn parse(text: &[u8]) -> Option<Copy> {
    let sealed: Sealed<'_> = serde_json::from_slice(text).ok()?;
    if sealed.sha256 != sha256(sealed.copy.get()) {
        return None;
    }
    serde_json::from_str(sealed.copy.get()).ok()
}

fn sha256(text: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}
