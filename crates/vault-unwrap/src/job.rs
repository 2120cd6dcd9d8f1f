//! The job from end to end: find the token, trade it, put the credentials down.

use std::time::Duration;

use cli::{Failure, Status, note, warn};
use openbao::{AppRoleCredentials, Client, Settings, approle, deadline_in};
use secrecy::SecretString;

use crate::{
    Arguments,
    credentials::Folder,
    environment_file::EnvironmentFile,
    failure::Error,
    token::{self, VARIABLE},
    trade,
};

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
        .settings(environment_file.value("VAULT_ADDR").as_deref())?;
    if let Some(credentials) = &existing
        && let Verdict::Keep { token_is_spare } = judge(arguments, settings.clone(), credentials)
    {
        if token_is_spare {
            take_out(&environment_file);
        }
        return Ok(());
    }
    trade_token(arguments, settings, &token)?;
    take_out(&environment_file);
    Ok(())
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
        approle::login(&client, &arguments.approle_mount, credentials)
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
        Err(_) => Verdict::Keep {
            token_is_spare: false,
        },
    }
}

fn trade_token(
    arguments: &Arguments,
    settings: Settings,
    token: &SecretString,
) -> Result<(), Error> {
    let folder = Folder::prepare(&arguments.approle_dir)?;
    let deadline = deadline_in(arguments.deadline);
    let mut client = Client::new(settings)?;
    client.set_deadline(Some(deadline));
    let tried_here = folder.tried(token)?;
    let explain = |error: Error| if tried_here { error.used_here() } else { error };
    trade::inspect(&client, token, &arguments.creation_path, deadline).map_err(explain)?;
    folder.note_try(token)?;
    // the token is not given up half-way because the server took long to come up
    client.set_deadline(None);
    folder.store(&trade::redeem(&client, token)?)
}

fn take_out(environment_file: &EnvironmentFile) {
    if let Err(error) = environment_file.remove(VARIABLE) {
        warn(format_args!(
            "the credentials are there, but the used token stays where it is: {error}"
        ));
    }
}
