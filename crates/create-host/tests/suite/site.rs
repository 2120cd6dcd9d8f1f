//! A scratch fleet with an OpenBao, and runs of the program on it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, ThreadId},
};

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use zts_openbao::{AppRoleCredentials, Error, approle, wrapping};
use zts_testkit::{Fleet, Proxy, Run, RunOutput, Running, Server, path_without, shared_server};

/// The address of the host in most tests.
pub(crate) const IP: &str = "10.0.0.11/24";

/// The file of the variables with the tokens.
pub(crate) const TOKENS: &str = "terraform/wrapping-tokens.auto.tfvars.json";

/// Creates a namespace with the mounts of the default settings.
pub(crate) fn create_namespace(server: &Server, name: &str) {
    server.create_namespace(name);
    let kv = json!({ "type": "kv", "options": { "version": "2" } });
    server.write(&format!("{name}/sys/mounts/secret"), &kv);
    let approle = json!({ "type": "approle" });
    server.write(&format!("{name}/sys/auth/approle"), &approle);
    let unlocked = json!({ "user_lockout_config": { "lockout_disable": true } });
    server.write(&format!("{name}/sys/auth/approle/tune"), &unlocked);
}

/// Refuses a host on the shared server that another test has, too: both would change its role.
#[track_caller]
fn reserve_name(host: &str) {
    static OWNERS: Mutex<BTreeMap<String, ThreadId>> = Mutex::new(BTreeMap::new());
    let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let test = thread::current().id();
    let owner = *owners.entry(host.to_owned()).or_insert(test);
    assert_eq!(owner, test, "another test has the host `{host}`, too");
}

/// A scratch fleet, a server, and the name of a host. Each test has its own name, because tests
/// share a server.
pub(crate) struct Site {
    pub(crate) fleet: Fleet,
    server: Option<Arc<Server>>,
    pub(crate) host: String,
}

impl Site {
    #[track_caller]
    pub(crate) fn new(host: &str) -> Self {
        reserve_name(host);
        Self::on(shared_server(), host)
    }

    pub(crate) fn on(server: impl Into<Arc<Server>>, host: &str) -> Self {
        let site = Self {
            server: Some(server.into()),
            ..Self::without_server(host)
        };
        site.declare_no_tokens();
        site
    }

    /// Creates a site with the example fleet as it is: OpenTofu takes the tokens from variables.
    pub(crate) fn with_token_variables(host: &str) -> Self {
        reserve_name(host);
        Self {
            server: Some(shared_server()),
            ..Self::without_server(host)
        }
    }

    /// Takes the variable with the tokens out of OpenTofu's code: they then go to the machine map,
    /// as in the fleets of earlier versions.
    fn declare_no_tokens(&self) {
        let variables = self.fleet.read("terraform/variables.tf");
        let others: Vec<&str> = variables
            .split_inclusive("\n}\n")
            .filter(|block| !block.contains("vault_wrapped_tokens"))
            .collect();
        self.fleet.write("terraform/variables.tf", others.concat());
        if self.path(".git").exists() {
            self.fleet.commit("tokens in the machine map");
        }
    }

    /// Creates a site without OpenBao, for files only.
    pub(crate) fn without_server(host: &str) -> Self {
        Self {
            fleet: Fleet::copy_example(),
            server: None,
            host: host.to_owned(),
        }
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("a site with a server")
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.fleet.path().join(file)
    }

    /// Returns the path of a file in the host's folder.
    pub(crate) fn host_file(&self, name: &str) -> String {
        format!("hosts/{}/{name}", self.host)
    }

