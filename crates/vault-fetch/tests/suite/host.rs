//! A host with a secret, and runs of the program on it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
pub(crate) use testkit::shared_server;
use testkit::{Cluster, HostCredentials, Output, Proxy, Run, Running, ScratchDir, Server};

/// A host with its role on a server, and a folder in place of its disk.
pub(crate) struct Host {
    pub(crate) server: Arc<Server>,
    pub(crate) name: String,
    pub(crate) credentials: HostCredentials,
    folder: ScratchDir,
    /// What the host asks in place of the server.
    relay: Option<Proxy>,
    /// What no run may ever say.
    secrets: Mutex<Vec<String>>,
}

impl Host {
    /// A host of the shared server; the name is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        Self::on(shared_server(), name)
    }

    /// A host of a server that the test has for itself.
    pub(crate) fn on(server: impl Into<Arc<Server>>, name: &str) -> Self {
        let server = server.into();
        let credentials = server.add_host(name);
        let folder = testkit::scratch_dir();
        fs::create_dir(folder.join("approle")).unwrap();
        credentials.write_to(&folder.join("approle"));
        let secrets = vec![credentials.role_id.clone(), credentials.secret_id.clone()];
        Self {
            server,
            name: name.to_owned(),
            credentials,
            folder,
            relay: None,
            secrets: Mutex::new(secrets),
        }
    }

    /// The same host, on a server that answers as HashiCorp Vault does.
    pub(crate) fn on_vault(mut self) -> Self {
        self.relay = Some(Proxy::vault(&self.server.address()));
        self
    }

    /// The method and path of each request about secrets to the server that answers as HashiCorp Vault does.
    pub(crate) fn asked_vault(&self) -> Vec<String> {
        let hits = self.relay.as_ref().unwrap().requests();
        hits.iter()
            .filter(|hit| hit.path != "/v1/sys/leader") // looked for where none was seen just now
            .map(|hit| format!("{} {}", hit.method, hit.path))
            .collect()
    }

    /// The path of its secret.
    pub(crate) fn secret(&self) -> String {
        format!("hosts/{}/db", self.name)
    }

    /// Writes a new version of its secret.
    pub(crate) fn put(&self, values: &Value) -> &Self {
        self.server.put_secret(&self.secret(), values);
        self.keep_quiet(values);
        self
    }

    /// No run may say a string of `values`.
    pub(crate) fn keep_quiet(&self, values: &Value) {
        match values {
            Value::String(text) if text.len() >= 6 => {
                let start = text.chars().take(40).collect();
                self.secrets.lock().unwrap().push(start);
            }
            Value::Array(list) => list.iter().for_each(|value| self.keep_quiet(value)),
            Value::Object(map) => map.values().for_each(|value| self.keep_quiet(value)),
            _ => {}
        }
    }

    /// A place on its disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where the files appear.
    pub(crate) fn output(&self) -> PathBuf {
        self.path("secrets/db")
    }

    /// Where the copy is kept.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache/db")
    }

    /// The one file of the cache.
    pub(crate) fn cached_copy(&self) -> PathBuf {
        self.cache().join("secret.json")
    }

    /// What stands in the output directory, as text.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        files_in(&self.output())
    }

    /// A run for its secret.
    pub(crate) fn fetch(&self) -> Fetch<'_> {
        self.fetch_of(&self.secret())
    }

    /// A run for any path.
    pub(crate) fn fetch_of(&self, secret: &str) -> Fetch<'_> {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch"))
            .args(["--approle-dir".as_ref(), self.path("approle").as_os_str()])
            .arg(secret)
            .server(&self.server);
        let run = match &self.relay {
            Some(relay) => run.env("BAO_ADDR", relay.address()),
            None => run,
        };
        Fetch {
            host: self,
            run,
            output: self.output(),
        }
    }

    /// A good fetch of `values` that leaves a copy in the cache.
    pub(crate) fn with_cached(self, values: &Value) -> Self {
        self.put(values);
        let output = self.fetch().cached().run();
        assert_eq!(output.code(), Some(0), "{output}");
        assert!(self.cached_copy().is_file());
        self
    }

    pub(crate) fn assert_discreet(&self, output: &Output) {
        for secret in self.secrets.lock().unwrap().iter() {
            let said = output.stdout.contains(secret) || output.stderr.contains(secret);
            assert!(!said, "the run says a secret:\n{output}");
        }
    }

    /// Every file below the host's folder whose content has one of its secret values, but for the
    /// credentials themselves.
    pub(crate) fn files_with(&self, value: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(&self.folder, value.as_bytes(), &mut found);
        found
            .iter()
            .map(|path| path.strip_prefix(&*self.folder).unwrap().to_owned())
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

/// The files in a folder with their contents, none where there is no folder.
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

/// `files(&[("a", "1")])`, to compare with [`Host::files`].
pub(crate) fn files<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, content)| (name.to_owned(), content.to_owned()))
        .into()
}

/// A mode in octal, as `ls` shows it.
pub(crate) fn mode(path: &Path) -> String {
    let mode = fs::symlink_metadata(path).unwrap().permissions().mode();
    format!("{:04o}", mode & 0o7777)
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether the tests run as root, whom no permission stops.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A run of the program, being put together.
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

    /// Asks these addresses in place of the server's own.
    pub(crate) fn address(self, address: impl AsRef<OsStr>) -> Self {
        self.env("BAO_ADDR", address)
    }

    /// Asks through a proxy.
    pub(crate) fn through(self, proxy: &Proxy) -> Self {
        self.address(proxy.address())
    }

    /// Writes to another directory.
    pub(crate) fn to(mut self, output: impl Into<PathBuf>) -> Self {
        self.output = output.into();
        self
    }

    /// In this folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.run = self.run.folder(folder);
        self
    }

    /// With the host's cache, which it turns to after the default time.
    pub(crate) fn cached(self) -> Self {
        self.cached_after(Duration::from_millis(800))
    }

    /// With the host's cache, which it turns to after this time where the machine has nothing else to do.
    pub(crate) fn cached_after(self, time: Duration) -> Self {
        let cache = self.host.cache();
        let time = format!("{}ms", testkit::busy(time).as_millis());
        self.args(["--cached-deadline", &time])
            .args(["--cache-dir".as_ref(), cache.as_os_str()])
    }

    /// Gives up after this long.
    pub(crate) fn deadline(self, time: &str) -> Self {
        self.args(["--deadline", time])
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

    /// Starts it and goes on.
    pub(crate) fn start(self) -> Running {
        self.run.arg(self.output).start()
    }
}

/// Runs a test on OpenBao and on a server that answers as HashiCorp Vault does. The hosts have the same
/// name, so that what is said of both is the same.
pub(crate) fn on_both(name: &str, test: impl Fn(Host)) {
    insta::allow_duplicates! {
        test(Host::new(name));
        test(Host::on(Server::dev(), name).on_vault());
    }
}

/// A cluster of three, and a folder with the credentials of its host `web01` in `approle`.
pub(crate) fn cluster_with_web01() -> (Cluster, ScratchDir) {
    let mut cluster = Cluster::start_with_tls(3);
    let folder = testkit::scratch_dir();
    fs::create_dir(folder.join("approle")).unwrap();
    let credentials = cluster.leader().add_host("web01");
    credentials.write_to(&folder.join("approle"));
    (cluster, folder)
}
