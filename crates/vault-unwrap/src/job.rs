//! The steps of the program: read the token, trade it, store the credentials.

use std::{path::Path, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;
use zts_cli::{Failure, Held, SignalBlock, Status, note, warn};
use zts_delivery::RuntimeDir;
use zts_net::deadline_in;
use zts_openbao::{AppRoleCredentials, Client, Settings, approle};
use zts_secure_fs::Lock;

use crate::{
    Arguments,
    credentials::CredentialsFolder,
    environment_file::{EnvironmentFile, PREFIXES},
    failure::Error,
    token::{TOKEN_VARIABLE, list_sources, read_token, remove_token_files},
    trade,
};

/// The time limit for waiting until another process has logged in.
const LOGIN_TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// The time limit for a login with the existing credentials, for which the boot waits.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the program.
///
/// # Errors
/// The host has no credentials; with `--best-effort`, only wrong usage.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`zts_cli::main` passes the arguments by value"
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
    let token = read_token(arguments, &environment_file)?;
    let existing = LockedFolder::open(arguments)?;
    if existing.is_some() {
        environment_file.remove_leftover_draft();
    }
    let Some(token) = token else {
        let credentials = existing.and_then(|existing| existing.credentials);
        return match credentials {
            Some(_) => Ok(()),
            None => Err(Error::NoToken {
                sources: list_sources(arguments),
            }
            .into()),
        };
    };
    let settings = arguments
        .connection
        .settings_or(|name| environment_file.prefixed_value(name))?;
    let locked = match existing {
        Some(existing) => existing,
        None => LockedFolder::create(arguments)?,
    };
    let trade = TokenTrade {
        arguments,
        settings,
        token: &token,
        signals: &signals,
    };
    if trade.run(&locked)? {
        remove_token(arguments, &token);
    }
    Ok(())
}

/// The locked folder, and the credentials in it.
struct LockedFolder {
    folder: CredentialsFolder,
    credentials: Option<AppRoleCredentials>,
    _lock: Lock,
}

impl LockedFolder {
    /// Opens and locks the folder; `None` if it does not exist.
    fn open(arguments: &Arguments) -> Result<Option<Self>, Error> {
        let folder = CredentialsFolder::open(&arguments.approle_dir)?;
        folder
            .map(|folder| Self::lock(folder, arguments))
            .transpose()
    }

    /// Opens and locks the folder. Creates it where it is missing. Another run may have stored
    /// credentials meanwhile.
    fn create(arguments: &Arguments) -> Result<Self, Error> {
        Self::lock(
            CredentialsFolder::create(&arguments.approle_dir)?,
            arguments,
        )
    }

    fn lock(folder: CredentialsFolder, arguments: &Arguments) -> Result<Self, Error> {
        let lock = folder.lock(deadline_in(arguments.deadline))?;
        Ok(Self {
            credentials: folder.read_credentials()?,
            folder,
            _lock: lock,
        })
    }
}

/// The node that gets a request. A standby may have old data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TargetNode {
    Any,
    Active,
}

/// The values that the steps share.
struct TokenTrade<'a> {
    arguments: &'a Arguments,
    settings: Settings,
    token: &'a SecretString,
    signals: &'a SignalBlock,
}

