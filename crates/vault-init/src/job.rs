//! The steps of the program: wait for the server, initialise it, store the keys, revoke the root
//! token.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use secrecy::SecretString;
use serde_json::Value;
use zts_cli::{Failure, SignalBlock, note, utc_seconds};
use zts_net::{deadline_in, retry_until};
use zts_openbao::{Address, Authentication, Client, Error, Settings, init, sys, token};

use crate::{
    Arguments,
    key_directory::{KeyDirectory, StartedInit},
    protection::{PLAIN_JSON, Protection, ROOT_TOKEN},
    start_over::{start_over, was_ever_unsealed},
};

/// The pauses between two requests to a server that does not answer yet or is sealed.
const PAUSES: [Duration; 2] = [Duration::from_millis(200); 2];

/// Runs the program.
///
/// # Errors
/// A server that does not answer or whose keys are lost, or a disk that cannot store them.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`zts_cli::main` passes the arguments by value"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let signals = SignalBlock::begin(); // before the first request, which may start threads
    let protection = Protection::from_arguments(&arguments)?;
    let mut settings = arguments.connection.settings(None)?;
    settings.namespace = None; // initialising and the root token are of the root namespace
    if settings.addresses.len() > 1 {
        return Err(Failure::usage("several addresses are given")
            .hint("give the address of the one node that is to be initialised"));
    }
    let directory = KeyDirectory::open(&arguments.directory)?;
    let client = Client::new(settings.clone())?;
    let status = wait_for_seal_status(&client, arguments.wait)?;
    let job = Job {
        arguments: &arguments,
        protection: &protection,
        directory: &directory,
        settings: &settings,
        signals: &signals,
    };
    if status.initialized {
        job.check_keys(&client, &status)?;
    } else if is_other_node_initialised(&arguments, &settings)? {
        return Ok(());
    } else {
        job.initialise(&status, &directory.list_key_files()?)?;
    }
    if arguments.revoke_root_token {
        revoke_root_token(&arguments, &directory, settings)?;
    }
    Ok(())
}

