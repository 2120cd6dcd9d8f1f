//! A host with a secret, and runs of the program on it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
pub(crate) use zts_testkit::shared_server;
use zts_testkit::{
    Cluster, DnsServer, EnrolledHost, FailingCall, HostCredentials, Proxy, Run, RunOutput, Running,
    ScratchDir, Server,
};

/// A host with one secret.
pub(crate) struct Host {
    enrolled: EnrolledHost,
    /// The values that no run may print.
    secrets: Mutex<Vec<String>>,
}

impl Deref for Host {
    type Target = EnrolledHost;

    fn deref(&self) -> &EnrolledHost {
        &self.enrolled
    }
}

impl Host {
    /// Creates a host on the shared server. Each test has a name of its own.
    pub(crate) fn new(name: &str) -> Self {
        Self::on(shared_server(), name)
    }

    /// Creates a host on another server.
    pub(crate) fn on(server: impl Into<Arc<Server>>, name: &str) -> Self {
        let enrolled = EnrolledHost::new(server, name);
        let HostCredentials {
            role_id, secret_id, ..
        } = enrolled.credentials.clone();
        Self {
            enrolled,
            secrets: Mutex::new(vec![role_id, secret_id]),
        }
    }

    /// Returns the host, on a server that answers as HashiCorp Vault does.
    pub(crate) fn on_vault(mut self) -> Self {
        self.enrolled.use_vault();
        self
    }

    /// Returns the path of the secret.
    pub(crate) fn secret(&self) -> String {
        format!("hosts/{}/db", self.name)
    }

    /// Writes a new version of the secret.
    pub(crate) fn put(&self, values: &Value) -> &Self {
        self.server.put_secret(&self.secret(), values);
        self.forbid(values);
        self
    }

    /// Adds the strings of `values` to those that no run may print.
    pub(crate) fn forbid(&self, values: &Value) {
        match values {
            Value::String(text) if text.len() >= 6 => {
                let start = text.chars().take(40).collect();
                self.secrets.lock().unwrap().push(start);
            }
            Value::Array(list) => list.iter().for_each(|value| self.forbid(value)),
            Value::Object(map) => map.values().for_each(|value| self.forbid(value)),
            _ => {}
        }
    }

    /// Returns the output directory.
    pub(crate) fn output(&self) -> PathBuf {
        self.path("secrets/db")
    }

    /// Returns the cache directory.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache/db")
    }

    /// Returns the directory of the notes that all fetches share.
    pub(crate) fn runtime_dir(&self) -> PathBuf {
        self.path("notes")
    }

    /// Returns the file of the proven copy.
    pub(crate) fn cached_copy(&self) -> PathBuf {
        self.cache().join("secret.json")
    }

    /// Returns the files in the output directory as text.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        files_in(&self.output())
    }

    /// Prepares a fetch of the secret.
    pub(crate) fn fetch(&self) -> Fetch<'_> {
        self.fetch_of(&self.secret())
    }

    /// Runs a fetch by a script of the shell: `"$@"` is the command.
    pub(crate) fn fetch_in_shell(&self, script: &str) -> Run {
        Run::new("/bin/sh")
            .args(["-c", script, "sh"])
            .arg(env!("CARGO_BIN_EXE_vault-fetch"))
            .arg(self.secret())
            .arg(self.output())
            .args(["--approle-dir".as_ref(), self.path("approle").as_os_str()])
            .args(["--runtime-dir".as_ref(), self.runtime_dir().as_os_str()])
    }

    /// Prepares a fetch of any secret.
    pub(crate) fn fetch_of(&self, secret: &str) -> Fetch<'_> {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch"))
            .args(["--approle-dir".as_ref(), self.path("approle").as_os_str()])
            .args(["--runtime-dir".as_ref(), self.runtime_dir().as_os_str()])
            .arg(secret)
            .server(&self.server)
            .env("BAO_ADDR", self.address());
        Fetch {
            host: self,
            run,
            output: self.output(),
        }
    }

    /// Fetches `values`, so that there is a copy in the cache.
    pub(crate) fn with_cached(self, values: &Value) -> Self {
        self.put(values);
        self.fetch().cached().succeed();
        assert!(self.cached_copy().is_file());
        self
    }

    pub(crate) fn assert_prints_no_secret(&self, output: &RunOutput) {
        for secret in self.secrets.lock().unwrap().iter() {
            let is_printed = output.stdout.contains(secret) || output.stderr.contains(secret);
            assert!(!is_printed, "the run prints a secret:\n{output}");
        }
    }

    /// Returns every file of the host that contains `value`.
    pub(crate) fn files_with(&self, value: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(self.folder(), value.as_bytes(), &mut found);
        found
            .iter()
            .map(|path| path.strip_prefix(self.folder()).unwrap().to_owned())
            .collect()
    }
}

