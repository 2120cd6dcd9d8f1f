//! The job from end to end: wait, look, initialise, keep, and revoke where that is wanted.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cli::{Failure, SignalBlock, note, utc_seconds};
use openbao::{
    Address, Authentication, Client, Error, Settings, deadline_in, init, retry_until, sys, token,
};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    Arguments,
    keeping::{Folder, Started},
    protection::{IN_CLEAR, Protection, ROOT_TOKEN},
    start_over::{start_over, was_opened},
};

/// Between two questions to a server that does not answer yet, or is not unsealed.
const PAUSES: [Duration; 2] = [Duration::from_millis(200); 2];

/// Runs the program.
///
/// # Errors
/// A server that does not answer, one whose keys are lost, or a disk that cannot keep them.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`cli::main` hands the arguments over"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let signals = SignalBlock::begin(); // before the first request, which may start threads
    let protection = Protection::read(&arguments)?;
    let mut settings = arguments.connection.settings(None)?;
    settings.namespace = None; // initialising is the root namespace's, and so is the root token
    if settings.addresses.len() > 1 {
        return Err(Failure::usage("several addresses are given")
            .hint("one node initialises the cluster: name that one"));
    }
    let folder = Folder::open(&arguments.directory)?;
    let client = Client::new(settings.clone())?;
    let state = wait_for_answer(&client, arguments.wait)?;
    let job = Job {
        arguments: &arguments,
        protection: &protection,
        folder: &folder,
        settings: &settings,
        signals: &signals,
    };
    if state.initialized {
        job.find_keys(&client, &state)?;
    } else if is_another_ones(&arguments, &settings)? {
        return Ok(());
    } else {
        job.initialise(&state, &folder.kept()?)?;
    }
    if arguments.revoke_root_token {
        revoke(&arguments, &folder, settings)?;
    }
    Ok(())
}

/// Whether another node of this cluster is initialised. One whose disk was lost must not begin a second
/// cluster: its clients would find nothing there, and drop what they have.
fn is_another_ones(arguments: &Arguments, settings: &Settings) -> Result<bool, Failure> {
    for other in &arguments.other {
        let mut settings = settings.clone();
        settings.addresses = Address::parse_list(other).map_err(Error::from)?;
        let state =
            wait_for_answer(&Client::new(settings)?, arguments.wait).map_err(|failure| {
                failure.context(
                    "this node is not initialised, for another one could be, and does not answer",
                )
            })?;
        if state.initialized {
            note(format_args!(
                "{other} is initialised: this node joins that cluster"
            ));
            return Ok(true);
        }
    }
    Ok(false)
}

/// The answer of [`init::initialise`] comes only once: it is waited for longer than other answers.
fn patient(settings: &Settings) -> Result<Client, Failure> {
    let mut settings = settings.clone();
    settings.request_timeout = init::PATIENCE;
    Ok(Client::new(settings)?)
}

fn wait_for_answer(client: &Client, wait: Duration) -> Result<sys::SealStatus, Failure> {
    let ask = || sys::seal_status(client);
    Ok(retry_until(
        deadline_in(wait),
        PAUSES,
        Error::is_transient,
        ask,
    )?)
}

/// What each step needs.
struct Job<'a> {
    arguments: &'a Arguments,
    protection: &'a Protection,
    folder: &'a Folder,
    settings: &'a Settings,
    signals: &'a SignalBlock,
}

