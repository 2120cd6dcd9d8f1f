//! Reads the wrapping token from its sources.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;
use zts_openbao::wrapping;
use zts_secure_fs::{LARGEST_TEXT, read_text_bounded, remove_file_if_exists};

use crate::{
    Arguments,
    environment_file::{EnvironmentFile, PREFIXES},
    failure::Error,
};

/// The name of the variable with the token, after `BAO_` or `VAULT_`.
pub(crate) const TOKEN_VARIABLE: &str = "WRAPPED_TOKEN";

/// Reads the token from the first source that has one; `None` if there is no token.
pub(crate) fn read_token(
    arguments: &Arguments,
    environment_file: &EnvironmentFile,
) -> Result<Option<SecretString>, Error> {
    for path in &arguments.token_file {
        if let Some(token) = read_token_file(path, format!("`{}`", path.display()))? {
            return Ok(Some(token));
        }
    }
    if let Some(name) = &arguments.credential
        && let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY")
    {
        let path = PathBuf::from(folder).join(name);
        if let Some(token) = read_token_file(&path, format!("the credential `{name}`"))? {
            return Ok(Some(token));
        }
    }
    for name in PREFIXES.map(|prefix| format!("{prefix}_{TOKEN_VARIABLE}")) {
        let text = env::var(&name).map(Zeroizing::new).unwrap_or_default();
        let text = without_comment(&text);
        if !text.is_empty() {
            return parse_token(text, name).map(Some);
        }
    }
    let line = environment_file
        .prefixed_value(TOKEN_VARIABLE)
        .map(Zeroizing::new)
        .filter(|text| !text.trim().is_empty());
    line.map(|text| parse_token(&text, format!("`{}`", arguments.environment_file.display())))
        .transpose()
}

/// Removes the comment after a value in `/etc/environment`, which systemd passes as a part of the
/// value.
fn without_comment(text: &str) -> &str {
    let end = text.find(" #").or_else(|| text.find("\t#"));
    text[..end.unwrap_or(text.len())].trim()
}

/// Reads the token in a file; `None` if the file does not exist.
fn read_token_file(path: &Path, source: String) -> Result<Option<SecretString>, Error> {
    match read_text_bounded(path, LARGEST_TEXT).map(Zeroizing::new) {
        Ok(text) => parse_token(&text, source).map(Some),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("read", path, cause)),
    }
}

/// Removes the files of `--token-file` that have this token. A file with another one stays for the
/// next start.
pub(crate) fn remove_token_files(arguments: &Arguments, token: &SecretString) -> Result<(), Error> {
    for path in &arguments.token_file {
        let text = read_text_bounded(path, LARGEST_TEXT).map(Zeroizing::new);
        if text.is_ok_and(|text| text.trim() == token.expose_secret()) {
            remove_file_if_exists(path).map_err(|cause| Error::io("remove", path, cause))?;
        }
    }
    Ok(())
}

/// Lists the sources of a token, for the message that there is none.
pub(crate) fn list_sources(arguments: &Arguments) -> String {
    let files = arguments.token_file.iter();
    let files = files.map(|path| format!("`{}`, ", path.display()));
    let credential = arguments.credential.iter();
    let credential = credential.map(|name| format!("the credential `{name}`, "));
    files
        .chain(credential)
        .chain([format!(
            "VAULT_WRAPPED_TOKEN or in `{}`",
            arguments.environment_file.display()
        )])
        .collect()
}

fn parse_token(text: &str, source_name: String) -> Result<SecretString, Error> {
    let token = text.trim();
    if token.is_empty() {
        return Err(Error::BadToken {
            source_name,
            reason: "is empty",
        });
    }
    if !token.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(Error::BadToken {
            source_name,
            reason: "has a character that is not valid in a token",
        });
    }
    let token = SecretString::from(token);
    if wrapping::is_damaged_jwt(&token) {
        return Err(Error::BadToken {
            source_name,
            reason: "is an incomplete JWT",
        });
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        /// No content of a token leads to a panic.
        #[test]
        fn any_token(payload in "\\PC{0,40}", expiry in proptest::num::u64::ANY, text in "\\PC{0,60}") {
            use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
            let expiry_of = |text: String| zts_openbao::wrapping::expiry(&text.into()).map(zts_cli::utc);
            let _ = expiry_of(text);
            for claims in [payload, format!(r#"{{"exp":{expiry}}}"#), format!(r#"{{"exp":-{expiry}.5e9}}"#)] {
                let _ = expiry_of(format!("eyJ.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims)));
            }
        }
    }
}
