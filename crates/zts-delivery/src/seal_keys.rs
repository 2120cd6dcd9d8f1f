//! The keys that copies are sealed with.
//!
//! systemd-creds needs some milliseconds for a key, and about a second with a TPM, so the copies of
//! a host share one. Each copy has its key with it, encrypted by systemd-creds. A file `.seal-key`
//! beside the cache folders has the encrypted key for the next copies. If it is lost, the next copy
//! gets a new key, and no other copy changes.

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
use rustix::process::geteuid;
use zeroize::Zeroizing;
use zts_secure_fs::{Folder, Guard, parent_of};

use crate::{
    private_file::{Content, OptionalNote},
    systemd_creds::{self, LIMIT_OF_DECRYPTION, LIMIT_OF_ENCRYPTION, SealError},
};

/// The name of the file with the encrypted key for the next copies.
const FILE: &str = ".seal-key";

/// The age at which a key gets a successor. It may be better protected: by a TPM that the machine
/// got meanwhile.
const LONGEST_USE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The largest file that is read. More than a key that a TPM and a key file protect.
const LARGEST: u64 = 64 << 10;

/// The TPM, where systemd-creds may use it.
const TPM: &str = "/dev/tpmrm0";

/// The first bytes of a text that systemd-creds encrypted, which say with which key.
type Kind = [u8; 16];

/// Encrypted with an empty key, as anybody can do. systemd before version 256 decrypts it.
/// Source: `CRED_AES256_GCM_BY_NULL` of systemd's `creds-util.h`.
const BY_EMPTY_KEY: Kind = [
    0x05, 0x84, 0x69, 0xda, 0xf6, 0xf5, 0x43, 0x24, 0x80, 0x05, 0x49, 0xda, 0x0f, 0x8e, 0xa2, 0xfb,
];

/// Encrypted with the machine's key file alone.
/// Source: `CRED_AES256_GCM_BY_HOST` of systemd's `creds-util.h`.
const BY_KEY_FILE: Kind = [
    0x5a, 0x1c, 0x6a, 0x86, 0xdf, 0x9d, 0x40, 0x96, 0xb1, 0xd5, 0xa6, 0x5e, 0x08, 0x62, 0xf1, 0x9a,
];

/// A key of copies.
#[derive(Clone)]
pub(crate) struct SealKey {
    pub(crate) bytes: Arc<Zeroizing<[u8; 32]>>,
    /// The key, encrypted by systemd-creds, in base64.
    pub(crate) encrypted: String,
}

/// A key that is made or decrypted once, by the first thread that needs it.
type SharedKey = Arc<OnceLock<Result<SealKey, SealError>>>;

/// The keys that this process has used, so that it runs systemd-creds once for the copies that
/// share a key.
static USED: Mutex<Keys> = Mutex::new(Keys {
    decrypted: BTreeMap::new(),
    current: BTreeMap::new(),
});

struct Keys {
    /// Keys of copies, by their encrypted forms.
    decrypted: BTreeMap<String, SharedKey>,
    /// Keys for new copies, by the paths of `.seal-key`.
    current: BTreeMap<PathBuf, SharedKey>,
}

/// Decrypts the key of a copy.
pub(crate) fn decrypt(encrypted: &str) -> Result<SealKey, SealError> {
    let key = find_or_insert(|keys| &mut keys.decrypted, encrypted.to_owned());
    key.get_or_init(|| SealKey::decrypt(encrypted, LIMIT_OF_DECRYPTION))
        .clone()
}

/// Returns the key for new copies in a cache folder.
pub(crate) fn current(cache_folder: &Path) -> Result<SealKey, SealError> {
    let file = parent_of(cache_folder).join(FILE);
    let key = find_or_insert(|keys| &mut keys.current, file.clone());
    key.get_or_init(|| load_or_create(file)).clone()
}

/// Removes the file beside a cache folder, and the drafts of it that killed runs left. A run that
/// writes one now only has to make its key known anew.
pub(crate) fn remove(cache_folder: &Path) {
    if let Ok(folder) = Folder::open(parent_of(cache_folder), Guard::Strict) {
        folder.sweep_drafts(FILE);
    }
}

fn find_or_insert<K: Ord>(map: fn(&mut Keys) -> &mut BTreeMap<K, SharedKey>, key: K) -> SharedKey {
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

/// Decrypts the key in the file within the time for encrypting a new one, because a service waits
/// for both. `None` where there is no key for new copies.
fn load(note: &OptionalNote) -> Option<Result<SealKey, SealError>> {
    let Content { bytes, modified } = note.read(LARGEST)?;
    let age = SystemTime::now().duration_since(modified).ok()?;
    let encrypted = one_line(&bytes).filter(|_| age <= LONGEST_USE)?;
    if !is_for_new_copies(kind_of(&encrypted)?, Path::new(TPM).exists()) {
        return None;
    }
    let shared = find_or_insert(|keys| &mut keys.decrypted, encrypted.clone());
    if let Some(key) = shared.get() {
        return Some(key.clone());
    }
    let key = SealKey::decrypt(&encrypted, LIMIT_OF_ENCRYPTION);
    if key.is_ok() {
        let _ = shared.set(key.clone()); // unless another thread was faster
    }
    Some(key)
}

/// Returns whether new copies may have a key of this kind. Where there is a TPM, its protection
/// counts: the key file is on the disk, and somebody who writes there could replace both files.
fn is_for_new_copies(kind: Kind, has_tpm: bool) -> bool {
    kind != BY_EMPTY_KEY && !(has_tpm && kind == BY_KEY_FILE)
}

/// Returns the kind of a base64 text. `None` where it has other characters: systemd-creds would
/// skip spaces, and so decrypt another text than the one that is looked at here.
fn kind_of(encrypted: &str) -> Option<Kind> {
    let bytes = BASE64_STANDARD.decode(encrypted).ok()?;
    bytes.first_chunk().copied()
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

    fn decrypt(encrypted: &str, limit: Duration) -> Result<Self, SealError> {
        if kind_of(encrypted).ok_or(SealError::WrongKey)? == BY_EMPTY_KEY {
            return Err(SealError::EmptyKey);
        }
        let bytes = systemd_creds::decrypt(encrypted.as_bytes(), limit)?;
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
    let has_mode = |it: &fs::Metadata| it.is_dir() && it.mode().trailing_zeros() >= 6; // 0o077
    metadata.is_ok_and(|it| has_mode(&it) && it.uid() == geteuid().as_raw())
}

/// Returns a base64 text without its line breaks. `None` where it is not an encrypted key.
fn one_line(text: &[u8]) -> Option<String> {
    let line: String = str::from_utf8(text).ok()?.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(&line).ok()?;
    (bytes.len() > 32).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::{is_for_new_copies, kind_of};

    // the beginnings of what systemd-creds 252 prints
    const OF_KEY_FILE: &str = "Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAAABAAAAA=";
    const OF_EMPTY_KEY: &str = "BYRp2vb1QySABUnaD46i+yAAAAABAAAADAAAABAAAAA=";

    #[test]
    fn a_key_without_the_tpm_is_for_machines_without_one() {
        for (text, expected) in [(OF_KEY_FILE, [true, false]), (OF_EMPTY_KEY, [false; 2])] {
            let kind = kind_of(text).unwrap();
            let allowed = [false, true].map(|has_tpm| is_for_new_copies(kind, has_tpm));
            assert_eq!(allowed, expected, "{text}");
        }
    }
}
