//! `vault-certs renew`: creates a node's files where they are missing and replaces them where they
//! are due.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use nix::unistd::Group;
use zeroize::Zeroizing;
use zts_cli::{Failure, data, note};
use zts_secure_fs::{Folder, Guard, LARGEST_TEXT, Lock, LockKind, read_bounded, read_text_bounded};

use crate::{
    authority::{Authorities, Authority, PeriodAuthorities},
    bundle::{Bundle, to_pem},
    certificate::{CertificateRequest, IssuedCertificate},
    cli::Renew,
    file,
};

/// The paths of a node's files.
struct NodeFiles {
    chain: PathBuf,
    key: PathBuf,
    ca: PathBuf,
    /// A marker that exists while OpenBao has not reloaded changed files. After an interrupted run,
    /// the next one reloads.
    reload_marker: PathBuf,
}

/// Runs `vault-certs renew`. Prints `changed` or `unchanged`.
///
/// # Errors
/// The authority file is invalid, a file cannot be written, or the unit does not reload.
pub(crate) fn run(arguments: &Renew) -> Result<(), Failure> {
    let now = arguments.at.map_or_else(current_time, Ok)?;
    let group = arguments.group.as_deref().map(group_id).transpose()?;
    let files = NodeFiles::create_directory(&arguments.directory)?;
    let _lock = files.lock()?; // also for the creation of the authority file
    let authorities = Authorities::read(&arguments.authority, arguments.create_authority)?;
    // beyond a period, a client could have removed the CA that signed it
    let lifetime = arguments.lifetime.min(authorities.period());
    if lifetime.as_secs() == 0 {
        return Err(Failure::usage(
            "the lifetime of a certificate is at least a second",
        ));
    }
    let request = CertificateRequest::new(&arguments.name, &arguments.address, lifetime, now)?;
    let authorities = TrustedAuthorities::derive(authorities.at(&arguments.cluster, now)?)?;
    let issued = files.current_or_new(&request, &authorities)?;
    let contents = Contents {
        ca: authorities.bundle.to_pem(),
        chain: to_pem(&issued.certificate) + &authorities.links,
        key: issued.key,
        group,
    };
    let changed = files.replace(&contents, arguments.reload_unit.is_some())?;
    if let Some(unit) = &arguments.reload_unit {
        files.reload_if_marked(|| reload(unit))?;
    }
    data(if changed { "changed" } else { "unchanged" })
}

/// The contents of a node's files.
struct Contents {
    ca: String,
    key: Zeroizing<String>,
    group: Option<u32>,
    chain: String,
}

fn current_time() -> Result<u64, Failure> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .map_err(|_| Failure::failed("this machine's clock is before 1970").hint("set it"))
}

fn group_id(name: &str) -> Result<u32, Failure> {
    let group = Group::from_name(name).ok().flatten();
    group.map(|group| group.gid.as_raw()).ok_or_else(|| {
        Failure::usage(format!("there is no group `{name}`"))
            .hint("`--group` names the group that may read the private key")
    })
}

/// The CAs that clients trust in a period, and the certificates from which they learn the next
/// ones.
struct TrustedAuthorities {
    signer: Authority,
    bundle: Bundle,
    /// The certificates (PEM) of each CA from this period on, self-signed and signed by a CA that
    /// was trusted before.
    links: String,
}

impl TrustedAuthorities {
    fn derive(mut all: Vec<PeriodAuthorities>) -> Result<Self, Failure> {
        let mut bundle = Bundle::default();
        for authority in all
            .iter()
            .flat_map(|one| [&one.before, &one.now, &one.after])
        {
            bundle.add(authority.certificate()?.der().to_vec());
        }
        let signing = all.swap_remove(0);
        let mut links = String::new();
        let mut link = |next: &Authority, vouching: &Authority| -> Result<(), Failure> {
            links += &to_pem(next.signed_by(vouching)?.der());
            links += &to_pem(next.certificate()?.der());
            Ok(())
        };
        link(&signing.now, &signing.before)?;
        link(&signing.after, &signing.now)?;
        // The signing CA vouches for the CAs of the other secrets, which sign later.
        for other in &all {
            link(&other.now, &signing.now)?;
            link(&other.after, &signing.now)?;
        }
        Ok(Self {
            signer: signing.now,
            bundle,
            links,
        })
    }
}

impl NodeFiles {
    fn create_directory(directory: &Path) -> Result<Self, Failure> {
        Folder::create(directory, Guard::Strict, 0o755, 0o755)
            .map_err(|error| Failure::failed(&error))?;
        Ok(Self {
            chain: directory.join("chain.pem"),
            key: directory.join("key.pem"),
            ca: directory.join("ca.pem"),
            reload_marker: directory.join(".untold"),
        })
    }

