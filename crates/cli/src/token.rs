//! The token of the person or pipeline that runs a command.

use std::{env, path::PathBuf};

use secrecy::SecretString;
use secure_fs::{LARGEST_TEXT, read_text_bounded};
use zeroize::Zeroizing;

use crate::{Failure, connection::variable};

/// The token from `BAO_TOKEN` or `VAULT_TOKEN`, else the one that `bao login` left in `~/.vault-token`.
///
/// # Errors
/// There is none, or it has a character that no token has.
pub fn operator_token() -> Result<SecretString, Failure> {
    let token = variable("TOKEN").or_else(saved).map(Zeroizing::new);
    let Some(token) = token else {
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
    Ok(token.into())
}

/// What OpenBao's command line keeps of its last login (documentation page "Token helpers").
fn saved() -> Option<String> {
    let home = PathBuf::from(env::var_os("HOME")?);
    read_text_bounded(&home.join(".vault-token"), LARGEST_TEXT).ok()
}