/// Returns whether another node of this cluster is initialised. A node that lost its disk must not
/// start a second cluster, because clients would find no secrets there and delete theirs.
fn is_other_node_initialised(arguments: &Arguments, settings: &Settings) -> Result<bool, Failure> {
    for other in &arguments.other {
        let mut settings = settings.clone();
        settings.addresses = Address::parse_list(other).map_err(Error::from)?;
        let status =
            wait_for_seal_status(&Client::new(settings)?, arguments.wait).map_err(|failure| {
                failure.context(
                    "this node is not initialised, because another one may be, and does not answer",
                )
            })?;
        if status.initialized {
            note(format_args!(
                "{other} is initialised: this node joins that cluster"
            ));
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns a client for [`init::initialise`]. Its timeout is longer, because the answer is given
/// only once.
fn create_init_client(settings: &Settings) -> Result<Client, Failure> {
    let mut settings = settings.clone();
    settings.request_timeout = init::REQUEST_TIMEOUT;
    Ok(Client::new(settings)?)
}

fn wait_for_seal_status(client: &Client, wait: Duration) -> Result<sys::SealStatus, Failure> {
    let request = || sys::seal_status(client);
    Ok(retry_until(
        deadline_in(wait),
        PAUSES,
        Error::is_transient,
        request,
    )?)
}

/// The values that the steps share.
struct Job<'a> {
    arguments: &'a Arguments,
    protection: &'a Protection,
    directory: &'a KeyDirectory,
    settings: &'a Settings,
    signals: &'a SignalBlock,
}

impl Job<'_> {
    fn initialise(&self, status: &sys::SealStatus, key_files: &[String]) -> Result<(), Failure> {
        let (arguments, directory) = (self.arguments, self.directory);
        self.require_no_drafts()?;
        if !key_files.is_empty() {
            return Err(Failure::failed(format!(
                "OpenBao is not initialised, but `{}` contains keys: {}",
                arguments.directory.display(),
                key_files.join(", ")
            ))
            .hint("they are of another cluster, or of a lost storage: move them away if they are not needed any more"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = StartedInit {
            address: self.settings.addresses[0].to_string(),
            at: now.map_or(0, |since| since.as_secs()),
        };
        directory.prepare(&self.protection.file_names(arguments), &started)?;
        let client = create_init_client(self.settings)?;
        let has_auto_unseal = status.kind != "shamir";
        let _held = self.signals.hold(); // until everything is on the disk
        let request = self.protection.init_request(arguments, has_auto_unseal);
        let answer = match init::initialise(&client, &request) {
            Ok(answer) => answer,
            Err(error) => return Err(init_failure(error, directory, &client)),
        };
        let missing = Protection::describe_missing(arguments, &answer);
        if let Some(missing) = &missing {
            directory.record_incomplete(missing);
        }
        directory.store_keys(&self.protection.encode_files(arguments, &answer)?);
        if let Some(missing) = missing {
            return Err(incomplete_failure(arguments, &missing));
        }
        note(format_args!(
            "OpenBao is initialised; its keys are in `{}`",
            arguments.directory.display()
        ));
        Ok(())
    }

    /// Refuses to continue while there are drafts with keys.
    fn require_no_drafts(&self) -> Result<(), Failure> {
        let drafts = self.directory.list_written_drafts()?;
        if drafts.is_empty() {
            Ok(())
        } else {
            Err(partial_keys_failure(&drafts))
        }
    }

    /// Checks the keys of an initialised server: they are here, or elsewhere, or lost.
    fn check_keys(&self, client: &Client, status: &sys::SealStatus) -> Result<(), Failure> {
        if self.directory.list_key_files()?.is_empty() {
            if self.directory.recover_drafts()? {
                note(format_args!(
                    "the keys that an earlier run wrote to drafts are in `{}`",
                    self.arguments.directory.display()
                ));
            } else {
                self.handle_missing_keys(client, status)?;
            }
        }
        if let Some(missing) = self.directory.read_incomplete()? {
            return Err(incomplete_failure(self.arguments, &missing));
        }
        self.directory.discard_started() // a person may have stored the keys by hand
    }

    /// Handles an initialised server without keys here. Replaces its storage if they are certainly
    /// lost and the arguments allow it.
    fn handle_missing_keys(
        &self,
        client: &Client,
        status: &sys::SealStatus,
    ) -> Result<(), Failure> {
        let (arguments, directory) = (self.arguments, self.directory);
        let Some(started) = directory.read_started()? else {
            note("OpenBao is initialised already, and its keys are not here: nothing to do");
            return Ok(());
        };
        let has_shares = status.kind == "shamir";
        if has_shares && !status.sealed {
            note("OpenBao is initialised and unsealed: its keys are stored elsewhere");
            return directory.discard_started();
        }
        self.require_no_drafts()?;
        let (Some(storage), Some(unit)) =
            (&arguments.start_over_storage, &arguments.start_over_unit)
        else {
            return Err(lost_keys_failure(arguments, &started));
        };
        if !has_shares {
            // an auto-unsealed server may be in use with another root token
            return Err(lost_keys_failure(arguments, &started));
        }
        if was_ever_unsealed(storage)? {
            note("OpenBao is initialised, and was unsealed before: its keys are stored elsewhere");
            return directory.discard_started();
        }
        start_over(storage, unit)?;
        directory.discard_started()?;
        let status = wait_for_seal_status(client, arguments.wait)?;
        if status.initialized {
            return Err(Failure::failed(format!(
                "OpenBao was started with an empty storage, and is still initialised: `{}` is not its storage",
                storage.display()
            )));
        }
        if is_other_node_initialised(arguments, self.settings)? {
            return Ok(());
        }
        self.initialise(&status, &[])
    }
}

/// Returns the failure for an answer with fewer keys than requested.
fn incomplete_failure(arguments: &Arguments, missing: &str) -> Failure {
    let directory = arguments.directory.display();
    Failure::failed(format!(
        "OpenBao was initialised, and {missing}: the answer is in `{directory}`, and may not be enough to unseal it"
    ))
    .hint(format!(
        "check the server at that address, because this is not OpenBao's own answer; then start with an empty \
         storage, or, if the keys do unseal it, `rm {directory}/incomplete.txt`"
    ))
}

/// Returns the failure for drafts with a part of the keys, which must not be removed.
fn partial_keys_failure(drafts: &[PathBuf]) -> Failure {
    let names: Vec<_> = drafts
        .iter()
        .map(|draft| format!("`{}`", draft.display()))
        .collect();
    Failure::failed(format!(
        "an earlier run ended while it wrote the keys of OpenBao: a part of them is in {}",
        names.join(", ")
    ))
    .hint("try to unseal OpenBao with these; only if they are not enough, remove these files and run this again")
}

/// Returns the failure of a request. Removes the note only if the server certainly did not execute
/// the request: OpenBao answers status 400 also to a request that it started and could not finish.
fn init_failure(error: Error, directory: &KeyDirectory, client: &Client) -> Failure {
    if was_not_executed(&error, client) {
        return match directory.discard_started() {
            Ok(()) => Failure::from(error).context("OpenBao was not initialised"),
            Err(failure) => failure,
        };
    }
    Failure::from(error)
        .context("OpenBao may have been initialised, but its answer did not arrive")
        .hint("run this again: it checks the server")
}

fn was_not_executed(error: &Error, client: &Client) -> bool {
    let Error::Refused { api_error, .. } = error else {
        return false;
    };
    let is_initialised = |text: &String| text.contains("already initialized");
    api_error.messages.iter().any(is_initialised)
        || sys::seal_status(client).is_ok_and(|status| !status.initialized)
}

/// Returns the failure for keys that were lost before they were stored.
fn lost_keys_failure(arguments: &Arguments, started: &StartedInit) -> Failure {
    let storage = arguments.start_over_storage.as_deref();
    let storage = storage
        .unwrap_or(Path::new("/var/lib/openbao/raft"))
        .display();
    let unit = arguments.start_over_unit.as_deref();
    let unit = unit.unwrap_or("openbao.service");
    let seconds = started.at;
    Failure::failed(format!(
        "the initialisation of `{}` at {} was interrupted before its keys were stored: they are lost, and no \
         secret was stored with them",
        started.address,
        utc_seconds(seconds)
    ))
    .hint(format!(
        "start over: `systemctl stop {unit} && mv {storage} {storage}.lost-{seconds} && install -d -m 0700 -o openbao -g openbao {storage} && systemctl start {unit}`, then run this again; \
         only if a person initialised it by hand since then and has its keys: `rm {}/started.json`",
        arguments.directory.display()
    ))
}

/// Revokes the root token, and removes it from the disk.
fn revoke_root_token(
    arguments: &Arguments,
    directory: &KeyDirectory,
    settings: Settings,
) -> Result<(), Failure> {
    let Some(root_token) = read_root_token(directory)? else {
        return Ok(()); // it is revoked already, or encrypted
    };
    let mut client = Client::new(settings)?;
    wait_until_unsealed(&client, arguments.wait)?;
    client.authenticate(Authentication::Token(root_token));
    // a standby that lags behind does not know the token yet
    let client = client.active();
    let request = || token::revoke_self(&client);
    match retry_until(
        deadline_in(arguments.wait),
        PAUSES,
        Error::is_transient,
        request,
    ) {
        // an invalid token was revoked before
        Ok(()) | Err(Error::Denied { .. }) => {}
        Err(error) => return Err(Failure::from(error).context("the root token is not revoked")),
    }
    remove_root_token(directory)?;
    note(
        "the root token is revoked; if no other login works, see docs/how-to/no-token.md: enough key shares generate a new one",
    );
    Ok(())
}

fn wait_until_unsealed(client: &Client, wait: Duration) -> Result<(), Failure> {
    let until = deadline_in(wait);
    while wait_for_seal_status(client, wait)?.sealed {
        if Instant::now() >= until {
            return Err(
                Failure::failed("the root token is not revoked yet: OpenBao is sealed")
                    .hint("unseal it; the next run revokes the token"),
            );
        }
        thread::sleep(PAUSES[0]);
    }
    Ok(())
}

/// Reads the root token, if it is here in clear.
fn read_root_token(directory: &KeyDirectory) -> Result<Option<SecretString>, Failure> {
    let key_files = directory.list_key_files()?;
    if key_files.iter().any(|name| name == ROOT_TOKEN) {
        let text = directory.read(ROOT_TOKEN)?;
        let text = String::from_utf8_lossy(&text);
        return Ok(Some(SecretString::from(text.trim())));
    }
    if !key_files.iter().any(|name| name == PLAIN_JSON) {
        return Ok(None);
    }
    let keys = read_plain_json(directory)?;
    Ok(keys["root_token"].as_str().map(SecretString::from))
}

fn remove_root_token(directory: &KeyDirectory) -> Result<(), Failure> {
    let key_files = directory.list_key_files()?;
    if key_files.iter().any(|name| name == PLAIN_JSON) {
        let mut keys = read_plain_json(directory)?;
        if let Some(fields) = keys.as_object_mut() {
            fields.remove("root_token");
        }
        return directory.replace(PLAIN_JSON, format!("{keys:#}\n").as_bytes());
    }
    directory.remove(ROOT_TOKEN)
}

fn read_plain_json(directory: &KeyDirectory) -> Result<Value, Failure> {
    let path = directory.file(PLAIN_JSON);
    let text = directory.read(PLAIN_JSON)?;
    // the parser's message could show a part of the file
    serde_json::from_slice(&text)
        .map_err(|_| Failure::failed(format!("`{}` is not valid JSON", path.display())))
}
