//! Reads the wrapping token from its sources.

use std::{
    env,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use zeroize::Zeroizing;
use zts_openbao::wrapping;
use zts_secure_fs::{LARGEST_TEXT, read_text_bounded};

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
    if let Some(path) = &arguments.token_file {
        return read_token_file(path, format!("`{}`", path.display())).map(Some);
    }
    if let Some(name) = &arguments.credential {
        let folder = env::var_os("CREDENTIALS_DIRECTORY")
            .ok_or_else(|| Error::NoCredential { name: name.clone() })?;
        return read_token_file(
            &PathBuf::from(folder).join(name),
            format!("the credential `{name}`"),
        )
        .map(Some);
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

fn read_token_file(path: &Path, source: String) -> Result<SecretString, Error> {
    let text = Zeroizing::new(
        read_text_bounded(path, LARGEST_TEXT).map_err(|cause| Error::io("read", path, cause))?,
    );
    parse_token(&text, source)
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
