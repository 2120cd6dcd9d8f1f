//! Policy and role through OpenTofu.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use secrecy::ExposeSecret;
use zts_cli::{Failure, Progress, note, with_signals};
use zts_openbao::Trust;

use super::connection::Server;
use crate::{
    failure::{append_hint, file_failure},
    fleet::Fleet,
    host::HostName,
    redaction,
};

/// The resources of `hosts-generated.tf`.
const RESOURCES: [&str; 2] = [
    "vault_policy.generated_host_policies",
    "vault_approle_auth_backend_role.generated_hosts",
];

/// An installed OpenTofu, and the folder in which it is initialised.
#[derive(Debug)]
pub(crate) struct OpenTofu {
    program: PathBuf,
    folder: PathBuf,
    /// The folder from the fleet's root, for messages.
    shown: String,
}

impl OpenTofu {
    /// Locates the program on `PATH`, and checks that `tofu init` was run in the fleet's folder.
    pub(super) fn locate(fleet: &Fleet) -> Result<Self, Failure> {
        let shown = fleet.settings.paths.vault_terraform.to_string();
        let folder = fleet.tree.resolve(&shown)?;
        let Some(program) = zts_cli::on_path("tofu") else {
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

    /// Adds a hint if the provider may have read from a standby.
    fn add_standby_hint(failure: Failure, server: &Server) -> Failure {
        if server.is_at_active_node() {
            return failure;
        }
        append_hint(
            failure,
            "if it misses what it has just created, give the addresses of the nodes themselves (`--address URL,URL`): \
             its provider reads from any node that answers",
        )
    }

    /// Applies the host's own policy and role, and nothing else of the folder.
    pub(crate) fn apply(
        &self,
        server: &Server,
        name: &HostName,
        fleet: &Fleet,
        is_output_shown: bool,
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
        let applied = if is_output_shown {
            with_signals(|| run_and_show(command))
                .map_err(|cause| file_failure("run", &self.program, cause))
                .and_then(|status| self.check_status(status))
        } else {
            self.run_quietly(command)
        };
        applied.map_err(|failure| Self::add_standby_hint(failure, server))
    }

    /// Runs OpenTofu with a line of progress, and shows its output if it fails.
    fn run_quietly(&self, mut command: Command) -> Result<(), Failure> {
        let fail = |cause| file_failure("run", &self.program, cause);
        let mut output = tempfile::tempfile().map_err(fail)?;
        let handle = |file: &File| file.try_clone().map(Stdio::from);
        command
            .stdout(handle(&output).map_err(fail)?)
            .stderr(handle(&output).map_err(fail)?);
        let progress = Progress::begin(format_args!("OpenTofu applies `{}`", self.shown));
        let status = with_signals(|| command.status());
        drop(progress);
        let result = self.check_status(status.map_err(fail)?);
        if result.is_err() {
            let mut text = Vec::new();
            let _ = output.rewind().and_then(|()| output.read_to_end(&mut text));
            note(redaction::hide_tokens(
                String::from_utf8_lossy(&text).trim(),
            ));
        }
        result
    }

    fn check_status(&self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        Err(Failure::failed(format_args!(
            "`tofu apply` in `{}` failed ({status})",
            self.shown
        ))
        .hint("see its output above"))
    }

    /// Returns OpenTofu's command with the Vault provider's variables (its page "Provider
    /// arguments") for the server of this run.
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
            "BAO_TOKEN", // the provider reads VAULT_TOKEN
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
        set_variables(&mut command, server, fleet);
        command
    }
}

/// Sets OpenTofu's variables for the fleet's settings, but those that the caller has set. OpenTofu
/// ignores a variable that the folder does not declare.
fn set_variables(command: &mut Command, server: &Server, fleet: &Fleet) {
    let adopt = format!("[\"{}\"]", server.approle_mount);
    let variables = [
        ("approle_mount", server.approle_mount.as_str()),
        ("kv_mount", &server.kv_mount),
        ("domain", fleet.settings.network.domain.as_str()),
        ("adopt_mounts", &adopt),
    ];
    for (name, value) in variables {
        let name = format!("TF_VAR_{name}");
        if env::var_os(&name).is_none() {
            command.env(name, value);
        }
    }
}

/// Runs a command and shows its output line by line, without tokens.
fn run_and_show(mut command: Command) -> io::Result<ExitStatus> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    drop(command); // it holds the pipe's other end
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        note(redaction::hide_tokens(text.trim_end_matches(['\r', '\n'])));
        line.clear();
    }
    child.wait()
}
