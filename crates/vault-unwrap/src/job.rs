//! The job from end to end: find the token, trade it, put the credentials down.

use std::{path::Path, time::Duration};

use cli::{Deaf, Failure, Status, note, warn};
use delivery::Logins;
use openbao::{AppRoleCredentials, Client, Settings, approle, deadline_in};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    Arguments,
    credentials::{Folder, Lock},
    environment_file::EnvironmentFile,
    failure::Error,
    token::{self, VARIABLE},
    trade,
};

/// The longest time that this program waits for another one's login.
const LONGEST_TURN: Duration = Duration::from_secs(2);

/// Runs the program.
///
/// # Errors
/// What a person is told when the host has no credentials; with `--best-effort`, only wrong usage.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`cli::main` hands the arguments over"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match get_credentials(&arguments) {
        Err(failure) if arguments.best_effort && failure.status() == Status::Failed => {
            warn(failure.message());
            if let Some(hint) = failure.hint_text() {
                note(format_args!("\nhint: {hint}"));
            }
            Ok(())
        }
        result => result,
    }
}

fn get_credentials(arguments: &Arguments) -> Result<(), Failure> {
    let environment_file = EnvironmentFile::read(&arguments.environment_file)?;
    let token = token::find(arguments, &environment_file)?;
    refuse_others(&arguments.approle_dir)?;
    let lock = Folder::lock(&arguments.approle_dir, deadline_in(arguments.deadline))?;
    let existing = Folder::existing(&arguments.approle_dir)?;
    let Some(token) = token else {
        return match existing {
            Some(_) => Ok(()),
            None => Err(Error::NoToken {
                environment_file: arguments.environment_file.clone(),
            }
            .into()),
        };
    };
    let settings = arguments
        .connection
        .settings_or(|name| environment_file.value(&format!("VAULT_{name}")))?;
    if let Some(credentials) = &existing
        && let Verdict::Keep { token_is_spare } = judge(arguments, settings.clone(), credentials)
    {
        if token_is_spare {
            take_out(&arguments.environment_file, &token);
        }
        return Ok(());
    }
    trade_token(arguments, settings, &token, lock)?;
    take_out(&arguments.environment_file, &token);
    Ok(())
}

/// Refuses a folder that another user could exchange for a link to elsewhere while root writes to it.
fn refuse_others(approle_dir: &Path) -> Result<(), Error> {
    let found = delivery::changeable_by_others(approle_dir)
        .map_err(|cause| Error::io("look at the folders above", approle_dir, cause))?;
    found.map_or(Ok(()), |folder| Err(Error::NotOurs { folder }))
}

/// What becomes of the credentials that are there.
enum Verdict {
    /// They stay; whether they were seen to work, so that the token is not needed.
    Keep { token_is_spare: bool },
    /// OpenBao refuses them, so the token must be meant to replace them.
    Replace,
}

fn judge(arguments: &Arguments, settings: Settings, credentials: &AppRoleCredentials) -> Verdict {
    let tried = Client::new(settings).and_then(|mut client| {
        client.set_deadline(Some(deadline_in(
            arguments.deadline.min(Duration::from_secs(2)),
        )));
        log_in(arguments, &client, credentials)
    });
    match tried {
        Ok(_) => Verdict::Keep {
            token_is_spare: true,
        },
        Err(openbao::Error::LoginRefused { .. }) => {
            note(
                "the credentials of this host are refused; the wrapping token is going to replace them",
            );
            Verdict::Replace
        }
        // a trade needs no login, and replaces nothing unless it succeeds
        Err(error) if error.is_locked_out() => {
            note(
                "OpenBao has locked this host's role, so whether its credentials are good is not known; \
                 the wrapping token is going to replace them",
            );
            Verdict::Replace
        }
        Err(_) => Verdict::Keep {
            token_is_spare: false,
        },
    }
}

/// Tries the credentials, unless OpenBao refused them a moment ago: too many refusals lock the role.
fn log_in(
    arguments: &Arguments,
    client: &Client,
    credentials: &AppRoleCredentials,
) -> Result<SecretString, openbao::Error> {
    let mount = &arguments.approle_mount;
    let login = || approle::login(client, mount, credentials);
    match Logins::beside(&arguments.approle_dir.join("role-id")) {
        Some(logins) => logins.limit(credentials, mount, client, LONGEST_TURN, login),
        None => login(),
    }
}

fn trade_token(
    arguments: &Arguments,
    settings: Settings,
    token: &SecretString,
    lock: Option<Lock>,
) -> Result<(), Error> {
    let folder = Folder::prepare(&arguments.approle_dir)?;
    let deadline = deadline_in(arguments.deadline);
    let is_new = lock.is_none();
    let _lock = match lock {
        Some(lock) => Some(lock),
        None => Folder::lock(&arguments.approle_dir, deadline)?,
    };
    if is_new && Folder::existing(&arguments.approle_dir)?.is_some() {
        return Ok(()); // another run was faster
    }
    folder.probe()?;
    let mut client = Client::new(settings)?;
    client.set_deadline(Some(deadline));
    let tried_here = folder.tried(token)?;
    let explain = |error: Error| if tried_here { error.used_here() } else { error };
    trade::inspect(&client, token, &arguments.creation_path, deadline).map_err(explain)?;
    let _deaf = Deaf::begin();
    folder.note_try(token)?;
    // the token is not given up half-way because the server took long to come up
    client.set_deadline(None);
    match trade::redeem(&client, token) {
        Ok(credentials) => folder.store(&credentials),
        Err(error) => {
            if error.is_somebody_elses_doing() {
                folder.forget_try()?; // the next start must not blame this one
            }
            Err(error)
        }
    }
}

/// Takes the token out of the file as it is now: it may have changed since it was read, and another
/// token in it is for the next start.
fn take_out(environment_file: &Path, token: &SecretString) {
    let taken_out = EnvironmentFile::read(environment_file).and_then(|file| {
        let value = file.value(VARIABLE).map(Zeroizing::new);
        if value.is_some_and(|value| value.trim() == token.expose_secret()) {
            return file.remove(VARIABLE);
        }
        Ok(())
    });
    if let Err(error) = taken_out {
        warn(format_args!(
            "the credentials are there, but the used token stays where it is: {error}"
        ));
    }
}
