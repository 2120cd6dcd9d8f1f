//! The throw-away server of a drill, and the key shares that unseal it.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    path::{self, Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use secrecy::SecretString;
use serde_json::json;
use zts_cli::{Failure, KeyFile, Progress};
use zts_openbao::{
    Authentication, Client, Error, Settings,
    init::{self, InitRequest},
    snapshot, sys, unseal,
};

use crate::{cli::Drill, platform::command_that_dies_with_parent};

/// The interval in which the server is probed.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// The number of lines of the server's log that are shown when it fails.
const LOG_LINES: usize = 15;
/// The limit of each of these lines in letters.
const MAX_LINE: usize = 500;
/// The mode bits that a file with key shares must not have. A systemd credential is readable for
/// its user's group, which has no other members.
const READERS: u32 = 0o037;

/// A server on loopback that is killed on `Drop`.
pub(super) struct ThrowAwayServer {
    command: Command,
    process: Child,
    client: Client,
    log: PathBuf,
    step_timeout: Duration,
    has_network: bool,
}

impl ThrowAwayServer {
    /// Starts it on an empty storage, and initialises and unseals it with keys that are then
    /// dropped.
    ///
    /// # Errors
    /// The program does not start, or refuses its configuration.
    pub(super) fn start(arguments: &Drill, folder: &Path) -> Result<Self, Failure> {
        let failed = |cause: io::Error| {
            Failure::failed(format!(
                "the throw-away server could not be prepared: {cause}"
            ))
        };
        let (config, address) = write_config(folder, arguments.step_timeout).map_err(failed)?;
        let log = folder.join("log");
        let output = File::create(&log).map_err(failed)?;
        let program = resolve_program(&arguments.bao_program)?;
        let mut command = command_that_dies_with_parent(&program);
        command.args(["server", "-config"]).arg(config);
        if let Some(seal) = &arguments.seal_config {
            // absolute, because the server runs in another folder
            command
                .arg("-config")
                .arg(path::absolute(seal).map_err(failed)?);
        }
        command
            .env_clear()
            .env("HOME", folder)
            .env("TMPDIR", folder) // so that temporary files of a killed server are removed, too
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(output.try_clone().map_err(failed)?)
            .stdout(output);
        let process = command.spawn().map_err(failed)?;
        let address = address.parse().map_err(Error::from)?;
        let mut settings = Settings::new(vec![address]);
        settings.request_timeout = arguments.step_timeout;
        let mut server = Self {
            command,
            process,
            client: Client::new(settings)?,
            log,
            step_timeout: arguments.step_timeout,
            has_network: arguments.with_network,
        };
        server.initialise()?;
        Ok(server)
    }