impl TokenTrade<'_> {
    /// Decides whether to trade the token, and trades it. Returns whether the token is not needed
    /// any more.
    fn run(&self, locked: &LockedFolder) -> Result<bool, Error> {
        let folder = &locked.folder;
        let tried = folder.was_tried(self.token)?;
        let Some(credentials) = &locked.credentials else {
            return self.trade(folder, tried).map(|()| true);
        };
        match self.log_in(credentials, TargetNode::Any) {
            Ok(()) if tried => Ok(true),
            Ok(()) => Ok(self.replace_working(folder)),
            Err(zts_openbao::Error::LoginRefused { .. }) => {
                note("the credentials of this host are refused; the wrapping token replaces them");
                self.trade(folder, tried).map(|()| true)
            }
            // a trade needs no login, and replaces the credentials only if it succeeds
            Err(error) if error.is_locked_out() => {
                note(
                    "OpenBao has locked this host's role, so its credentials cannot be checked; the wrapping \
                     token replaces them",
                );
                self.trade(folder, tried).map(|()| true)
            }
            Err(error) => {
                warn(format_args!(
                    "the wrapping token of this host stays for the next start, because its credentials cannot be \
                     checked: {error}"
                ));
                Ok(false)
            }
        }
    }

    /// Logs in within the time limit of a boot, unless OpenBao refused these credentials recently:
    /// too many refusals lock the role.
    fn log_in(
        &self,
        credentials: &AppRoleCredentials,
        node: TargetNode,
    ) -> Result<(), zts_openbao::Error> {
        let mut client = Client::new(self.settings.clone())?;
        if node == TargetNode::Active {
            client = client.active();
        }
        client.set_deadline(Some(deadline_in(
            self.arguments.deadline.min(LOGIN_TIMEOUT),
        )));
        let mount = &self.arguments.approle_mount;
        let login = || approle::login(&client, mount, credentials);
        let limiter = RuntimeDir::hidden_in(&self.arguments.approle_dir).login_limiter();
        limiter
            .limit(credentials, mount, &client, LOGIN_TURN_TIMEOUT, login)
            .map(drop)
    }

    /// Trades a token that this host never tried, although its credentials work: the token is
    /// newer, because the machine is a clone or has another name now. On failure the credentials
    /// stay.
    fn replace_working(&self, folder: &CredentialsFolder) -> bool {
        note(
            "this host has working credentials and a wrapping token that it never tried: the token is newer, and is \
             traded",
        );
        match self.trade_if_good(folder) {
            Ok(()) => true,
            Err(error) => {
                let failure = Failure::from(error).page("runbook/token-not-traded.md");
                warn(format_args!(
                    "the credentials and the wrapping token of this host stay: {}",
                    failure.message()
                ));
                if let Some(hint) = failure.hint_text() {
                    note(format_args!("\nhint: {hint}"));
                }
                false
            }
        }
    }

    fn trade_if_good(&self, folder: &CredentialsFolder) -> Result<(), Error> {
        let (_held, credentials) = self.redeem(folder, false)?;
        let mut tried = self.log_in(&credentials, TargetNode::Any);
        if let Err(zts_openbao::Error::LoginRefused { .. }) = tried {
            // a standby that lags behind does not know them yet, and they cannot be issued again
            tried = self.log_in(&credentials, TargetNode::Active);
        }
        if let Err(cause @ zts_openbao::Error::LoginRefused { .. }) = tried {
            folder.release_space();
            return Err(Error::RefusedCredentials { cause });
        }
        folder.store(&credentials);
        Ok(())
    }

    fn trade(&self, folder: &CredentialsFolder, tried: bool) -> Result<(), Error> {
        let (_held, credentials) = self.redeem(folder, tried)?;
        folder.store(&credentials);
        Ok(())
    }

    /// Reserves space, and unwraps the token. Signals do not end the process while the credentials
    /// are only in memory.
    fn redeem(
        &self,
        folder: &CredentialsFolder,
        tried: bool,
    ) -> Result<(Held<'_>, AppRoleCredentials), Error> {
        folder.reserve_space()?;
        let redeemed = self.redeem_into(folder, tried);
        if redeemed.is_err() {
            folder.release_space();
        }
        redeemed
    }

    fn redeem_into(
        &self,
        folder: &CredentialsFolder,
        tried: bool,
    ) -> Result<(Held<'_>, AppRoleCredentials), Error> {
        let deadline = deadline_in(self.arguments.deadline);
        let mut client = Client::new(self.settings.clone())?;
        client.set_deadline(Some(deadline));
        let explain = |error: Error| {
            if tried { error.after_own_try() } else { error }
        };
        trade::check_token(&client, self.token, &self.arguments.creation_path, deadline)
            .map_err(explain)?;
        let held = self.signals.hold();
        folder.record_try(self.token)?;
        // the deadline is for the lookup only: a request that uses the token is not abandoned
        client.set_deadline(None);
        match trade::unwrap_token(&client, self.token) {
            Ok(credentials) => Ok((held, credentials)),
            Err(error) => {
                if error.suggests_interception() {
                    folder.remove_try()?; // the next start must report the interception, too
                }
                Err(error)
            }
        }
    }
}

/// Removes the used token from the files that have it.
fn remove_token(arguments: &Arguments, token: &SecretString) {
    let removed = remove_token_files(arguments, token)
        .and_then(|()| remove_token_line(&arguments.environment_file, token));
    if let Err(error) = removed {
        warn(format_args!(
            "the credentials are stored, but the used token stays in the file: {error}"
        ));
    }
}

/// Removes the token from the environment file. Reads the file again, because it may have changed.
/// Another token in it stays for the next start.
fn remove_token_line(environment_file: &Path, token: &SecretString) -> Result<(), Error> {
    let file = EnvironmentFile::read(environment_file)?;
    for name in PREFIXES.map(|prefix| format!("{prefix}_{TOKEN_VARIABLE}")) {
        let value = file.value(&name).map(Zeroizing::new);
        if value.is_some_and(|value| value.trim() == token.expose_secret()) {
            return file.remove_variable(&name);
        }
    }
    Ok(())
}
