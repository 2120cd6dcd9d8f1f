//! A token over ssh, to a host that runs.

use std::{
    io::{self, Write},
    process::{Command, ExitStatus, Stdio},
};

use secrecy::{ExposeSecret, SecretString};
use zts_cli::{Failure, with_signals};

/// The status of ssh if there is no connection (`ssh(1)`).
const NO_CONNECTION: i32 = 255;

/// Checks that the host can take a token: it has `vault-bootstrap.service`.
const CHECK: &str = "systemctl cat vault-bootstrap.service >/dev/null";

/// The status of [`DELIVER`] if the host has the token and did not trade it: OpenBao could not be
/// asked, or refused it.
const NOT_TRADED: i32 = 3;

/// Writes stdin to a file on the host's tmpfs, and starts the trade. A token is newer than what an
/// earlier start of the unit traded, so the unit is restarted. The unit succeeds where the host
/// goes on with credentials that it has; only a token that was traded is removed. One that was not
/// is taken back, because its secret id is destroyed then.
const DELIVER: &str = r#"sh -c '
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
as_root mkdir -p -m 0700 /run/vault-bootstrap &&
as_root sh -c "umask 077; cat > /run/vault-bootstrap/token.new && mv /run/vault-bootstrap/token.new /run/vault-bootstrap/token" || exit 1
as_root systemctl restart vault-bootstrap.service
status=$?
if as_root sh -c "test ! -e /run/vault-bootstrap/token"; then exit $status; fi
as_root rm -f /run/vault-bootstrap/token
if [ $status = 0 ]; then exit 3; fi
exit $status
'"#;

/// Refuses a destination that ssh would read as an option.
pub(super) fn check_destination(destination: &str) -> Result<&str, Failure> {
    if !destination.is_empty() && !destination.starts_with('-') {
        return Ok(destination);
    }
    Err(
        Failure::usage(format_args!("`{destination}` is not a destination of ssh"))
            .hint("write it like `--deliver ssh root@nas`"),
    )
}

/// Checks that ssh is installed, and that the host has the unit that takes a token.
pub(super) fn check_host(destination: &str) -> Result<(), Failure> {
    let status = run(destination, CHECK, None)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(NO_CONNECTION) => Err(no_connection(destination)),
        _ => Err(Failure::failed(format_args!(
            "`{destination}` has no `vault-bootstrap.service`, which takes the wrapping token"
        ))
        .hint(
            "deploy the host with `vault.enable = true` first, or deliver the token in another way, such as \
             `--token-out FILE`",
        )),
    }
}

/// Hands the token to the host, and waits until the host has traded it.
pub(super) fn deliver(destination: &str, token: &SecretString) -> Result<(), Failure> {
    let status = run(destination, DELIVER, Some(token))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(NO_CONNECTION) => Err(no_connection(destination)),
        Some(NOT_TRADED) => Err(Failure::failed(format_args!(
            "`{destination}` did not trade the wrapping token, and goes on with what it has"
        ))
        .hint(format!(
            "`ssh {destination} journalctl -u vault-bootstrap -n 20` says why"
        ))),
        _ => Err(Failure::failed(format_args!(
            "`{destination}` did not take the wrapping token ({status})"
        ))
        .hint(format!(
            "see the output of ssh above, and `journalctl -u vault-bootstrap` on `{destination}`"
        ))),
    }
}

fn no_connection(destination: &str) -> Failure {
    Failure::failed(format_args!("no connection over ssh to `{destination}`"))
        .hint(format!("`ssh {destination} true` must succeed first"))
}

/// Runs a command on the host. The token goes through stdin, because everybody can read arguments.
fn run(
    destination: &str,
    command: &str,
    token: Option<&SecretString>,
) -> Result<ExitStatus, Failure> {
    let program = zts_cli::on_path("ssh").ok_or_else(|| {
        Failure::usage("there is no `ssh` on `PATH`")
            .hint("install OpenSSH, or use `--token-out FILE`")
    })?;
    let mut ssh = Command::new(&program);
    ssh.args(["--", destination, command])
        .env_remove("BAO_TOKEN")
        .env_remove("VAULT_TOKEN")
        .stdout(io::stderr()); // stdout is for the result
    with_signals(|| run_with_stdin(ssh, token))
        .map_err(|cause| Failure::failed(format_args!("`{}` failed: {cause}", program.display())))
}

fn run_with_stdin(mut command: Command, token: Option<&SecretString>) -> io::Result<ExitStatus> {
    let Some(token) = token else {
        return command.stdin(Stdio::null()).status();
    };
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // a program that ends early says more by its status
        let _ = stdin.write_all(token.expose_secret().as_bytes());
    }
    child.wait()
}
