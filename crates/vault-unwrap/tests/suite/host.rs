//! A new host with a wrapping token, and runs of the program on it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use openbao::{AppRoleCredentials, approle, wrapping};
pub(crate) use testkit::shared_server;
use testkit::{HostCredentials, Output, Proxy, Run, Running, ScratchDir, Server};

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A host that has just been made, and a folder in place of its disk.
pub(crate) struct NewHost {
    pub(crate) server: Arc<Server>,
    /// What its wrapping token wraps.
    pub(crate) credentials: HostCredentials,
    /// Its wrapping token, in the hands of whoever the test gives it to.
    pub(crate) token: String,
    pub(crate) name: String,
    folder: ScratchDir,
}

impl NewHost {
    /// A host of the shared server; the name is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        Self::on(shared_server(), name)
    }

    /// A host of a server that the test has for itself.
    pub(crate) fn on(server: impl Into<Arc<Server>>, name: &str) -> Self {
        let server = server.into();
        let credentials = server.add_host(name);
        let token = server.wrap_credentials(&credentials, LONG);
        Self {
            server,
            credentials,
            token,
            name: name.to_owned(),
            folder: testkit::scratch_dir(),
        }
    }

    /// A place on its disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where the credentials go.
    pub(crate) fn approle(&self) -> PathBuf {
        self.path("approle")
    }

    /// Its environment file.
    pub(crate) fn environment(&self) -> PathBuf {
        self.path("environment")
    }

    /// Writes its environment file; `@token@` stands for the token.
    pub(crate) fn write_environment(&self, text: &str) -> &Self {
        fs::write(self.environment(), text.replace("@token@", &self.token)).unwrap();
        self
    }

    /// Credentials that are there already.
    pub(crate) fn with_credentials(self, credentials: &HostCredentials) -> Self {
        fs::create_dir(self.approle()).unwrap();
        credentials.write_to(&self.approle());
        self
    }

    /// A run without a token.
    pub(crate) fn without_token(&self) -> Unwrap<'_> {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-unwrap"))
            .args(["--approle-dir".as_ref(), self.approle().as_os_str()])
            .args([
                "--environment-file".as_ref(),
                self.environment().as_os_str(),
            ]);
        Unwrap { host: self, run }.env("BAO_ADDR", self.server.address())
    }

    /// A run with its token in `VAULT_WRAPPED_TOKEN`.
    pub(crate) fn unwrap(&self) -> Unwrap<'_> {
        self.with_token(&self.token)
    }

    /// A run with any token in `VAULT_WRAPPED_TOKEN`.
    pub(crate) fn with_token(&self, token: &str) -> Unwrap<'_> {
        self.without_token().env("VAULT_WRAPPED_TOKEN", token)
    }

    /// The credentials that stand on its disk.
    pub(crate) fn stored(&self) -> Option<(String, String)> {
        let read = |name| fs::read_to_string(self.approle().join(name)).ok();
        Some((read("role-id")?, read("secret-id")?))
    }

    /// Exactly the pair that the token wraps is there, it works, and nothing of the way there is left.
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

    /// Whether what is stored is good for a login.
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

    /// Whether nobody used the token yet.
    pub(crate) fn token_is_unused(&self) -> bool {
        is_unused(&self.server, &self.token)
    }

    fn assert_discreet(&self, output: &Output) {
        let HostCredentials {
            role_id, secret_id, ..
        } = &self.credentials;
        for secret in [role_id, secret_id, &self.token] {
            let said = output.stdout.contains(secret) || output.stderr.contains(secret);
            assert!(!said, "the run says a secret:\n{output}");
        }
    }
}

/// Whether nobody used a wrapping token yet.
pub(crate) fn is_unused(server: &Server, token: &str) -> bool {
    wrapping::lookup(&server.anonymous_client(), &token.into()).is_ok()
}

/// The names in a folder, none where there is no folder.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A mode in octal, as `ls` shows it.
pub(crate) fn mode(path: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::symlink_metadata(path).unwrap().permissions().mode();
    format!("{:04o}", mode & 0o7777)
}

/// A run of the program, being put together.
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

    /// Asks these addresses in place of the server's own.
    pub(crate) fn address(self, address: impl AsRef<OsStr>) -> Self {
        self.env("BAO_ADDR", address)
    }

    /// Asks through a proxy.
    pub(crate) fn through(self, proxy: &Proxy) -> Self {
        self.address(proxy.address())
    }

    /// Gives up after this long.
    pub(crate) fn deadline(self, time: &str) -> Self {
        self.args(["--deadline", time])
    }

    /// Puts the credentials elsewhere.
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

    /// Runs it to its end, and sees that it says nothing secret.
    pub(crate) fn run(self) -> Output {
        let host = self.host;
        let output = self.start().finish();
        host.assert_discreet(&output);
        output
    }

    /// Runs it to its good end without a word.
    pub(crate) fn succeed(self) {
        let output = self.run();
        let quiet = output.stdout.is_empty() && output.stderr.is_empty();
        assert!(output.code() == Some(0) && quiet, "{output}");
    }

    pub(crate) fn start(self) -> Running {
        self.run.start()
    }
}