impl Job<'_> {
    fn initialise(&self, state: &sys::SealStatus, kept: &[String]) -> Result<(), Failure> {
        let (arguments, folder) = (self.arguments, self.folder);
        let begun = folder.begun()?;
        if !begun.is_empty() {
            return Err(half_written(&begun));
        }
        if !kept.is_empty() {
            return Err(Failure::failed(format!(
                "OpenBao is not initialised, but `{}` holds keys: {}",
                arguments.directory.display(),
                kept.join(", ")
            ))
            .hint("they are of another cluster, or of one whose storage is gone: move them away if nothing needs them any more"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = Started {
            address: self.settings.addresses[0].to_string(),
            at: now.map_or(0, |since| since.as_secs()),
        };
        folder.prepare(&self.protection.names(arguments), &started)?;
        let client = patient(self.settings)?;
        let opens_itself = state.kind != "shamir";
        let _held = self.signals.hold(); // until everything is on the disk
        let request = self.protection.request(arguments, opens_itself);
        let answer = match init::initialise(&client, &request) {
            Ok(answer) => answer,
            Err(error) => return Err(refused(error, folder, &client)),
        };
        let lacks = Protection::lacks(arguments, &answer);
        if let Some(lacks) = &lacks {
            folder.note_incomplete(lacks);
        }
        folder.keep(&self.protection.files(arguments, &answer)?);
        if let Some(lacks) = lacks {
            return Err(incomplete(arguments, &lacks));
        }
        let directory = arguments.directory.display();
        note(format_args!(
            "OpenBao is initialised; its keys are in `{directory}`"
        ));
        Ok(())
    }

    /// OpenBao is initialised: its keys are here, or somewhere else, or were lost on their way.
    fn find_keys(&self, client: &Client, state: &sys::SealStatus) -> Result<(), Failure> {
        if self.folder.kept()?.is_empty() {
            if self.folder.recover()? {
                note(format_args!(
                    "the keys that an earlier run wrote and could not name are in `{}`",
                    self.arguments.directory.display()
                ));
            } else {
                self.without_keys(client, state)?;
            }
        }
        if let Some(lacks) = self.folder.incomplete()? {
            return Err(incomplete(self.arguments, &lacks));
        }
        self.folder.forget_start() // somebody put the keys there by hand
    }

    /// Initialised, and no keys here: somewhere else, or they were lost on their way.
    fn without_keys(&self, client: &Client, state: &sys::SealStatus) -> Result<(), Failure> {
        let (arguments, folder) = (self.arguments, self.folder);
        let Some(started) = folder.started()? else {
            note("OpenBao is initialised already, and its keys are not here: nothing to do");
            return Ok(());
        };
        let has_shares = state.kind == "shamir";
        if has_shares && !state.sealed {
            note("OpenBao is initialised and unsealed: somebody else has its keys");
            return folder.forget_start();
        }
        let begun = folder.begun()?;
        if !begun.is_empty() {
            return Err(half_written(&begun));
        }
        let (Some(storage), Some(unit)) =
            (&arguments.start_over_storage, &arguments.start_over_unit)
        else {
            return Err(lost(arguments, &started));
        };
        if !has_shares {
            // It opened by itself, and may be in use: whose root token that is, nobody can tell from here.
            return Err(lost(arguments, &started));
        }
        if was_opened(storage)? {
            note("OpenBao is initialised, and was unsealed before: somebody else has its keys");
            return folder.forget_start();
        }
        start_over(storage, unit)?;
        folder.forget_start()?;
        let state = wait_for_answer(client, arguments.wait)?;
        if state.initialized {
            return Err(Failure::failed(format!(
                "OpenBao was started on an empty storage, and is initialised all the same: `{}` is not where it keeps its data",
                storage.display()
            )));
        }
        if is_another_ones(arguments, self.settings)? {
            return Ok(());
        }
        self.initialise(&state, &[])
    }
}

/// Fewer keys than OpenBao was asked for: with too few, nobody can unseal it.
fn incomplete(arguments: &Arguments, lacks: &str) -> Failure {
    let directory = arguments.directory.display();
    Failure::failed(format!(
        "OpenBao was initialised, and {lacks}: what it answered is in `{directory}`, and may not be enough to unseal it"
    ))
    .hint(format!(
        "see what answers at that address, which is not OpenBao's own answer; then begin with an empty storage, or, where the keys \
         do unseal it, `rm {directory}/incomplete.txt`"
    ))
}

/// Drafts that hold a part of the keys: not whole, and not to be thrown away.
fn half_written(drafts: &[PathBuf]) -> Failure {
    let names: Vec<_> = drafts
        .iter()
        .map(|draft| format!("`{}`", draft.display()))
        .collect();
    Failure::failed(format!(
        "an earlier run was ended while it wrote the keys of OpenBao: what it had written stands in {}",
        names.join(", ")
    ))
    .hint("try to unseal OpenBao with what is there; only where that is not enough, remove these files and run this again")
}

/// A request that surely was not carried out leaves no note behind; any other may have been. OpenBao refuses
/// with status 400 also what it began and could not finish.
fn refused(error: Error, folder: &Folder, client: &Client) -> Failure {
    if was_not_carried_out(&error, client) {
        return match folder.forget_start() {
            Ok(()) => Failure::from(error).context("OpenBao was not initialised"),
            Err(failure) => failure,
        };
    }
    Failure::from(error)
        .context("OpenBao may have been initialised, but its answer did not arrive")
        .hint("run this again: it finds out")
}

fn was_not_carried_out(error: &Error, client: &Client) -> bool {
    let Error::Refused { refusal, .. } = error else {
        return false;
    };
    let too_late = |text: &String| text.contains("already initialized");
    refusal.messages.iter().any(too_late)
        || sys::seal_status(client).is_ok_and(|state| !state.initialized)
}

fn lost(arguments: &Arguments, started: &Started) -> Failure {
    let storage = arguments.start_over_storage.as_deref();
    let storage = storage
        .unwrap_or(Path::new("/var/lib/openbao/raft"))
        .display();
    let unit = arguments.start_over_unit.as_deref();
    let unit = unit.unwrap_or("openbao.service");
    let seconds = started.at;
    Failure::failed(format!(
        "the initialisation of `{}` at {} was cut off before its keys were kept: nobody has them, and nothing was stored with them",
        started.address,
        utc_seconds(seconds)
    ))
    .hint(format!(
        "begin anew: `systemctl stop {unit} && mv {storage} {storage}.lost-{seconds} && install -d -m 0700 -o openbao -g openbao {storage} && systemctl start {unit}`, then run this again; \
         only where somebody initialised it by hand since and has its keys: `rm {}/started.json`",
        arguments.directory.display()
    ))
}

/// Revokes the root token and takes it off the disk.
fn revoke(arguments: &Arguments, folder: &Folder, settings: Settings) -> Result<(), Failure> {
    let Some(root_token) = root_token(folder)? else {
        return Ok(()); // it is done, or encrypted to somebody
    };
    let mut client = Client::new(settings)?;
    wait_until_unsealed(&client, arguments.wait)?;
    client.authenticate(Authentication::Token(root_token));
    // a standby that lags behind does not know the token yet
    let client = client.active();
    let ask = || token::revoke_self(&client);
    match retry_until(
        deadline_in(arguments.wait),
        PAUSES,
        Error::is_transient,
        ask,
    ) {
        // A token that is not valid any more is one that was revoked.
        Ok(()) | Err(Error::Denied { .. }) => {}
        Err(error) => return Err(Failure::from(error).context("the root token is not revoked")),
    }
    take_out(folder)?;
    note(
        "the root token is revoked; where nobody else can log in, see docs/how-to/no-token.md: enough key shares make another one",
    );
    Ok(())
}

fn wait_until_unsealed(client: &Client, wait: Duration) -> Result<(), Failure> {
    let until = deadline_in(wait);
    while wait_for_answer(client, wait)?.sealed {
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

/// The root token, where it lies here in clear.
fn root_token(folder: &Folder) -> Result<Option<SecretString>, Failure> {
    let kept = folder.kept()?;
    if kept.iter().any(|name| name == ROOT_TOKEN) {
        let text = folder.read(ROOT_TOKEN)?;
        let text = String::from_utf8_lossy(&text);
        return Ok(Some(SecretString::from(text.trim())));
    }
    if !kept.iter().any(|name| name == IN_CLEAR) {
        return Ok(None);
    }
    let all = parse(folder)?;
    Ok(all["root_token"].as_str().map(SecretString::from))
}

fn take_out(folder: &Folder) -> Result<(), Failure> {
    let kept = folder.kept()?;
    if kept.iter().any(|name| name == IN_CLEAR) {
        let mut all = parse(folder)?;
        if let Some(fields) = all.as_object_mut() {
            fields.remove("root_token");
        }
        return folder.replace(IN_CLEAR, format!("{all:#}\n").as_bytes());
    }
    folder.remove(ROOT_TOKEN)
}

fn parse(folder: &Folder) -> Result<Value, Failure> {
    let shown = folder.file(IN_CLEAR);
    let text = folder.read(IN_CLEAR)?;
    // The message could show a part of the file.
    serde_json::from_slice(&text)
        .map_err(|_| Failure::failed(format!("`{}` is not JSON any more", shown.display())))
}
