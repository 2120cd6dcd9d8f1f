//! A node's files: made where they are missing, replaced where they are due.

use std::{
    fs::{self, File},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use cli::{Failure, data, note};
use nix::unistd::Group;
use rustix::fs::{FlockOperation, flock};
use secure_fs::{Folder, Guard, LARGEST_TEXT, read_bounded, read_text_bounded};
use zeroize::Zeroizing;

use crate::{
    authority::{Authorities, Authority, Trio},
    bundle::{self, Bundle},
    certificate::{Issued, Wanted},
    cli::Renew,
    file,
};

/// Where a node's files are.
struct Files {
    chain: PathBuf,
    key: PathBuf,
    ca: PathBuf,
    /// There while OpenBao has not been told of what changed: a run that ends before it did leaves that to
    /// the next.
    untold: PathBuf,
}

/// Makes or replaces what is due, and has OpenBao reload where something changed. Says `changed` or
/// `unchanged`.
///
/// # Errors
/// An authority file that is none, files that cannot be written, a unit that does not reload.
pub(crate) fn renew(arguments: &Renew) -> Result<(), Failure> {
    let now = arguments.at.map_or_else(clock, Ok)?;
    let group = arguments.group.as_deref().map(group).transpose()?;
    let files = Files::below(&arguments.directory)?;
    let _lock = files.lock()?; // also of the authority file: two runs at once must not make two
    let authorities = Authorities::read(&arguments.authority, arguments.create_authority)?;
    let lifetime = arguments.lifetime.min(authorities.period()); // or clients could meet a CA that they dropped
    if lifetime.as_secs() == 0 {
        return Err(Failure::usage("a certificate lasts at least a second"));
    }
    let wanted = Wanted::new(&arguments.name, &arguments.address, lifetime, now)?;
    let all = Trusted::derive(authorities.at(&arguments.cluster, now)?)?;
    let issued = files.current_or_new(&wanted, &all)?;
    let contents = Contents {
        ca: all.bundle.text(),
        chain: bundle::text(&issued.certificate) + &all.links,
        key: issued.key,
        group,
    };
    let changed = files.put(&contents, arguments.reload_unit.is_some())?;
    if let Some(unit) = &arguments.reload_unit {
        files.told(|| reload(unit))?;
    }
    data(if changed { "changed" } else { "unchanged" })
}

/// What is to be in a node's files.
struct Contents {
    ca: String,
    key: Zeroizing<String>,
    group: Option<u32>,
    chain: String,
}

fn clock() -> Result<u64, Failure> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .map_err(|_| Failure::failed("this machine's clock stands before 1970").hint("set it"))
}

fn group(name: &str) -> Result<u32, Failure> {
    let found = Group::from_name(name).ok().flatten();
    found.map(|group| group.gid.as_raw()).ok_or_else(|| {
        Failure::usage(format!("there is no group `{name}`"))
            .hint("`--group` is the one that may read the private key")
    })
}

/// What clients trust in a period, and what they can learn it from.
struct Trusted {
    signer: Authority,
    bundle: Bundle,
    /// PEM: each CA from this period on, signed by itself and by one that was trusted before.
    links: String,
}

impl Trusted {
    fn derive(mut all: Vec<Trio>) -> Result<Self, Failure> {
        let mut bundle = Bundle::default();
        for authority in all
            .iter()
            .flat_map(|trio| [&trio.before, &trio.now, &trio.after])
        {
            bundle.add(authority.certificate()?.der().to_vec());
        }
        let signing = all.swap_remove(0);
        let mut links = String::new();
        let mut link = |next: &Authority, vouching: &Authority| -> Result<(), Failure> {
            links += &bundle::text(next.signed_by(vouching)?.der());
            links += &bundle::text(next.certificate()?.der());
            Ok(())
        };
        link(&signing.now, &signing.before)?;
        link(&signing.after, &signing.now)?;
        // Another secret's CAs, before their time: the one that signs now vouches for them.
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

impl Files {
    fn below(directory: &Path) -> Result<Self, Failure> {
        Folder::make(directory, Guard::Strict, 0o755, 0o755)
            .map_err(|error| Failure::failed(&error))?;
        Ok(Self {
            chain: directory.join("chain.pem"),
            key: directory.join("key.pem"),
            ca: directory.join("ca.pem"),
            untold: directory.join(".untold"),
        })
    }

    /// Of two runs at once the second waits: the key of one and the certificate of another are no pair.
    fn lock(&self) -> Result<File, Failure> {
        let path = self.chain.with_file_name(".lock");
        let locked = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| {
                flock(&file, FlockOperation::LockExclusive)?;
                Ok(file)
            });
        let locked = locked.map_err(|cause| file::unwritable(&path, &cause))?;
        file::sweep(self.folder());
        Ok(locked)
    }

    fn folder(&self) -> &Path {
        self.chain.parent().unwrap_or(Path::new("."))
    }

    /// Writes what differs, and says whether something did; `tell` when OpenBao is to be told of it.
    fn put(&self, contents: &Contents, tell: bool) -> Result<bool, Failure> {
        // The bundle first: whoever reads it now trusts what is shown a moment later. Then the key, for
        // OpenBao refuses a chain without its key and goes on with the old ones; a crash in between is
        // healed by the next run.
        let all = [
            (&self.ca, contents.ca.as_bytes(), 0o644, None),
            (&self.key, contents.key.as_bytes(), 0o640, contents.group),
            (&self.chain, contents.chain.as_bytes(), 0o644, None),
        ];
        let mut each = all.iter();
        if each.all(|&(path, content, mode, group)| file::is_so(path, content, mode, group)) {
            return Ok(false);
        }
        if tell {
            file::put(&self.untold, b"", 0o600, None)?;
        }
        for (path, content, mode, group) in all {
            file::put(path, content, mode, group)?;
        }
        Ok(true)
    }

    /// Tells OpenBao of what changed now, or when a run before this one ended too early.
    fn told(&self, tell: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        if !self.untold.exists() {
            return Ok(());
        }
        tell()?;
        fs::remove_file(&self.untold)
            .and_then(|()| file::flush(self.folder()))
            .map_err(|cause| file::unwritable(&self.untold, &cause))
    }

    /// The certificate and key that are there, where they are still what is wanted.
    fn current_or_new(&self, wanted: &Wanted, all: &Trusted) -> Result<Issued, Failure> {
        let objection = match self.current() {
            Some(current) => {
                match wanted.objection(&current.certificate, &current.key, &all.signer)? {
                    None => return Ok(current),
                    Some(objection) => objection,
                }
            }
            None => "there is none",
        };
        note(format_args!("a new certificate for OpenBao: {objection}"));
        wanted.issue(&all.signer)
    }

    fn current(&self) -> Option<Issued> {
        let chain = Bundle::parse(&read_bounded(&self.chain, LARGEST_TEXT).ok()?).ok()?;
        Some(Issued {
            certificate: chain.certificates().first()?.clone(),
            key: read_text_bounded(&self.key, LARGEST_TEXT)
                .map(Zeroizing::new)
                .ok()?,
        })
    }
}

/// Has a unit that runs read its certificates again; one that does not run reads them when it starts. It is
/// not waited for: this program's own unit comes before OpenBao's, and the reload after it has ended.
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
        "`systemctl reload {unit}`; until then it shows the old ones"
    )))
}
