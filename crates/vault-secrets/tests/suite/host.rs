//! A host with declared secrets and no services, and runs of the program on it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use zts_testkit::{
    EnrolledHost, HostCredentials, Run, RunOutput, Running, Server, declarations, declared_secret,
    merge, shared_server,
};

/// A host with declared secrets.
pub(crate) struct Host {
    enrolled: EnrolledHost,
    secrets: Mutex<BTreeMap<String, Value>>,
    templates: Mutex<BTreeMap<String, Value>>,
}

impl Deref for Host {
    type Target = EnrolledHost;

    fn deref(&self) -> &EnrolledHost {
        &self.enrolled
    }
}

impl Host {
    /// Creates a host on the shared server. Each test has its own name.
    pub(crate) fn new(name: &str) -> Self {
        Self::on(shared_server(), name)
    }

    pub(crate) fn on(server: impl Into<Arc<Server>>, name: &str) -> Self {
        Self {
            enrolled: EnrolledHost::new(server, name),
            secrets: Mutex::default(),
            templates: Mutex::default(),
        }
    }

    /// Puts the host on a server that answers as HashiCorp Vault does.
    pub(crate) fn on_vault(mut self) -> Self {
        self.enrolled.use_vault();
        self
    }

    /// Declares a secret that is rotated every hour. The fields of `otherwise` replace the
    /// defaults.
    pub(crate) fn declare(&self, name: &str, otherwise: &Value) -> &Self {
        let mut secret = declared_secret(
            &self.secret(name),
            &json!({
                "output_directory": self.output(name),
                "cache_directory": self.cache(name),
                "seal_cache": "never",
                "rotation": "hourly",
            }),
        );
        merge(&mut secret, otherwise);
        self.secrets.lock().unwrap().insert(name.to_owned(), secret);
        self.write_declarations();
        self
    }

    /// Declares a template of several secrets, whose file is `app.conf`.
    pub(crate) fn declare_template(&self, name: &str, content: &str, services: &[&str]) -> &Self {
        let template = json!({
            "output_directory": self.template(name),
            "file": "app.conf",
            "content": content,
            "owner": rustix::process::geteuid().as_raw().to_string(),
            "group": rustix::process::getegid().as_raw().to_string(),
            "mode": "0440",
            "services": services,
        });
        let mut templates = self.templates.lock().unwrap();
        templates.insert(name.to_owned(), template);
        drop(templates);
        self.write_declarations();
        self
    }

    /// Removes a template from the declarations.
    pub(crate) fn forget_template(&self, name: &str) {
        self.templates.lock().unwrap().remove(name);
        self.write_declarations();
    }

    /// Returns the directory of a template of several secrets.
    pub(crate) fn template(&self, name: &str) -> PathBuf {
        self.path("templates").join(name)
    }

    /// Returns the file of a template, or an empty text.
    pub(crate) fn rendered(&self, name: &str) -> String {
        fs::read_to_string(self.template(name).join("app.conf")).unwrap_or_default()
    }

    /// Removes a secret from the declarations.
    pub(crate) fn forget(&self, name: &str) {
        self.secrets.lock().unwrap().remove(name);
        self.write_declarations();
    }

    fn write_declarations(&self) {
        let secrets = json!(*self.secrets.lock().unwrap());
        let approle = self.path("approle");
        let mut declarations = declarations(&self.name, &self.address(), &approle, &secrets);
        declarations["templates"] = json!(*self.templates.lock().unwrap());
        fs::write(self.path("secrets.json"), declarations.to_string()).unwrap();
    }

    /// Replaces the credentials by refused ones, and returns the good ones.
    pub(crate) fn replace_credentials(&self) -> HostCredentials {
        let good = self.server.issue_secret_id(&self.name);
        let wrong = HostCredentials {
            secret_id: "wrong".to_owned(),
            ..good.clone()
        };
        wrong.write_to(&self.path("approle"));
        good
    }

    /// Writes a new version of a secret.
    pub(crate) fn put(&self, name: &str, value: &str) -> &Self {
        let values = json!({ "password": value });
        self.server.put_secret(&self.secret(name), &values);
        self
    }