fn search(folder: &Path, value: &[u8], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            search(&entry.path(), value, found);
        } else if kind.is_file() {
            let content = fs::read(entry.path()).unwrap();
            if content.windows(value.len()).any(|part| part == value) {
                found.push(entry.path());
            }
        }
    }
}

/// Returns the files in a folder with their contents. Empty where there is no folder.
pub(crate) fn files_in(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let files = entries.flatten().map(|entry| {
        let content = fs::read(entry.path()).unwrap();
        (
            entry.file_name().into_string().unwrap(),
            String::from_utf8(content).unwrap(),
        )
    });
    files.collect()
}

/// Returns the map of `pairs`, to compare with [`Host::files`].
pub(crate) fn files<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, content)| (name.to_owned(), content.to_owned()))
        .into()
}

/// A run of the program before its start.
pub(crate) struct Fetch<'a> {
    host: &'a Host,
    run: Run,
    output: PathBuf,
}

impl Fetch<'_> {
    pub(crate) fn args<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.run = self.run.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.run = self.run.env(name, value);
        self
    }

    /// Uses these addresses in place of the server's.
    pub(crate) fn address(self, address: impl AsRef<OsStr>) -> Self {
        self.env("BAO_ADDR", address)
    }

    /// Uses a proxy in place of the server.
    pub(crate) fn through(self, proxy: &Proxy) -> Self {
        self.address(proxy.address())
    }

    /// Writes to another directory.
    pub(crate) fn to(mut self, output: impl Into<PathBuf>) -> Self {
        self.output = output.into();
        self
    }

    /// Makes one of its system calls fail.
    pub(crate) fn inject(mut self, failing: &FailingCall) -> Self {
        self.run = failing.inject(self.run);
        self
    }

    /// Uses the DNS server alone.
    pub(crate) fn dns(mut self, server: &DnsServer) -> Self {
        self.run = self.run.etc(server.etc());
        self
    }

    /// Runs in this folder.
    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.run = self.run.current_dir(folder);
        self
    }

    /// Uses the cache, after the default time.
    pub(crate) fn cached(self) -> Self {
        self.cached_after(Duration::from_millis(800))
    }

    /// Uses the cache after this time. It is longer on a busy machine.
    pub(crate) fn cached_after(self, time: Duration) -> Self {
        let cache = self.host.cache();
        let time = format!("{}ms", zts_testkit::scale_timeout(time).as_millis());
        self.args(["--cached-deadline", &time])
            .args(["--cache-dir".as_ref(), cache.as_os_str()])
    }

    /// Runs the program on a terminal, by `script`.
    pub(crate) fn run_on_terminal(self, script: &Path) -> RunOutput {
        self.run.arg(self.output).on_terminal(script).run()
    }

    /// Sets the deadline.
    pub(crate) fn deadline(self, time: &str) -> Self {
        self.args(["--deadline", time])
    }

    /// Runs the program, and asserts that it prints no secret.
    pub(crate) fn run(self) -> RunOutput {
        let host = self.host;
        let output = self.start().finish();
        host.assert_prints_no_secret(&output);
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

    /// Starts the program.
    pub(crate) fn start(self) -> Running {
        self.run.arg(self.output).start()
    }
}

/// Runs a test on OpenBao and on a server that answers as HashiCorp Vault does. The hosts have the
/// same name, so that the messages are equal.
pub(crate) fn on_both(name: &str, test: impl Fn(Host)) {
    insta::allow_duplicates! {
        test(Host::new(name));
        test(Host::on(Server::dev(), name).on_vault());
    }
}

/// A cluster of three, and a folder with the credentials of its host `web01` in `approle`.
pub(crate) fn cluster_with_web01() -> (Cluster, ScratchDir) {
    let mut cluster = Cluster::start_with_tls(3);
    let folder = zts_testkit::scratch_dir();
    fs::create_dir(folder.join("approle")).unwrap();
    let credentials = cluster.active_node().add_host("web01");
    credentials.write_to(&folder.join("approle"));
    (cluster, folder)
}
