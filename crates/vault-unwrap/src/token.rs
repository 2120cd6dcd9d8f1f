//! Where the wrapping token comes from.

use std::{
    env,
    path::{Path, PathBuf},
};

use openbao::wrapping;
use secrecy::SecretString;
use secure_fs::{LARGEST_TEXT, read_text_bounded};
use zeroize::Zeroizing;

use crate::{
    Arguments,
    environment_file::{EnvironmentFile, PREFIXES},
    failure::Error,
};

/// The variable that carries the token, behind `BAO_` or `VAULT_`.
pub(crate) const TOKEN: &str = "WRAPPED_TOKEN";

/// The token, from the first place that has one; `None` where no place has.
pub(crate) fn find(
    arguments: &Arguments,
    environment_file: &EnvironmentFile,
) -> Result<Option<SecretString>, Error> {
    if let Some(path) = &arguments.token_file {
        return from_file(path, format!("`{}`", path.display())).map(Some);
    }
    if let Some(name) = &arguments.credential {
        let folder = env::var_os("CREDENTIALS_DIRECTORY")
            .ok_or_else(|| Error::NoCredential { name: name.clone() })?;
        return from_file(
            &PathBuf::from(folder).join(name),
            format!("the credential `{name}`"),
        )
        .map(Some);
    }
    for name in PREFIXES.map(|prefix| format!("{prefix}_{TOKEN}")) {
        let text = env::var(&name).map(Zeroizing::new).unwrap_or_default();
        if !text.trim().is_empty() {
            return check(&text, name).map(Some);
        }
    }
    let line = environment_file
        .either(TOKEN)
        .map(Zeroizing::new)
        .filter(|text| !text.trim().is_empty());
    line.map(|text| check(&text, format!("`{}`", arguments.environment_file.display())))
        .transpose()
}

fn from_file(path: &Path, source: String) -> Result<SecretString, Error> {
    let text = Zeroizing::new(
        read_text_bounded(path, LARGEST_TEXT).map_err(|cause| Error::io("read", path, cause))?,
    );
    check(&text, source)
}

fn check(text: &str, source_name: String) -> Result<SecretString, Error> {
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
            reason: "has a character that no token has",
        });
    }
    let token = SecretString::from(token);
    if wrapping::is_damaged(&token) {
        return Err(Error::BadToken {
            source_name,
            reason: "is a JWT that is not whole",
        });
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        /// Whatever a token says of itself is no reason to panic.
        #[test]
        fn any_token(payload in "\\PC{0,40}", expiry in proptest::num::u64::ANY, text in "\\PC{0,60}") {
            use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
            let expiry_of = |text: String| openbao::wrapping::expiry(&text.into()).map(cli::utc);
            let _ = expiry_of(text);
            for claims in [payload, format!(r#"{{"exp":{expiry}}}"#), format!(r#"{{"exp":-{expiry}.5e9}}"#)] {
                let _ = expiry_of(format!("eyJ.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims)));
            }
        }
    }
}