    /// Returns its client, with the token that was used last.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn initialise(&mut self) -> Result<(), Failure> {
        let status = self.wait_for("answer", |client| sys::seal_status(client).ok())?;
        let auto_unseal = status.kind != "shamir";
        let parameters = InitRequest {
            shares: 1,
            threshold: 1,
            auto_unseal,
            ..InitRequest::default()
        };
        let initialised = init::initialise(&self.client, &parameters)
            .map_err(|error| self.with_log(error.into()))?;
        if let Some(share) = initialised.keys_base64.first().filter(|_| !auto_unseal) {
            unseal::submit_share(&self.client, share)?;
        }
        self.wait_until_active()?;
        self.client
            .authenticate(Authentication::Token(initialised.root_token));
        Ok(())
    }

    /// Restores the archive, and unseals it with the key shares of its cluster.
    ///
    /// # Errors
    /// OpenBao refuses the archive, or does not become active with it.
    pub(super) fn restore(
        &mut self,
        archive: &Path,
        cluster_id: Option<&str>,
        shares: &[SecretString],
    ) -> Result<(), Failure> {
        let mut file = File::open(archive).map_err(|cause| {
            Failure::failed(format!(
                "`{}` could not be read: {cause}",
                archive.display()
            ))
        })?;
        let own_id = sys::seal_status(&self.client)?.cluster_id;
        // An unknown cluster id differs from the throw-away server's own.
        let is_restored_cluster = |id: &str| match cluster_id {
            Some(expected) => id == expected,
            None => !id.is_empty() && id != own_id,
        };
        let progress = Progress::begin("restoring the snapshot into the throw-away server");
        let restored = snapshot::restore(&self.client, &mut file, true, self.step_timeout);
        drop(progress);
        restored.map_err(|error| {
            self.with_log(Failure::from(error).context("OpenBao does not restore the snapshot"))
        })?;
        let status = self.wait_for("apply the snapshot", |client| {
            let status = sys::seal_status(client).ok()?;
            (status.sealed || is_restored_cluster(&status.cluster_id)).then_some(status)
        })?;
        if status.sealed {
            self.restart()?;
            self.unseal(shares)?;
        }
        self.wait_for("come up with the snapshot", |client| {
            let status = sys::seal_status(client).ok()?;
            (!status.sealed && is_restored_cluster(&status.cluster_id)).then_some(())
        })?;
        self.wait_until_active()
    }

    /// Restarts it. Until then it would expect as many key shares as it was initialised with,
    /// because it caches its seal's configuration.
    fn restart(&mut self) -> Result<(), Failure> {
        self.kill();
        self.process = self.command.spawn().map_err(|cause| {
            Failure::failed(format!(
                "the throw-away server could not be restarted: {cause}"
            ))
        })?;
        self.wait_for("answer again", |client| sys::seal_status(client).ok())?;
        Ok(())
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn unseal(&self, shares: &[SecretString]) -> Result<(), Failure> {
        unseal::reset_shares(&self.client)?;
        for share in shares {
            match unseal::submit_share(&self.client, share) {
                Ok(status) if !status.sealed => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    // OpenBao's message could contain the key share.
                    let why = match error {
                        Error::Refused { .. } => "OpenBao refuses them".to_owned(),
                        other => other.without_address(),
                    };
                    let failure = Failure::failed(format!(
                        "restored, but the key shares do not unseal it: {why}"
                    ));
                    return Err(
                        failure.hint("are they the cluster's, and not newer than the snapshot?")
                    );
                }
            }
        }
        Err(Failure::failed(format!(
            "restored, but {} key shares are too few to unseal it",
            shares.len()
        )))
    }

    fn wait_until_active(&mut self) -> Result<(), Failure> {
        self.wait_for("become active", |client| {
            sys::leader(client)
                .ok()
                .filter(|leader| leader.is_self)
                .map(|_| ())
        })
    }

    fn wait_for<T>(
        &mut self,
        action: &str,
        probe: impl Fn(&Client) -> Option<T>,
    ) -> Result<T, Failure> {
        let until = Instant::now() + self.step_timeout;
        let text = format_args!("waiting for the throw-away server to {action}");
        let _progress = Progress::begin_wait(text, until);
        loop {
            if let Some(result) = probe(&self.client) {
                return Ok(result);
            }
            let ended = self.process.try_wait().ok().flatten();
            if let Some(status) = ended {
                let why =
                    format!("the throw-away server ended ({status}) before it could {action}");
                return Err(self.with_log(Failure::failed(why)));
            }
            if Instant::now() >= until {
                let seconds = self.step_timeout.as_secs();
                let why = format!("the throw-away server did not {action} within {seconds} s");
                return Err(self.with_log(Failure::failed(why)));
            }
            thread::sleep(PROBE_INTERVAL);
        }
    }

    /// Adds a hint on a known cause, or the end of the server's log, which is removed with the
    /// folder.
    fn with_log(&self, failure: Failure) -> Failure {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if text.contains("failed to setup audit table") {
            return failure.hint("an audit device of the cluster cannot write on this machine: name its folder with `--hide`, which mounts an empty one over it");
        }
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES)..].iter();
        let last = last.map(|line| line.chars().take(MAX_LINE).collect::<String>());
        let end = last.collect::<Vec<_>>().join("\n  ");
        let end = format!("its log ends with:\n  {end}");
        let needs_network = text.contains("Error configuring seal") && text.contains("dial tcp");
        if needs_network && !self.has_network {
            return failure.hint(format!("a drill runs without network, and this seal needs it: give `--with-network`, at the risk that `--help` describes; {end}"));
        }
        failure.hint(end)
    }
}

impl Drop for ThrowAwayServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes the server's configuration. Returns its path and the server's address.
fn write_config(folder: &Path, step_timeout: Duration) -> io::Result<(PathBuf, String)> {
    let storage = folder.join("storage");
    fs::create_dir(&storage)?;
    // Both are bound at the same time, so that they differ.
    let ports = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let [api, cluster] = [ports[0].local_addr()?, ports[1].local_addr()?];
    let address = format!("http://{api}");
    // OpenBao's default of 30 s would end the upload of a large archive.
    let read_timeout = format!("{}s", step_timeout.as_secs().max(30));
    let config = json!({
        "storage": { "raft": { "path": storage, "node_id": "drill" } },
        "listener": [{ "tcp": {
            "address": api.to_string(),
            "tls_disable": true,
            "http_read_timeout": read_timeout,
        } }],
        "api_addr": address,
        "cluster_addr": format!("https://{cluster}"),
        "log_level": "info",
        // The cluster's own audit devices may all fail here, such as one that sends to a socket.
        // OpenBao would then refuse every request; one device that works is enough.
        "audit": [{ "file": { "vault-snapshot-drill": {
            "description": "vault-snapshot drill",
            "options": { "file_path": folder.join("audit.log") },
        } } }],
    });
    let path = folder.join("server.json");
    fs::write(&path, config.to_string())?;
    Ok((path, address))
}

/// Returns the path of a program, because the server's command runs in another folder and without
/// `PATH`.
fn resolve_program(program: &Path) -> Result<PathBuf, Failure> {
    let missing = || {
        Failure::usage(format!(
            "`{}` is no program on this machine",
            program.display()
        ))
        .hint("give the path of `bao` with `--bao-program`")
    };
    if program.components().count() > 1 {
        return program.canonicalize().map_err(|_| missing());
    }
    zts_cli::on_path(program).ok_or_else(missing)
}

/// Reads the key shares in all files, in their order.
///
/// # Errors
/// A file that cannot be read, that other users can read although `allow_readers` is not set, or
/// that holds no key shares.
pub(super) fn read_key_shares(
    files: &[PathBuf],
    allow_readers: bool,
) -> Result<Vec<SecretString>, Failure> {
    let mut all = Vec::new();
    for path in files {
        let file = KeyFile::read(path)?;
        if !allow_readers {
            file.refuse_readers(READERS)?;
        }
        let shares = file.shares()?;
        if shares.is_empty() {
            return Err(file.unusable("it holds no key shares"));
        }
        all.extend(shares);
    }
    Ok(all)
}
