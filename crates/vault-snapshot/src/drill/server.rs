//! The throw-away server.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    path::{self, Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cli::Failure;
use openbao::{
    Authentication, Client, Error, Settings,
    init::{self, Initialisation},
    snapshot, sys, unseal,
};
use secrecy::SecretString;
use serde_json::json;

use super::tied;
use crate::cli::Drill;

/// Between two looks at the server.
const PAUSE: Duration = Duration::from_millis(100);
/// How much of the server's log is shown when it fails.
const LINES: usize = 15;
/// And of each line, in letters.
const LONGEST_LINE: usize = 500;

/// A server on loopback that is killed on `Drop`.
pub(crate) struct Server {
    command: Command,
    process: Child,
    client: Client,
    log: PathBuf,
    wait: Duration,
    has_network: bool,
}

impl Server {
    /// Starts it on an empty storage, and initialises and unseals it with keys that nobody keeps.
    ///
    /// # Errors
    /// A program that does not start or a configuration that it refuses.
    pub(crate) fn start(arguments: &Drill, folder: &Path) -> Result<Self, Failure> {
        let failed = |cause: io::Error| {
            Failure::failed(format!(
                "the throw-away server could not be prepared: {cause}"
            ))
        };
        let (config, address) = prepare(folder, arguments.wait).map_err(failed)?;
        let log = folder.join("log");
        let output = File::create(&log).map_err(failed)?;
        let program = found(&arguments.bao_program)?;
        let mut command = tied::command(&program);
        command.args(["server", "-config"]).arg(config);
        if let Some(seal) = &arguments.seal_config {
            // The server has another folder.
            command
                .arg("-config")
                .arg(path::absolute(seal).map_err(failed)?);
        }
        command
            .env_clear()
            .env("HOME", folder)
            .env("TMPDIR", folder) // what it has begun there when it is killed vanishes with the folder
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(output.try_clone().map_err(failed)?)
            .stdout(output);
        let process = command.spawn().map_err(failed)?;
        let address = address.parse().map_err(Error::from)?;
        let mut settings = Settings::new(vec![address]);
        settings.request_timeout = arguments.wait;
        let mut server = Self {
            command,
            process,
            client: Client::new(settings)?,
            log,
            wait: arguments.wait,
            has_network: arguments.with_network,
        };
        server.initialise()?;
        Ok(server)
    }

