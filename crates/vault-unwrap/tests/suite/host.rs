//! A new host with a wrapping token, and runs of the program on it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use zts_openbao::{AppRoleCredentials, approle, wrapping};
pub(crate) use zts_testkit::shared_server;
use zts_testkit::{
    FailingCall, HostCredentials, Proxy, Run, RunOutput, Running, ScratchDir, Server,
};

/// A time longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A new host, with a folder instead of its disk.
pub(crate) struct NewHost {
    pub(crate) server: Arc<Server>,
    /// The content of its wrapping token.
    pub(crate) credentials: HostCredentials,
    /// Its wrapping token.
    pub(crate) token: String,
    pub(crate) name: String,
    folder: ScratchDir,
}

impl NewHost {
    /// Creates a host of the shared server; each test has its own name.
    pub(crate) fn new(name: &str) -> Self {
        Self::on(shared_server(), name)
    }

    /// Creates a host of the test's own server.
    pub(crate) fn on(server: impl Into<Arc<Server>>, name: &str) -> Self {
        let server = server.into();
        let credentials = server.add_host(name);
        let token = server.wrap_credentials(&credentials, LONG);
        Self {
            server,
            credentials,
            token,
            name: name.to_owned(),
            folder: zts_testkit::scratch_dir(),
        }
    }

    /// Returns a path on its disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the folder for the credentials.
    pub(crate) fn approle(&self) -> PathBuf {
        self.path("approle")
    }

    /// Returns the path of its environment file.
    pub(crate) fn environment(&self) -> PathBuf {
        self.path("environment")
    }

    /// Writes its environment file, with the token in place of `@token@`.
    pub(crate) fn write_environment(&self, text: &str) -> &Self {
        fs::write(self.environment(), text.replace("@token@", &self.token)).unwrap();
        self
    }

    /// Stores credentials.
    pub(crate) fn with_credentials(self, credentials: &HostCredentials) -> Self {
        fs::create_dir(self.approle()).unwrap();
        credentials.write_to(&self.approle());
        self
    }

    /// Returns a run without a token.
    pub(crate) fn without_token(&self) -> Unwrap<'_> {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-unwrap"))
            .args(["--approle-dir".as_ref(), self.approle().as_os_str()])
            .args([
                "--environment-file".as_ref(),
                self.environment().as_os_str(),
            ]);
        Unwrap { host: self, run }.env("BAO_ADDR", self.server.address())
    }

    /// Returns a run with its token in `VAULT_WRAPPED_TOKEN`.
    pub(crate) fn unwrap(&self) -> Unwrap<'_> {
        self.with_token(&self.token)
    }

    /// Returns a run with any token in `VAULT_WRAPPED_TOKEN`.
    pub(crate) fn with_token(&self, token: &str) -> Unwrap<'_> {
        self.without_token().env("VAULT_WRAPPED_TOKEN", token)
    }

    /// Reads the credentials on its disk.
    pub(crate) fn stored(&self) -> Option<(String, String)> {
        let read = |name| fs::read_to_string(self.approle().join(name)).ok();
        Some((read("role-id")?, read("secret-id")?))
    }

    /// Asserts that the content of the token is stored, works, and that no draft is left.
    #[track_caller]
    pub(crate) fn assert_has_its_credentials(&self) {
        let HostCredentials {
            role_id, secret_id, ..
        } = &self.credentials;
        let stored = self.stored().expect("both files are there");
        assert_eq!(stored, (role_id.clone(), secret_id.clone()));
        assert!(self.can_log_in());
        assert!(!self.approle().join("unwrapped.json").exists());
    }

    /// Returns whether a login with the stored credentials succeeds.
    pub(crate) fn can_log_in(&self) -> bool {
        let Some((role_id, secret_id)) = self.stored() else {
            return false;
        };
        let pair = AppRoleCredentials {
            role_id: role_id.into(),
            secret_id: secret_id.into(),
        };
        approle::login(&self.server.anonymous_client(), "approle", &pair).is_ok()
    }

    /// Returns whether its token was not used yet.
    pub(crate) fn token_is_unused(&self) -> bool {
        is_unused(&self.server, &self.token)
    }

    fn assert_discreet(&self, output: &RunOutput) {
        let HostCredentials {
            role_id, secret_id, ..
        } = &self.credentials;
        for secret in [role_id, secret_id, &self.token] {
            let said = output.stdout.contains(secret) || output.stderr.contains(secret);
            assert!(!said, "the run says a secret:\n{output}");
        }
    }
}

/// Returns whether a wrapping token was not used yet.
pub(crate) fn is_unused(server: &Server, token: &str) -> bool {
    wrapping::lookup(&server.anonymous_client(), &token.into()).is_ok()
}

/// A run of the program that is being configured.
pub(crate) struct Unwrap<'a> {
    host: &'a NewHost,
    run: Run,
}

impl Unwrap<'_> {
    pub(crate) fn args<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.run = self.run.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.run = self.run.env(name, value);
        self
    }

    /// Uses these addresses instead of the server's own.
    pub(crate) fn address(self, address: impl AsRef<OsStr>) -> Self {
        self.env("BAO_ADDR", address)
    }

    /// Uses a proxy.
    pub(crate) fn through(self, proxy: &Proxy) -> Self {
        self.address(proxy.address())
    }

    /// Sets the deadline.
    pub(crate) fn deadline(self, time: &str) -> Self {
        self.args(["--deadline", time])
    }

    /// Makes one of its system calls fail.
    pub(crate) fn inject(mut self, failing: &FailingCall) -> Self {
        self.run = failing.inject(self.run);
        self
    }

    /// Stores the credentials in another folder.
    pub(crate) fn to(self, folder: &Path) -> Self {
        let host = self.host;
        let mut unwrap = host.without_token();
        unwrap.run = Run::new(env!("CARGO_BIN_EXE_vault-unwrap"))
            .args([
                "--environment-file".as_ref(),
                host.environment().as_os_str(),
            ])
            .args(["--approle-dir".as_ref(), folder.as_os_str()]);
        unwrap
            .address(host.server.address())
            .env("VAULT_WRAPPED_TOKEN", &host.token)
    }

    /// Runs the program, and asserts that its output has no secret.
    pub(crate) fn run(self) -> RunOutput {
        let host = self.host;
        let output = self.start().finish();
        host.assert_discreet(&output);
        output
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(crate) fn succeed(self) -> RunOutput {
        self.run().assert_success()
    }

    /// Runs the program, which must succeed without any output.
    #[track_caller]
    pub(crate) fn succeed_silently(self) {
        let output = self.succeed();
        let is_silent = output.stdout.is_empty() && output.stderr.is_empty();
        assert!(is_silent, "{output}");
    }

    /// Runs the program, which must fail with this exit status and `part` on stderr.
    #[track_caller]
    pub(crate) fn fail(self, code: i32, part: &str) -> RunOutput {
        self.run().assert_failure(code, part)
    }

    pub(crate) fn start(self) -> Running {
        self.run.start()
    }
}
