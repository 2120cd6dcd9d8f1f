//! The job from end to end: find the token, trade it, put the credentials down.

use std::{path::Path, time::Duration};

use cli::{Failure, Held, SignalBlock, Status, note, warn};
use delivery::Logins;
use openbao::{AppRoleCredentials, Client, Settings, approle, deadline_in};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    Arguments,
    credentials::{Folder, Lock},
    environment_file::{EnvironmentFile, PREFIXES},
    failure::Error,
    token::{self, TOKEN},
    trade,
};

/// The longest time that this program waits for another one's login.
const LONGEST_TURN: Duration = Duration::from_secs(2);

/// How long a look at credentials may take: a boot waits for it.
const QUICK: Duration = Duration::from_secs(2);

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
    let signals = SignalBlock::begin(); // before the first request, which may start threads
    let environment_file = EnvironmentFile::read(&arguments.environment_file)?;
    let token = token::find(arguments, &environment_file)?;
    let there = Place::existing(arguments)?;
    let existing = there.as_ref().and_then(|place| place.credentials.as_ref());
    if there.is_some() {
        environment_file.sweep();
    }
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
        .settings_or(|name| environment_file.either(name))?;
    let place = match there {
        Some(place) => place,
        None => Place::prepare(arguments)?,
    };
    let trade = Trade {
        arguments,
        settings,
        token: &token,
        signals: &signals,
    };
    if trade.carry_out(&place)? {
        take_out(&arguments.environment_file, &token);
    }
    Ok(())
}

/// The folder of the credentials, locked, and what is in it.
struct Place {
    folder: Folder,
    credentials: Option<AppRoleCredentials>,
    _lock: Lock,
}

impl Place {
    /// The folder as it is; `None` where there is none yet.
    fn existing(arguments: &Arguments) -> Result<Option<Self>, Error> {
        let folder = Folder::open(&arguments.approle_dir)?;
        folder
            .map(|folder| Self::lock(folder, arguments))
            .transpose()
    }

    /// The folder, made where it is missing. Another run may have been faster.
    fn prepare(arguments: &Arguments) -> Result<Self, Error> {
        Self::lock(Folder::prepare(&arguments.approle_dir)?, arguments)
    }

    fn lock(folder: Folder, arguments: &Arguments) -> Result<Self, Error> {
        let lock = folder.lock(deadline_in(arguments.deadline))?;
        Ok(Self {
            credentials: folder.existing()?,
            folder,
            _lock: lock,
        })
    }
}

/// What is needed to decide about a token, and to trade it.
struct Trade<'a> {
    arguments: &'a Arguments,
    settings: Settings,
    token: &'a SecretString,
    signals: &'a SignalBlock,
}

