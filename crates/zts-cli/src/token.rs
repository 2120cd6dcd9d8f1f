//! The token of the person or pipeline that runs a command, and the addresses it is sent to.
//!
//! A token that `bao login` saved is for the server that issued it, which is not recorded. It is
//! therefore sent only to an address that a flag or variable sets. An address that only a file of a
//! checkout names may be anybody's, so a person at a terminal must confirm it; without a terminal,
//! and where a program reads the result, the run ends. A token in `BAO_TOKEN` was given to this
//! command, and is sent to that address as well. Neither is sent unencrypted.

use std::{env, path::PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;
use zts_openbao::{Address, Settings};
use zts_secure_fs::{LARGEST_TEXT, read_text_bounded};

use crate::{
    connection::{ConnectionArgs, variable},
    failure::Failure,
    prompt::{ask, can_ask},
};

/// Returns the token from `BAO_TOKEN` or `VAULT_TOKEN`, else the one that `bao login` saved in
/// `~/.vault-token`, for the servers of `settings`.
///
/// # Errors
/// No token, one with a character that no token has, or one that must not be sent to these servers.
pub fn operator_token(
    connection: &ConnectionArgs,
    settings: &Settings,
) -> Result<SecretString, Failure> {
    operator_token_in_checkout(connection, settings, "a file", true)
}

/// As [`operator_token`]; `file` is the file of a checkout that names the address where neither
/// flag nor variable does. Asks about that address only if `is_interactive`.
///
/// # Errors
/// As [`operator_token`].
pub fn operator_token_in_checkout(
    connection: &ConnectionArgs,
    settings: &Settings,
    file: &str,
    is_interactive: bool,
) -> Result<SecretString, Failure> {
    let given = variable("TOKEN").map(Zeroizing::new);
    let is_saved = given.is_none();
    let Some(token) = given.or_else(read_saved_token) else {
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
    refuse_unencrypted(settings, is_saved, is_named, file)?;
    if is_saved && !is_named {
        confirm(&settings.addresses, file, is_interactive && can_ask())?;
    }
    Ok(token.into())
}

/// Reads the token of the last `bao login` (documentation page "Token helpers").
fn read_saved_token() -> Option<Zeroizing<String>> {
    let home = PathBuf::from(env::var_os("HOME")?);
    read_text_bounded(&home.join(".vault-token"), LARGEST_TEXT)
        .ok()
        .map(Zeroizing::new)
}

fn refuse_unencrypted(
    settings: &Settings,
    is_saved: bool,
    is_named: bool,
    file: &str,
) -> Result<(), Failure> {
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
        "the token in `BAO_TOKEN` is not sent to `{address}`, which nobody but `{file}` names: it could be read on the way"
    ))
    .hint(format!("if that is meant: `--address {address}`")))
}

/// Asks the person at the terminal whether the saved token may be sent to an address that only a
/// file names. Any answer but `yes` is a no.
fn confirm(addresses: &[Address], file: &str, can_ask: bool) -> Result<(), Failure> {
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let shown = shown.join(",");
    let refused = || {
        Failure::usage(format!(
            "the token that `bao login` saved is not sent to `{shown}`, which nobody but `{file}` names"
        ))
        .hint(format!("if that is your OpenBao: `export BAO_ADDR={shown}`"))
    };
    if !can_ask {
        return Err(refused());
    }
    let answer = ask(format_args!(
        "`{file}` names the OpenBao at {shown}. Type `yes` to send it the token that `bao login` saved:\n"
    ))?;
    if answer.as_deref() == Some("yes") {
        return Ok(());
    }
    Err(refused())
}
