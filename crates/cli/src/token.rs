//! The token of the person or pipeline that runs a command, and where it may go.
//!
//! A token that `bao login` saved is for the server that it was obtained from, which nobody noted. So it goes
//! to an address that the person named, by flag or variable. An address that only a file of a checkout names
//! may be anybody's: a person at a terminal is asked, and else the run ends. A token in `BAO_TOKEN` was given
//! to this command, and goes to that address as well, but neither of them unencrypted.

use std::{
    env,
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

use openbao::{Address, Settings};
use secrecy::SecretString;
use secure_fs::{LARGEST_TEXT, read_text_bounded};
use zeroize::Zeroizing;

use crate::{ConnectionArgs, Failure, connection::variable, message::note};

/// The token from `BAO_TOKEN` or `VAULT_TOKEN`, else the one that `bao login` left in `~/.vault-token`, for
/// the servers of `settings`.
///
/// # Errors
/// There is none, it has a character that no token has, or it is not for these servers.
pub fn operator_token(
    connection: &ConnectionArgs,
    settings: &Settings,
) -> Result<SecretString, Failure> {
    let given = variable("TOKEN").map(Zeroizing::new);
    let is_saved = given.is_none();
    let Some(token) = given.or_else(saved) else {
        return Err(Failure::usage("there is no OpenBao token to work with")
            .hint("run `bao login` first, or set `BAO_TOKEN`"));
    };
    let token = token.trim();
    if token.is_empty() || !token.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(
            Failure::usage("the OpenBao token has a character that no token has")
                .hint("run `bao login` again, or set `BAO_TOKEN` anew"),
        );
    }
    let is_named = connection.names_address();
    refuse_unencrypted(settings, is_saved, is_named)?;
    if is_saved && !is_named {
        confirm(&settings.addresses)?;
    }
    Ok(token.into())
}

/// What OpenBao's command line keeps of its last login (documentation page "Token helpers").
fn saved() -> Option<Zeroizing<String>> {
    let home = PathBuf::from(env::var_os("HOME")?);
    read_text_bounded(&home.join(".vault-token"), LARGEST_TEXT)
        .ok()
        .map(Zeroizing::new)
}

fn refuse_unencrypted(settings: &Settings, is_saved: bool, is_named: bool) -> Result<(), Failure> {
    let is_open = |address: &&Address| !address.is_encrypted() && !address.is_loopback();
    let Some(address) = settings.addresses.iter().find(is_open) else {
        return Ok(());
    };
    if is_saved {
        return Err(Failure::usage(format!(
            "the token that `bao login` saved is not sent to `{address}`: it could be read on the way"
        ))
        .hint("give the server's `https://` address, or set `BAO_TOKEN` for this command"));
    }
    if is_named {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the token in `BAO_TOKEN` is not sent to `{address}`, which nobody but `fleet.toml` names: it could be read on the way"
    ))
    .hint(format!("if that is meant: `--address {address}`")))
}

/// Asks the person at the terminal whether the saved token may go to an address that nobody named.
fn confirm(addresses: &[Address]) -> Result<(), Failure> {
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let shown = shown.join(",");
    let refused = || {
        Failure::usage(format!(
            "the token that `bao login` saved is not sent to `{shown}`, which nobody but `fleet.toml` names"
        ))
        .hint(format!("if that is your OpenBao: `export BAO_ADDR={shown}`"))
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refused());
    }
    note(format_args!(
        "`fleet.toml` names the OpenBao at {shown}. Type `yes` to send it the token that `bao login` saved:"
    ));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|cause| Failure::failed(format!("the answer could not be read: {cause}")))?;
    if line.trim() == "yes" {
        return Ok(());
    }
    Err(refused())
}