impl Trade<'_> {
    /// Trades the token if it is to be traded; returns whether it is not needed any more.
    fn carry_out(&self, place: &Place) -> Result<bool, Error> {
        let tried = place.folder.tried(self.token)?;
        let Some(credentials) = &place.credentials else {
            return self.trade(&place.folder, tried).map(|()| true);
        };
        match self.log_in(credentials) {
            Ok(()) if tried => Ok(true),
            Ok(()) => Ok(self.replace_working(&place.folder)),
            Err(openbao::Error::LoginRefused { .. }) => {
                note(
                    "the credentials of this host are refused; the wrapping token is going to replace them",
                );
                self.trade(&place.folder, tried).map(|()| true)
            }
            // a trade needs no login, and replaces nothing unless it succeeds
            Err(error) if error.is_locked_out() => {
                note(
                    "OpenBao has locked this host's role, so whether its credentials are good is not known; \
                     the wrapping token is going to replace them",
                );
                self.trade(&place.folder, tried).map(|()| true)
            }
            Err(_) => Ok(false),
        }
    }

    /// Tries the credentials within a time that a boot can spare, unless OpenBao refused them a moment
    /// ago: too many refusals lock the role.
    fn log_in(&self, credentials: &AppRoleCredentials) -> Result<(), openbao::Error> {
        let mut client = Client::new(self.settings.clone())?;
        client.set_deadline(Some(deadline_in(self.arguments.deadline.min(QUICK))));
        let mount = &self.arguments.approle_mount;
        let login = || approle::login(&client, mount, credentials);
        let tried = match Logins::beside(&self.arguments.approle_dir.join("role-id")) {
            Some(logins) => logins.limit(credentials, mount, &client, LONGEST_TURN, login),
            None => login(),
        };
        tried.map(drop)
    }

    /// A token that this host never tried is newer than its credentials: the machine is a clone of
    /// another one, or has another name now. Working credentials stay where nothing better comes of it.
    fn replace_working(&self, folder: &Folder) -> bool {
        note(
            "this host has credentials that work, and a wrapping token that it never tried: the token is newer, and is \
             traded",
        );
        match self.trade_if_good(folder) {
            Ok(()) => true,
            Err(error) => {
                let failure = Failure::from(error);
                warn(format_args!(
                    "the credentials of this host stay, and the wrapping token where it is: {}",
                    failure.message()
                ));
                if let Some(hint) = failure.hint_text() {
                    note(format_args!("\nhint: {hint}"));
                }
                false
            }
        }
    }

    fn trade_if_good(&self, folder: &Folder) -> Result<(), Error> {
        let (_held, credentials) = self.redeem(folder, false)?;
        let tried = self.log_in(&credentials);
        if let Err(cause @ openbao::Error::LoginRefused { .. }) = tried {
            folder.release();
            return Err(Error::Worthless { cause });
        }
        folder.store(&credentials);
        Ok(())
    }

    fn trade(&self, folder: &Folder, tried: bool) -> Result<(), Error> {
        let (_held, credentials) = self.redeem(folder, tried)?;
        folder.store(&credentials);
        Ok(())
    }

    /// Uses the token up. The process does not end while what comes back is held.
    fn redeem(
        &self,
        folder: &Folder,
        tried: bool,
    ) -> Result<(Held<'_>, AppRoleCredentials), Error> {
        folder.reserve()?;
        let redeemed = self.redeem_into(folder, tried);
        if redeemed.is_err() {
            folder.release();
        }
        redeemed
    }

    fn redeem_into(
        &self,
        folder: &Folder,
        tried: bool,
    ) -> Result<(Held<'_>, AppRoleCredentials), Error> {
        let deadline = deadline_in(self.arguments.deadline);
        let mut client = Client::new(self.settings.clone())?;
        client.set_deadline(Some(deadline));
        let explain = |error: Error| if tried { error.used_here() } else { error };
        trade::inspect(&client, self.token, &self.arguments.creation_path, deadline)
            .map_err(explain)?;
        let held = self.signals.hold();
        folder.note_try(self.token)?;
        // the token is not given up half-way because the server took long to come up
        client.set_deadline(None);
        match trade::redeem(&client, self.token) {
            Ok(credentials) => Ok((held, credentials)),
            Err(error) => {
                if error.is_somebody_elses_doing() {
                    folder.forget_try()?; // the next start must not blame this one
                }
                Err(error)
            }
        }
    }
}

/// Takes the token out of the file as it is now: it may have changed since it was read, and another
/// token in it is for the next start.
fn take_out(environment_file: &Path, token: &SecretString) {
    let taken_out = EnvironmentFile::read(environment_file).and_then(|file| {
        for name in PREFIXES.map(|prefix| format!("{prefix}_{TOKEN}")) {
            let value = file.value(&name).map(Zeroizing::new);
            if value.is_some_and(|value| value.trim() == token.expose_secret()) {
                return file.remove(&name);
            }
        }
        Ok(())
    });
    if let Err(error) = taken_out {
        warn(format_args!(
            "the credentials are there, but the used token stays where it is: {error}"
        ));
    }
}
