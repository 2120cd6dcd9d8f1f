//! A real object store with the S3 API: versitygw, which stores objects in a folder.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use crate::{
    certificates::CertificateAuthority,
    port::Port,
    process::{Process, server_command},
    program::find_program,
    scratch::{ScratchDir, scratch_dir},
    wait::wait_for,
};

/// An object store on a free port of 127.0.0.1 with the bucket `backups`. `Drop` ends it.
#[derive(Debug)]
pub struct ObjectStore {
    port: Port,
    folder: PathBuf,
    certificates: Option<CertificateAuthority>,
    process: Option<Process>,
    scratch: ScratchDir,
}

/// The id and the secret of the store's only key.
const KEY_ID: &str = "test-key";
const SECRET: &str = "test-secret-of-the-store";

/// Finds `versitygw`: the file that the environment variable `VERSITYGW` names, else the one on
/// `PATH`, else the one that `tools/setup` put into the project's cache folder.
pub fn find_versitygw() -> Option<PathBuf> {
    find_program("versitygw")
}

impl ObjectStore {
    /// Starts a store without TLS and with its own folder.
    pub fn start() -> Self {
        Self::start_with(None, None)
    }

    /// Starts a store with TLS and its own certificate authority.
    pub fn start_with_tls() -> Self {
        Self::start_with(None, Some(CertificateAuthority::new()))
    }

    /// Starts a store with its objects in `folder`.
    pub fn start_in(folder: &Path) -> Self {
        Self::start_with(Some(folder), None)
    }

    fn start_with(folder: Option<&Path>, certificates: Option<CertificateAuthority>) -> Self {
        let scratch = scratch_dir();
        let folder = folder.map_or_else(|| scratch.join("objects"), Path::to_owned);
        fs::create_dir_all(folder.join("backups")).expect("a bucket is created");
        fs::write(
            scratch.join("credentials"),
            format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"),
        )
        .expect("the credentials are written");
        let mut store = Self {
            port: Port::free(),
            folder,
            certificates,
            process: None,
            scratch,
        };
        store.launch();
        store
    }

    /// Starts it, unless it runs.
    ///
    /// # Panics
    /// Without `versitygw`, and where it does not start.
    pub fn launch(&mut self) {
        if self.process.is_some() {
            return;
        }
        let program = find_versitygw().expect("a `versitygw` to test with");
        let mut command = server_command(&program, &self.scratch, "log");
        command
            .args(["--access", KEY_ID, "--secret", SECRET, "--quiet"])
            .args(["--port", &self.port.address().to_string()]);
        if let Some(certificates) = &self.certificates {
            let files = certificates.issue();
            command.arg("--cert").arg(files.certificate);
            command.arg("--key").arg(files.key);
        }
        let sidecar = self.scratch.join("attributes"); // some file systems have no extended attributes
        fs::create_dir_all(&sidecar).expect("a folder for attributes is created");
        command
            .arg("posix")
            .arg("--sidecar")
            .arg(sidecar)
            .arg(&self.folder);
        self.process = Some(Process::start(command).expect("`versitygw` starts"));
        wait_for("the store answers", || {
            TcpStream::connect(self.port.address()).ok()
        });
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Returns its address: `http://127.0.0.1:<port>`, or `https` with TLS.
    pub fn address(&self) -> String {
        let scheme = if self.certificates.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.port.address())
    }

    /// Returns the bucket with a prefix for `vault-snapshot --s3`, reached through `address`.
    pub fn location_through(&self, address: &str) -> String {
        let credentials = self.credentials();
        let mut url = format!(
            "{address}/backups/openbao?credentials={}",
            credentials.display()
        );
        if let Some(authority) = self.ca_certificate() {
            url.push_str("&ca=");
            url.push_str(&authority.display().to_string());
        }
        url
    }

    /// Returns the bucket with a prefix for `vault-snapshot --s3`.
    pub fn location(&self) -> String {
        self.location_through(&self.address())
    }

    /// Returns the secret part of its key.
    pub fn secret_key(&self) -> &'static str {
        SECRET
    }

    /// Returns the file with its key in the format of AWS's tools.
    pub fn credentials(&self) -> PathBuf {
        self.scratch.join("credentials")
    }

    /// Returns the CA certificate that clients trust, or `None` without TLS.
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.certificates
            .as_ref()
            .map(CertificateAuthority::ca_certificate)
    }

    /// Returns the folder with the objects below the bucket's prefix `openbao`.
    pub fn objects_dir(&self) -> PathBuf {
        self.folder.join("backups/openbao")
    }
}