    /// Starts `create-host` with only the fleet's folder, the server, and root's token. The
    /// machine's Nix is not on `PATH`.
    pub(crate) fn bare(&self) -> Call<'_> {
        let mut run = Run::new(env!("CARGO_BIN_EXE_create-host"))
            .current_dir(self.fleet.path())
            .env("PATH", path_without_nix());
        if let Some(server) = &self.server {
            run = run.server(server).env("BAO_TOKEN", server.root_token());
        }
        Call { site: self, run }
    }

    /// Creates the host through the API.
    pub(crate) fn create(&self) -> Call<'_> {
        self.bare()
            .args(["--hostname", &self.host, "--ip", IP, "--apply", "api"])
    }

    /// Creates the host's files only.
    pub(crate) fn create_files(&self) -> Call<'_> {
        self.bare()
            .args(["--hostname", &self.host, "--ip", IP, "--skip-vault"])
    }

    /// Removes the host through the API.
    pub(crate) fn remove(&self) -> Call<'_> {
        self.bare()
            .args(["--hostname", &self.host, "--remove", "--apply", "api"])
    }

    /// Returns the host's wrapping token in the variables or in `vms.tf`.
    pub(crate) fn token(&self) -> Option<String> {
        if let Ok(text) = fs::read_to_string(self.path(TOKENS)) {
            let variables: serde_json::Value = serde_json::from_str(&text).unwrap();
            let token = &variables["vault_wrapped_tokens"][&self.host];
            return token.as_str().map(str::to_owned);
        }
        let vms = fs::read_to_string(self.path("terraform/vms.tf")).ok()?;
        zts_infra_edit::vms::wrapping_token(
            &vms,
            &zts_infra_edit::vms::MapPlace::default(),
            &self.host,
        )
        .ok()
        .flatten()
    }

    /// Trades the host's wrapping token for its credentials, as the host does.
    pub(crate) fn unwrap(&self) -> AppRoleCredentials {
        self.unwrap_token(self.token().expect("a wrapping token in vms.tf"))
    }

    pub(crate) fn unwrap_token(&self, token: String) -> AppRoleCredentials {
        #[derive(Deserialize)]
        struct Payload {
            role_id: SecretString,
            secret_id: SecretString,
        }
        let client = self.server().anonymous_client();
        let token = SecretString::from(token);
        let info = wrapping::lookup(&client, &token).unwrap();
        assert_eq!(info.creation_path, "sys/wrapping/wrap");
        let payload: Payload = wrapping::unwrap(&client, &token).unwrap();
        AppRoleCredentials {
            role_id: payload.role_id,
            secret_id: payload.secret_id,
        }
    }

    pub(crate) fn login(&self, credentials: &AppRoleCredentials) -> Result<SecretString, Error> {
        approle::login(&self.server().anonymous_client(), "approle", credentials)
    }

    /// Returns the accessors of the host's secret ids.
    pub(crate) fn accessors(&self) -> Vec<String> {
        approle::secret_id_accessors(&self.server().client(), "approle", &self.host).unwrap()
    }

    pub(crate) fn role(&self) -> Option<serde_json::Value> {
        self.server()
            .read(&format!("auth/approle/role/{}", self.host))
    }

    pub(crate) fn policy(&self) -> Option<String> {
        let policy = self
            .server()
            .read(&format!("sys/policies/acl/host-{}", self.host))?;
        policy["policy"].as_str().map(str::to_owned)
    }

    /// Checks the state after a run without interruption.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        assert!(self.login(&self.unwrap()).is_ok());
        for name in ["default.nix", "configuration.nix", "networking.nix"] {
            assert!(self.path(&self.host_file(name)).is_file(), "{name}");
        }
        assert!(
            self.fleet
                .read("flake.nix")
                .contains(&format!("mkHost \"{}\"", self.host))
        );
        assert!(
            self.fleet
                .read("terraform/vault/hosts-generated.tf")
                .contains(&format!("hosts/{}/*", self.host))
        );
        self.assert_tidy();
    }

    /// Checks that no draft is left in the fleet.
    #[track_caller]
    pub(crate) fn assert_tidy(&self) {
        let files = self.fleet.snapshot();
        let left: Vec<_> = files
            .iter()
            .filter(|(path, _)| path.to_string_lossy().contains(".create-host"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A call of the program, before it runs.
pub(crate) struct Call<'a> {
    site: &'a Site,
    run: Run,
}

impl Call<'_> {
    pub(crate) fn args<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.run = self.run.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.run = self.run.env(name, value);
        self
    }

    pub(crate) fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.run = self.run.current_dir(folder);
        self
    }

    pub(crate) fn through(self, proxy: &Proxy) -> Self {
        self.env("BAO_ADDR", proxy.address())
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.env("BAO_TOKEN", token)
    }

    /// Runs the program, and checks that its output has no token.
    pub(crate) fn run(self) -> RunOutput {
        let before = self.site.token();
        let output = self.run.run();
        let root = self
            .site
            .server
            .as_ref()
            .map(|server| server.root_token().to_owned());
        for token in [before, self.site.token(), root].into_iter().flatten() {
            let shown = output.stdout.contains(&token) || output.stderr.contains(&token);
            assert!(!shown, "the run shows a token:\n{output}");
        }
        output
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(crate) fn succeed(self) -> RunOutput {
        self.run().assert_success()
    }

    /// Runs the program, which must fail with this exit status and `part` on stderr.
    #[track_caller]
    pub(crate) fn fail(self, code: i32, part: &str) -> RunOutput {
        self.run().assert_failure(code, part)
    }

    /// Runs the program, which must fail and leave the fleet unchanged.
    #[track_caller]
    pub(crate) fn refuse(self) -> RunOutput {
        let fleet = &self.site.fleet;
        refuse(fleet, || self.run())
    }

    pub(crate) fn start(self) -> Running {
        self.run.start()
    }
}

/// Runs the program, which must fail and leave the fleet unchanged.
#[track_caller]
pub(crate) fn refuse(fleet: &Fleet, run: impl FnOnce() -> RunOutput) -> RunOutput {
    let before = fleet.snapshot();
    let output = run();
    assert_ne!(output.code(), Some(0), "{output}");
    assert_eq!(fleet.snapshot(), before, "{output}");
    output
}

/// Returns the message and the hint of a run that failed with status 1 and printed nothing.
#[track_caller]
pub(crate) fn error_of(output: &RunOutput) -> String {
    assert_eq!(output.code(), Some(1), "{output}");
    assert_eq!(output.stdout, "", "{output}");
    let text = zts_testkit::normalize_output(&output.stderr);
    let (_, error) = text.split_once("error: ").expect("it is reported");
    format!("error: {error}")
}

/// Returns the tests' `PATH` without Nix, which would evaluate each new host.
pub(crate) fn path_without_nix() -> OsString {
    path_without(&["nix"], Path::new(env!("CARGO_TARGET_TMPDIR")))
}
