//! A real object store with the S3 API: versitygw, which stores objects in a folder.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use md5::{Digest as _, Md5};

use crate::{
    certificates::CertificateAuthority,
    port::Port,
    process::{Process, server_command},
    program::find_program,
    run::Run,
    scratch::{ScratchDir, scratch_dir},
    wait::wait_for,
};

/// An object store on a free port of 127.0.0.1 with the bucket `backups`. `Drop` ends it.
#[derive(Debug)]
pub struct ObjectStore {
    port: Port,
    folder: PathBuf,
    certificates: Option<CertificateAuthority>,
    has_object_lock: bool,
    process: Option<Process>,
    scratch: ScratchDir,
}

/// The retention that [`ObjectStore::start_with_object_lock`] sets (API reference,
/// `PutObjectLockConfiguration`): nobody can remove a version for a day.
const RETENTION: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
    <Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>\
    </ObjectLockConfiguration>";

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
        Self::start_with(None, None, false)
    }

    /// Starts a store whose bucket keeps all versions, each locked for a day. Needs `curl`.
    ///
    /// # Panics
    /// The store refuses the settings.
    pub fn start_with_object_lock() -> Self {
        let store = Self::start_with(None, None, true);
        let enabled = ["x-amz-bucket-object-lock-enabled: true"];
        let (status, answer) = store.request_with("PUT", "", "", &enabled);
        assert_eq!(status, 200, "{answer}");
        let (status, answer) = store.request("PUT", "?object-lock=", RETENTION);
        assert_eq!(status, 200, "{answer}");
        store
    }

    /// Starts a store with TLS and its own certificate authority.
    pub fn start_with_tls() -> Self {
        Self::start_with(None, Some(CertificateAuthority::new()), false)
    }

    /// Starts a store with its objects in `folder`.
    pub fn start_in(folder: &Path) -> Self {
        Self::start_with(Some(folder), None, false)
    }

    fn start_with(
        folder: Option<&Path>,
        certificates: Option<CertificateAuthority>,
        has_object_lock: bool,
    ) -> Self {
        let scratch = scratch_dir();
        let folder = folder.map_or_else(|| scratch.join("objects"), Path::to_owned);
        // a bucket is a folder; only a request can make one with object lock
        let bucket = if has_object_lock { "" } else { "backups" };
        fs::create_dir_all(folder.join(bucket)).expect("a bucket is created");
        fs::write(
            scratch.join("credentials"),
            format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"),
        )
        .expect("the credentials are written");
        let mut store = Self {
            port: Port::free(),
            folder,
            certificates,
            has_object_lock,
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
        command.arg("posix").arg("--sidecar").arg(sidecar);
        if self.has_object_lock {
            let versions = self.scratch.join("versions");
            fs::create_dir_all(&versions).expect("a folder for versions is created");
            command.arg("--versioning-dir").arg(versions);
        }
        command.arg(&self.folder);
        self.process = Some(Process::start(command).expect("`versitygw` starts"));
        wait_for("the store answers", || {
            TcpStream::connect(self.port.address()).ok()
        });
    }

    /// Sends a request to the bucket as somebody with its key, and returns the status and the
    /// body. `path` is what follows the bucket's name, such as `?versions=`. Needs `curl`.
    ///
    /// # Panics
    /// `curl` fails.
    pub fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let digest = BASE64_STANDARD.encode(Md5::digest(body));
        self.request_with(method, path, body, &[&format!("content-md5: {digest}")])
    }

    fn request_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[&str],
    ) -> (u16, String) {
        let mut run = Run::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--aws-sigv4",
                "aws:amz:us-east-1:s3",
            ])
            .args(["--user", &format!("{KEY_ID}:{SECRET}"), "--request", method])
            .args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
            .args(["--data-binary", "@-", "--write-out", "\n%{http_code}"])
            .arg(format!("{}/backups{path}", self.address()))
            .stdin(body);
        for header in headers {
            run = run.args(["--header", header]);
        }
        let output = run.run();
        let (answer, status) = output.stdout.rsplit_once('\n').unwrap_or_default();
        let status = status.parse().ok().filter(|status| *status != 0);
        let status = status.unwrap_or_else(|| panic!("no answer: {output}"));
        (status, answer.to_owned())
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
