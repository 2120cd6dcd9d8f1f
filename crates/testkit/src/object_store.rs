//! A real store of objects that knows S3's API: versitygw, on a folder.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use crate::{
    Certificates, ScratchDir,
    port::Port,
    process::{Process, server_command},
    program, scratch_dir, wait_for,
};

/// A store on a free port of 127.0.0.1 with one bucket, `backups`. It ends on `Drop`.
#[derive(Debug)]
pub struct ObjectStore {
    port: Port,
    folder: PathBuf,
    certificates: Option<Certificates>,
    process: Option<Process>,
    scratch: ScratchDir,
}

/// The store's only key.
const KEY_ID: &str = "test-key";
const SECRET: &str = "test-secret-of-the-store";

/// The `versitygw` to test with: the environment variable `VERSITYGW`, else `PATH`, else what `tools/setup`
/// put into the project's cache folder.
pub fn versitygw() -> Option<PathBuf> {
    program::find("versitygw", "VERSITYGW")
}

impl ObjectStore {
    /// A store without TLS on a folder of its own.
    pub fn start() -> Self {
        Self::on(None, None)
    }

    /// A store that shows a certificate of an authority of its own.
    pub fn start_with_tls() -> Self {
        Self::on(None, Some(Certificates::new()))
    }

    /// A store that keeps its objects in `folder`.
    pub fn start_in(folder: &Path) -> Self {
        Self::on(Some(folder), None)
    }

    fn on(folder: Option<&Path>, certificates: Option<Certificates>) -> Self {
        let scratch = scratch_dir();
        let folder = folder.map_or_else(|| scratch.join("objects"), Path::to_owned);
        fs::create_dir_all(folder.join("backups")).expect("a bucket is made");
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
        let program = versitygw().expect("a `versitygw` to test with");
        let mut command = server_command(&program, &self.scratch, "log");
        command
            .args(["--access", KEY_ID, "--secret", SECRET, "--quiet"])
            .args(["--port", &self.port.address().to_string()]);
        if let Some(certificates) = &self.certificates {
            let files = certificates.server();
            command.arg("--cert").arg(files.certificate);
            command.arg("--key").arg(files.key);
        }
        let sidecar = self.scratch.join("attributes"); // not every file system has extended attributes
        fs::create_dir_all(&sidecar).expect("a folder for attributes is made");
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

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Where it listens: `http://127.0.0.1:<port>`, or `https`.
    pub fn address(&self) -> String {
        let scheme = if self.certificates.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.port.address())
    }

    /// The bucket with a prefix, as `vault-snapshot --s3` takes it, by way of `address`.
    pub fn location_at(&self, address: &str) -> String {
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

    /// The same, at its own address.
    pub fn location(&self) -> String {
        self.location_at(&self.address())
    }

    /// The file with its key, as AWS's tools have it.
    pub fn credentials(&self) -> PathBuf {
        self.scratch.join("credentials")
    }

    /// The CA certificate that vouches for it; `None` without TLS.
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.certificates.as_ref().map(Certificates::authority)
    }

    /// The folder that holds what is below the bucket's prefix `openbao`.
    pub fn objects(&self) -> PathBuf {
        self.folder.join("backups/openbao")
    }
}