    /// Locks the files against other runs, whose key and certificate would not fit together. Waits.
    fn lock(&self) -> Result<Lock, Failure> {
        let path = self.chain.with_file_name(".lock");
        let folder =
            Folder::open(self.folder(), Guard::Strict).map_err(|error| Failure::failed(&error))?;
        let locked = folder
            .open_lock_file(".lock")
            .and_then(|file| Lock::wait(file, LockKind::Exclusive));
        let locked = locked.map_err(|cause| file::unwritable(&path, &cause))?;
        folder.sweep_drafts(file::DRAFT_PREFIX);
        Ok(locked)
    }

    fn folder(&self) -> &Path {
        self.chain.parent().unwrap_or(Path::new("."))
    }

    /// Replaces the files that differ, and returns whether any did. With `mark_reload`, also
    /// creates the reload marker.
    fn replace(&self, contents: &Contents, mark_reload: bool) -> Result<bool, Failure> {
        // The bundle comes first, so that its readers trust the new chain. The key comes before the
        // chain, because OpenBao refuses a chain without its key and keeps the old ones. After a
        // crash in between, the next run replaces the rest.
        let all = [
            (&self.ca, contents.ca.as_bytes(), 0o644, None),
            (&self.key, contents.key.as_bytes(), 0o640, contents.group),
            (&self.chain, contents.chain.as_bytes(), 0o644, None),
        ];
        let is_current = all
            .iter()
            .all(|&(path, content, mode, group)| file::is_current(path, content, mode, group));
        if is_current {
            return Ok(false);
        }
        if mark_reload {
            file::replace(&self.reload_marker, b"", 0o600, None)?;
        }
        for (path, content, mode, group) in all {
            file::replace(path, content, mode, group)?;
        }
        Ok(true)
    }

    /// Reloads OpenBao after a change by this run or by an interrupted one.
    fn reload_if_marked(
        &self,
        reload: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let is_marked = self.reload_marker.try_exists();
        if !is_marked.map_err(|cause| file::unreadable(&self.reload_marker, &cause))? {
            return Ok(());
        }
        reload()?;
        fs::remove_file(&self.reload_marker)
            .and_then(|()| file::flush(self.folder()))
            .map_err(|cause| file::unwritable(&self.reload_marker, &cause))
    }

    /// Returns the existing certificate and key where they still fit the request, or else new ones.
    fn current_or_new(
        &self,
        request: &CertificateRequest,
        authorities: &TrustedAuthorities,
    ) -> Result<IssuedCertificate, Failure> {
        let reason = match self.read_current()? {
            Some(current) => {
                match request.reason_to_renew(
                    &current.certificate,
                    &current.key,
                    &authorities.signer,
                )? {
                    None => return Ok(current),
                    Some(reason) => reason,
                }
            }
            None => "there is none",
        };
        note(format_args!("a new certificate for OpenBao: {reason}"));
        request.issue(&authorities.signer)
    }

    /// Returns the certificate and the key, unless one is missing or damaged.
    fn read_current(&self) -> Result<Option<IssuedCertificate>, Failure> {
        let chain = read_if_usable(&self.chain, read_bounded)?;
        let key = read_if_usable(&self.key, read_text_bounded)?.map(Zeroizing::new);
        let chain = chain.and_then(|text| Bundle::parse(&text).ok());
        let certificate = chain.and_then(|chain| chain.certificates().first().cloned());
        let both = certificate.zip(key);
        Ok(both.map(|(certificate, key)| IssuedCertificate { certificate, key }))
    }
}

/// Reads a file. `None` where it is missing, too large, or not of text: it is replaced.
fn read_if_usable<T>(
    path: &Path,
    read: fn(&Path, u64) -> io::Result<T>,
) -> Result<Option<T>, Failure> {
    use io::ErrorKind::{FileTooLarge, InvalidData, NotFound};
    match read(path, LARGEST_TEXT) {
        Ok(content) => Ok(Some(content)),
        Err(cause) if matches!(cause.kind(), NotFound | FileTooLarge | InvalidData) => Ok(None),
        Err(cause) => Err(file::unreadable(path, &cause)),
    }
}

/// Reloads a running unit, without waiting: this program's own unit is ordered before OpenBao's, so
/// the reload comes after its end. A unit that does not run reads its certificates at its start.
fn reload(unit: &str) -> Result<(), Failure> {
    let systemctl = |arguments: &[&str]| {
        Command::new("systemctl")
            .args(arguments)
            .arg(unit)
            .status()
            .map_err(|cause| Failure::failed(format!("`systemctl` could not be started: {cause}")))
    };
    if !systemctl(&["is-active", "--quiet"])?.success() {
        return Ok(());
    }
    let status = systemctl(&["reload", "--no-block"])?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the certificates are renewed, but `{unit}` was not reloaded: {status}"
    ))
    .hint(format!(
        "`systemctl reload {unit}`; until then it uses the old ones"
    )))
}
