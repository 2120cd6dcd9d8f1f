//! The keys that copies are sealed with.
//!
//! systemd-creds needs some milliseconds for a key, and about a second with a TPM, so the copies of
//! a host share one. Each copy has its key with it, encrypted by systemd-creds: a file `.seal-key`
//! beside the cache folders only names the key for the next copies, and its loss costs nothing.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;
use zts_secure_fs::parent_of;

use crate::{
    private_file::{Content, OptionalNote},
    systemd_creds::{self, SealError},
};

/// The name of the file with the encrypted key for the next copies.
pub(crate) const FILE: &str = ".seal-key";

/// The age at which a key gets a successor. It may be better protected: by a TPM that the machine
/// got meanwhile.
const LONGEST_USE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The largest file that is read. More than a key that a TPM and a key file protect.
const LARGEST: u64 = 64 << 10;

/// The kind of encryption with an empty key, with which encrypted texts begin that anybody can
/// make. systemd before version 256 decrypts them.
/// Source: `CRED_AES256_GCM_BY_NULL` of systemd's `creds-util.h`.
const EMPTY_KEY: [u8; 16] = [
    0x05, 0x84, 0x69, 0xda, 0xf6, 0xf5, 0x43, 0x24, 0x80, 0x05, 0x49, 0xda, 0x0f, 0x8e, 0xa2, 0xfb,
];

/// A key of copies.
#[derive(Clone)]
pub(crate) struct SealKey {
    pub(crate) bytes: Arc<Zeroizing<[u8; 32]>>,
    /// The key, encrypted by systemd-creds, in base64.
    pub(crate) encrypted: String,
}

/// A key that is made or decrypted once, by the first thread that needs it.
type Once = Arc<OnceLock<Result<SealKey, SealError>>>;

/// The keys that this process has used, so that it runs systemd-creds once for the copies that
/// share a key.
static USED: Mutex<Keys> = Mutex::new(Keys {
    decrypted: BTreeMap::new(),
    current: BTreeMap::new(),
});

struct Keys {
    /// Keys of copies, by their encrypted forms.
    decrypted: BTreeMap<String, Once>,
    /// Keys for new copies, by the files that name them.
    current: BTreeMap<PathBuf, Once>,
}

/// Decrypts the key of a copy.
pub(crate) fn decrypt(encrypted: &str) -> Result<SealKey, SealError> {
    let once = once(|keys| &mut keys.decrypted, encrypted.to_owned());
    once.get_or_init(|| SealKey::decrypt(encrypted)).clone()
}

/// Returns the key for new copies in a cache folder.
pub(crate) fn current(cache_folder: &Path) -> Result<SealKey, SealError> {
    let file = parent_of(cache_folder).join(FILE);
    let once = once(|keys| &mut keys.current, file.clone());
    once.get_or_init(|| load_or_create(file)).clone()
}

fn once<K: Ord>(map: fn(&mut Keys) -> &mut BTreeMap<K, Once>, key: K) -> Once {
    let mut keys = USED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(map(&mut keys).entry(key).or_default())
}

fn load_or_create(file: PathBuf) -> Result<SealKey, SealError> {
    let is_shared = is_private(parent_of(&file));
    let note = OptionalNote::new(file, 0o700);
    match is_shared.then(|| load(&note)).flatten() {
        // it would not encrypt a new key sooner
        Some(key @ (Ok(_) | Err(SealError::Timeout { .. }))) => return key,
        Some(Err(error)) => tracing::debug!(%error, "the key for new copies is replaced"),
        None => {}
    }
    let key = SealKey::create()?;
    if is_shared {
        note.write(key.encrypted.as_bytes());
    }
    Ok(key)
}

fn load(note: &OptionalNote) -> Option<Result<SealKey, SealError>> {
    let Content { bytes, modified } = note.read(LARGEST)?;
    let age = SystemTime::now().duration_since(modified).ok()?;
    let encrypted = one_line(&bytes).filter(|_| age <= LONGEST_USE)?;
    Some(decrypt(&encrypted))
}

impl SealKey {
    fn create() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let random = SystemRandom::new().fill(bytes.as_mut_slice());
        random.map_err(|_| SealError::WrongKey)?;
        let encrypted = systemd_creds::encrypt(bytes.as_slice())?;
        Ok(Self {
            bytes: Arc::new(bytes),
            encrypted: one_line(&encrypted).ok_or(SealError::InvalidOutput)?,
        })
    }

    fn decrypt(encrypted: &str) -> Result<Self, SealError> {
        let kind = BASE64_STANDARD.decode(encrypted);
        if kind.is_ok_and(|bytes| bytes.starts_with(&EMPTY_KEY)) {
            return Err(SealError::EmptyKey);
        }
        let bytes = systemd_creds::decrypt(encrypted.as_bytes())?;
        let bytes = bytes.as_slice().try_into();
        Ok(Self {
            bytes: Arc::new(Zeroizing::new(bytes.map_err(|_| SealError::WrongKey)?)),
            encrypted: encrypted.to_owned(),
        })
    }
}

/// Returns whether only this user can enter the folder. Others hold more than cache folders.
fn is_private(folder: &Path) -> bool {
    let metadata = fs::symlink_metadata(folder);
    metadata.is_ok_and(|it| it.is_dir() && it.mode().trailing_zeros() >= 6)
}

/// Returns a base64 text without its line breaks. `None` where it is not an encrypted key.
fn one_line(text: &[u8]) -> Option<String> {
    let line: String = str::from_utf8(text).ok()?.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(&line).ok()?;
    (bytes.len() > 32).then_some(line)
}
