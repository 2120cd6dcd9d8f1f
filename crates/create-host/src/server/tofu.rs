//! Policy and role through OpenTofu.

use std::{
    env,
    fs::File,
    io::{Read, Seek},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use cli::{Failure, note, with_signals};
use indicatif::ProgressBar;
use openbao::Trust;
use secrecy::ExposeSecret;

use super::Server;
use crate::{cli::How, failure, fleet::Fleet, host::HostName, secret_text};

/// The resources of `hosts-generated.tf`.
const RESOURCES: [&str; 2] = [
    "vault_policy.generated_host_policies",
    "vault_approle_auth_backend_role.generated_hosts",
];

/// OpenTofu, installed, and the folder in which it was initialised.
#[derive(Debug)]
pub(crate) struct OpenTofu {
    program: PathBuf,
    folder: PathBuf,
    /// The folder from the fleet's root, for people.
    shown: String,
}

/// How policy and role get into OpenBao, and why so where nobody said it.
pub(crate) fn choose(
    asked: Option<How>,
    fleet: &Fleet,
) -> Result<(How, Option<OpenTofu>, Option<String>), Failure> {
    match asked {
        Some(How::Tofu) => OpenTofu::find(fleet).map(|tofu| (How::Tofu, Some(tofu), None)),
        Some(how) => Ok((how, None, None)),
        None => Ok(match OpenTofu::find(fleet) {
            Ok(tofu) => (How::Tofu, Some(tofu), None),
            Err(failure) => (How::Api, None, Some(failure.message().to_owned())),
        }),
    }
}

impl OpenTofu {
    /// Finds the program on `PATH`, and what `tofu init` leaves in the fleet's folder.
    fn find(fleet: &Fleet) -> Result<Self, Failure> {
        let shown = fleet.settings.paths.vault_terraform.to_string();
        let folder = fleet.tree.resolve(&shown)?;
        let Some(program) = cli::on_path("tofu") else {
            return Err(
                Failure::usage("OpenTofu is not installed: there is no `tofu` on `PATH`")
                    .hint("install it, or use `--apply api`"),
            );
        };
        let data = env::var_os("TF_DATA_DIR")
            .filter(|value| !value.is_empty())
            .unwrap_or_else(|| ".terraform".into());
        if !folder.join(data).is_dir() {
            return Err(
                Failure::usage(format_args!("OpenTofu is not initialised in `{shown}`")).hint(
                    format!("run `tofu -chdir={shown} init`, or use `--apply api`"),
                ),
            );
        }
        Ok(Self {
            program,
            folder,
            shown,
        })
    }

    /// Adds what to do where the provider may have read from a standby.
    fn explain(failure: Failure, server: &Server) -> Failure {
        if server.is_at_active() {
            return failure;
        }
        failure::and_then(
            failure,
            "where it misses what it has just made, give the addresses of the nodes themselves (`--address URL,URL`): its \
             provider reads from whichever node answers",
        )
    }

    /// Brings the host's own policy and role, and nothing else of the folder, to what the files say.
    pub(crate) fn apply(
        &self,
        server: &Server,
        name: &HostName,
        fleet: &Fleet,
        verbose: bool,
    ) -> Result<(), Failure> {
        let mut command = self.command(server, fleet);
        command.args([
            "apply",
            "-input=false",
            "-auto-approve",
            "-no-color",
            "-lock-timeout=60s",
        ]);
        command.args(RESOURCES.map(|resource| format!("-target={resource}[\"{name}\"]")));
        let applied = if verbose {
            let status = with_signals(|| command.stdout(std::io::stderr()).status());
            status
                .map_err(|cause| failure::io("run", &self.program, cause))
                .and_then(|status| self.judge(status))
        } else {
            self.quietly(command)
        };
        applied.map_err(|failure| Self::explain(failure, server))
    }

    /// Runs it behind a progress bar, and shows what it said when it fails.
    fn quietly(&self, mut command: Command) -> Result<(), Failure> {
        let fail = |cause| failure::io("run", &self.program, cause);
        let mut said = tempfile::tempfile().map_err(fail)?;
        let handle = |file: &File| file.try_clone().map(Stdio::from);
        command
            .stdout(handle(&said).map_err(fail)?)
            .stderr(handle(&said).map_err(fail)?);
        let bar =
            ProgressBar::new_spinner().with_message(format!("OpenTofu applies `{}`", self.shown));
        bar.enable_steady_tick(Duration::from_millis(100));
        let status = with_signals(|| command.status());
        bar.finish_and_clear();
        let judged = self.judge(status.map_err(fail)?);
        if judged.is_err() {
            let mut text = Vec::new();
            let _ = said.rewind().and_then(|()| said.read_to_end(&mut text));
            note(secret_text::hide(String::from_utf8_lossy(&text).trim()));
        }
        judged
    }

    fn judge(&self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        Err(Failure::failed(format_args!(
            "`tofu apply` in `{}` failed ({status})",
            self.shown
        ))
        .hint("what it said stands above"))
    }

    /// OpenTofu's command, with the Vault provider's variables (its page "Provider arguments") for the very
    /// server that this run speaks to.
    fn command(&self, server: &Server, fleet: &Fleet) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("-chdir={}", self.folder.display()))
            .stdin(Stdio::null());
        for name in [
            "VAULT_CACERT",
            "VAULT_CAPATH",
            "VAULT_SKIP_VERIFY",
            "VAULT_NAMESPACE",
            "VAULT_ADDR",
            "BAO_TOKEN", // the provider takes VAULT_TOKEN
        ] {
            command.env_remove(name);
        }
        command.env("VAULT_ADDR", server.active_address().to_string());
        command.env("VAULT_TOKEN", server.token.expose_secret());
        match &server.connection.trust {
            Trust::System | Trust::Environment => {}
            Trust::Bundle(path) => {
                command.env(
                    "VAULT_CACERT",
                    std::path::absolute(path).unwrap_or_else(|_| path.clone()),
                );
            }
            Trust::SkipVerify => {
                command.env("VAULT_SKIP_VERIFY", "true");
            }
        }
        if let Some(namespace) = &server.connection.namespace {
            command.env("VAULT_NAMESPACE", namespace);
        }
        let domain = fleet.settings.network.domain.as_str();
        let adopt = format!("[\"{}\"]", server.approle);
        // the fleet's own settings; a variable that the folder does not declare is ignored
        let variables = [
            ("approle_mount", server.approle.as_str()),
            ("kv_mount", &server.kv),
            ("domain", domain),
            ("adopt_mounts", &adopt),
        ];
        for (name, value) in variables {
            let name = format!("TF_VAR_{name}");
            if env::var_os(&name).is_none() {
                command.env(name, value);
            }
        }
        command
    }
}