    /// A client of it, with the token that it had last.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn initialise(&mut self) -> Result<(), Failure> {
        let status = self.wait_for("answer", |client| sys::seal_status(client).ok())?;
        let opens_itself = status.kind != "shamir";
        let wanted = Initialisation {
            shares: 1,
            threshold: 1,
            opens_itself,
            ..Initialisation::default()
        };
        let made =
            init::initialise(&self.client, &wanted).map_err(|error| self.failed(error.into()))?;
        if let Some(share) = made.keys_base64.first().filter(|_| !opens_itself) {
            unseal::submit(&self.client, share)?;
        }
        self.wait_until_active()?;
        self.client
            .authenticate(Authentication::Token(made.root_token));
        Ok(())
    }

    /// Restores the archive, and unseals it with the shares of the cluster that it is of.
    ///
    /// # Errors
    /// OpenBao refuses it, or does not come up with it.
    pub(crate) fn restore(
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
        let own = sys::seal_status(&self.client)?.cluster_id;
        // Where the cluster's is not known, it is another one than that of the throw-away server.
        let is_its = |id: &str| match cluster_id {
            Some(expected) => id == expected,
            None => !id.is_empty() && id != own,
        };
        snapshot::restore(&self.client, &mut file, true, self.wait).map_err(|error| {
            self.failed(Failure::from(error).context("OpenBao does not restore the snapshot"))
        })?;
        let status = self.wait_for("apply the snapshot", |client| {
            let status = sys::seal_status(client).ok()?;
            (status.sealed || is_its(&status.cluster_id)).then_some(status)
        })?;
        if status.sealed {
            self.restart()?;
            self.unseal(shares)?;
        }
        self.wait_for("come up with the snapshot", |client| {
            let status = sys::seal_status(client).ok()?;
            (!status.sealed && is_its(&status.cluster_id)).then_some(())
        })?;
        self.wait_until_active()
    }

    /// Starts it again. Until then it would want as many shares as it was initialised with, for it keeps in mind what
    /// it has read of its seal.
    fn restart(&mut self) -> Result<(), Failure> {
        self.end();
        self.process = self.command.spawn().map_err(|cause| {
            Failure::failed(format!(
                "the throw-away server could not be started again: {cause}"
            ))
        })?;
        self.wait_for("answer again", |client| sys::seal_status(client).ok())?;
        Ok(())
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn unseal(&self, shares: &[SecretString]) -> Result<(), Failure> {
        unseal::reset(&self.client)?;
        for share in shares {
            match unseal::submit(&self.client, share) {
                Ok(status) if !status.sealed => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    // OpenBao's words could hold what it was sent.
                    let why = match error {
                        Error::Refused { .. } => "OpenBao refuses them".to_owned(),
                        other => other.without_address(),
                    };
                    let failure = Failure::failed(format!(
                        "restored, but the key shares do not unseal it: {why}"
                    ));
                    return Err(
                        failure.hint("are they those of the cluster, and as new as the snapshot?")
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
        what: &str,
        look: impl Fn(&Client) -> Option<T>,
    ) -> Result<T, Failure> {
        let until = Instant::now() + self.wait;
        loop {
            if let Some(found) = look(&self.client) {
                return Ok(found);
            }
            let ended = self.process.try_wait().ok().flatten();
            if let Some(status) = ended {
                let why = format!("the throw-away server ended ({status}) before it could {what}");
                return Err(self.failed(Failure::failed(why)));
            }
            if Instant::now() >= until {
                let seconds = self.wait.as_secs();
                let why = format!("the throw-away server did not {what} within {seconds} s");
                return Err(self.failed(Failure::failed(why)));
            }
            thread::sleep(PAUSE);
        }
    }

    /// With what helps, or the end of its log, which vanishes with the folder.
    fn failed(&self, failure: Failure) -> Failure {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if text.contains("failed to setup audit table") {
            return failure.hint("an audit device of the cluster cannot write on this machine: name its folder with `--hide`, for an empty one in its place");
        }
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].iter();
        let last = last.map(|line| line.chars().take(LONGEST_LINE).collect::<String>());
        let end = last.collect::<Vec<_>>().join("\n  ");
        let end = format!("its log ends so:\n  {end}");
        let cut_off = text.contains("Error configuring seal") && text.contains("dial tcp");
        if cut_off && !self.has_network {
            return failure.hint(format!("a drill leaves the network, and this seal is opened from there: `--with-network` stays, at the risk that `--help` tells; {end}"));
        }
        failure.hint(end)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes the configuration; gives its path and the server's address.
fn prepare(folder: &Path, wait: Duration) -> io::Result<(PathBuf, String)> {
    let storage = folder.join("storage");
    fs::create_dir(&storage)?;
    // Held until both are known, so that they differ.
    let ports = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let [api, cluster] = [ports[0].local_addr()?, ports[1].local_addr()?];
    let address = format!("http://{api}");
    // OpenBao's 30 s would end a large archive.
    let read_timeout = format!("{}s", wait.as_secs().max(30));
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
        // Of the cluster's own audit devices none may work here, as one that sends to a socket, and then OpenBao
        // refuses every request. One that works is enough.
        "audit": [{ "file": { "vault-snapshot-drill": {
            "description": "Of a drill",
            "options": { "file_path": folder.join("audit.log") },
        } } }],
    });
    let path = folder.join("server.json");
    fs::write(&path, config.to_string())?;
    Ok((path, address))
}

/// The path of a program that is named without one: what runs it has another folder and no `PATH`.
fn found(program: &Path) -> Result<PathBuf, Failure> {
    let missing = || {
        Failure::usage(format!("`{}` is no program here", program.display()))
            .hint("name OpenBao's with `--bao-program`")
    };
    if program.components().count() > 1 {
        return program.canonicalize().map_err(|_| missing());
    }
    cli::on_path(program).ok_or_else(missing)
}
