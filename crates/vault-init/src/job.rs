//! The job from end to end: wait, look, initialise, keep, and revoke where that is wanted.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cli::{Deaf, Failure, note};
use openbao::{
    Address, Authentication, Client, Error, Settings, deadline_in, init, retry_until, sys, token,
};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    Arguments,
    keeping::{Folder, Started},
    protection::{IN_CLEAR, Protection, ROOT_TOKEN},
    start_over::start_over,
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
    let protection = Protection::read(&arguments)?;
    let settings = arguments.connection.settings(None)?;
    if settings.addresses.len() > 1 {
        return Err(Failure::usage("several addresses are given")
            .hint("one node initialises the cluster: name that one"));
    }
    let folder = Folder::open(&arguments.directory)?;
    let client = client(settings.clone())?;
    let state = wait_for_answer(&client, arguments.wait)?;
    let kept = folder.kept()?;
    if state.initialized {
        if kept.is_empty() {
            return without_keys(&arguments, &protection, &folder, &client, &state);
        }
        folder.forget_start(&protection.names(&arguments))?; // a run that was cut off after its last rename
    } else if let Some(other) = initialised_elsewhere(&arguments, &settings)? {
        note(format_args!(
            "{other} is initialised: this node joins that cluster"
        ));
        return Ok(());
    } else {
        initialise(&arguments, &protection, &folder, &client, &state, &kept)?;
    }
    if arguments.revoke_root_token {
        revoke(&arguments, &folder, settings)?;
    }
    Ok(())
}

/// Another node of this cluster that is initialised. A node whose disk was lost must not begin a second
/// cluster: its clients would find nothing there, and drop what they have.
fn initialised_elsewhere<'a>(
    arguments: &'a Arguments,
    settings: &Settings,
) -> Result<Option<&'a String>, Failure> {
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
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// The answer of [`init::initialise`] comes only once: it is waited for longer than other answers.
fn client(mut settings: Settings) -> Result<Client, Failure> {
    settings.request_timeout = init::PATIENCE;
    settings.namespace = None; // initialising is the root namespace's
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

fn initialise(
    arguments: &Arguments,
    protection: &Protection,
    folder: &Folder,
    client: &Client,
    state: &sys::SealStatus,
    kept: &[String],
) -> Result<(), Failure> {
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
        address: client.address().to_string(),
        at: now.map_or(0, |since| since.as_secs()),
    };
    let names = protection.names(arguments);
    folder.prepare(&names, &started)?;
    let opens_itself = state.kind != "shamir";
    let _deaf = Deaf::begin(); // until everything is on the disk
    let answer = match init::initialise(client, &protection.request(arguments, opens_itself)) {
        Ok(answer) => answer,
        Err(error) => return Err(refused(error, folder, &names)),
    };
    folder.keep(&protection.files(arguments, &answer)?)?;
    let directory = arguments.directory.display();
    note(format_args!(
        "OpenBao is initialised; its keys are in `{directory}`"
    ));
    Ok(())
}

/// A request that surely was not carried out leaves nothing behind; any other may have been.
fn refused(error: Error, folder: &Folder, names: &[String]) -> Failure {
    let failure = match &error {
        Error::Refused { .. } => match folder.forget_start(names) {
            Ok(()) => return Failure::from(error).context("OpenBao was not initialised"),
            Err(failure) => return failure,
        },
        _ => Failure::from(error),
    };
    failure.context("OpenBao may have been initialised, but its answer did not arrive")
}

/// Initialised, and no keys here: somewhere else, or they were lost on their way.
fn without_keys(
    arguments: &Arguments,
    protection: &Protection,
    folder: &Folder,
    client: &Client,
    state: &sys::SealStatus,
) -> Result<(), Failure> {
    let names = protection.names(arguments);
    let Some(started) = folder.started() else {
        note("OpenBao is initialised already, and not from here: nothing to do");
        return Ok(());
    };
    if state.kind == "shamir" && !state.sealed {
        note("OpenBao is initialised and unsealed: somebody else has its keys");
        return folder.forget_start(&names);
    }
    let (Some(storage), Some(unit)) = (&arguments.start_over_storage, &arguments.start_over_unit)
    else {
        return Err(lost(arguments, &started));
    };
    start_over(storage, unit)?;
    folder.forget_start(&names)?;
    let state = wait_for_answer(client, arguments.wait)?;
    if state.initialized {
        return Err(Failure::failed(format!(
            "OpenBao was started on an empty storage, and is initialised all the same: `{}` is not where it keeps its data",
            storage.display()
        )));
    }
    initialise(arguments, protection, folder, client, &state, &[])
}

fn lost(arguments: &Arguments, started: &Started) -> Failure {
    Failure::failed(format!(
        "the initialisation of {} was cut off before its keys were kept: nobody can ever unseal that storage, and nothing is in it",
        started.address
    ))
    .hint(format!(
        "unless somebody initialised it by hand since: stop OpenBao, move its storage away, start it, and run this again; or remove `{}/started.json` where its keys are known",
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
    note("the root token is revoked");
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