    /// Returns the path of a secret in OpenBao.
    pub(crate) fn secret(&self, name: &str) -> String {
        format!("hosts/{}/{name}", self.name)
    }

    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.path("secrets").join(name)
    }

    pub(crate) fn state_dir(&self, name: &str) -> PathBuf {
        self.path("secrets").join(format!(".{name}.vault-fetch"))
    }

    pub(crate) fn cache(&self, name: &str) -> PathBuf {
        self.path("cache").join(name)
    }

    /// Returns the value of a secret's key `password` on the host, or an empty text.
    pub(crate) fn value(&self, name: &str) -> String {
        fs::read_to_string(self.output(name).join("password")).unwrap_or_default()
    }

    /// Returns the version of the cached copy.
    pub(crate) fn copied(&self, name: &str) -> Option<u64> {
        let text = fs::read(self.cache(name).join("secret.json")).ok()?;
        let file: Value = serde_json::from_slice(&text).unwrap();
        file["copy"]["version"].as_u64()
    }

    /// Returns the number of reads and listings of this host's secrets since OpenBao started.
    pub(crate) fn asked(&self, kind: &str) -> usize {
        let path = format!("secret/{kind}/hosts/{}/", self.name);
        let audited = self.server.audited_requests();
        let requests = audited
            .iter()
            .filter(|request| ["read", "list"].contains(&request.operation.as_str()))
            .filter(|request| request.path.starts_with(&path));
        requests.count()
    }

    /// Returns a run of the program.
    pub(crate) fn run<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Run {
        Run::new(env!("CARGO_BIN_EXE_vault-secrets"))
            .args(arguments)
            .args([
                "--declarations".as_ref(),
                self.path("secrets.json").as_os_str(),
            ])
    }

    /// Returns a fetch of one secret, as its unit runs it.
    pub(crate) fn fetch(&self, name: &str) -> Run {
        Run::new(zts_testkit::build_programs().join("vault-fetch"))
            .args([self.secret(name).as_str(), "--approle-dir"])
            .arg(self.path("approle"))
            .arg(self.output(name))
            .arg("--cache-dir")
            .arg(self.cache(name))
            .arg("--declarations")
            .arg(self.path("secrets.json"))
            .arg("--runtime-dir")
            .arg(self.path("notes"))
            .args(["--cached-deadline", "30s"])
            .env("BAO_ADDR", self.address())
    }

    /// Writes a program that stands in for one of systemd's into the folder `bin`, and returns a
    /// `PATH` with it.
    pub(crate) fn write_program(&self, name: &str, script: &str) -> OsString {
        zts_testkit::write_program(&self.path("bin"), name, script);
        zts_testkit::path_with(self.path("bin"))
    }

    pub(crate) fn rotation(&self, name: &str) -> Run {
        self.run(["rotate", name])
            .args(["--state-dir".as_ref(), self.path("state").as_os_str()])
            .args(["--runtime-dir".as_ref(), self.path("notes").as_os_str()])
    }

    pub(crate) fn rotate(&self, name: &str) -> RunOutput {
        self.rotation(name).run()
    }

    pub(crate) fn rotate_again(&self, name: &str) -> RunOutput {
        self.rotation(name).arg("--again").run()
    }

    pub(crate) fn rotate_at(&self, name: &str, address: &str) -> RunOutput {
        self.rotation(name).env("BAO_ADDR", address).run()
    }

    pub(crate) fn start_rotation_at(&self, name: &str, address: &str) -> Running {
        self.rotation(name).env("BAO_ADDR", address).start()
    }

    pub(crate) fn start_rotation(&self, name: &str) -> Running {
        self.rotation(name).start()
    }

    pub(crate) fn clean(&self) -> RunOutput {
        let state = self.path("places.json");
        self.run(["clean"])
            .args(["--state".as_ref(), state.as_os_str()])
            .run()
    }

    /// Removes the secrets that are declared, too.
    pub(crate) fn clean_all(&self) -> RunOutput {
        let state = self.path("places.json");
        self.run(["clean", "--all"])
            .args(["--state".as_ref(), state.as_os_str()])
            .run()
    }

    pub(crate) fn metrics(&self) -> String {
        fs::read_to_string(self.path("state/metrics.prom")).unwrap()
    }
}

/// Runs a test on OpenBao and on a server that answers as HashiCorp Vault does. The hosts have the
/// same name, so that the messages are equal.
pub(crate) fn on_both(name: &str, test: impl Fn(Host)) {
    insta::allow_duplicates! {
        test(Host::new(name));
        test(Host::on(Server::builder().audit().start(), name).on_vault());
    }
}
