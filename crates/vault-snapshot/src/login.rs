//! Who asks.

use std::{fs, io::Read, path::Path};

use cli::{ConnectionArgs, Failure};
use openbao::{Authentication, Client, Settings, approle, jwt, token};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::cli::{LoginArgs, Method};

/// Longer than any JWT.
const LONGEST: u64 = 1 << 20;

/// What a login needs, read once at the beginning: a file that is missing is wrong usage, not an outage.
pub(crate) enum Login {
    Token(SecretString),
    AppRole {
        mount: String,
        credentials: openbao::AppRoleCredentials,
    },
    Jwt {
        mount: String,
        role: String,
        jwt: SecretString,
    },
}

impl Login {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// Files that are missing or hold nothing of the kind, no token, no role.
    pub(crate) fn read(
        arguments: &LoginArgs,
        connection: &ConnectionArgs,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let mount = |default: &str| {
            let given = arguments.auth_mount.as_deref();
            given.unwrap_or(default).trim_matches('/').to_owned()
        };
        match arguments.auth {
            Method::Token => cli::operator_token(connection, settings).map(Self::Token),
            Method::Approle => Ok(Self::AppRole {
                mount: mount("approle"),
                credentials: delivery::credentials::read(&arguments.approle_dir).map_err(
                    |cause| {
                        Failure::usage(cause).hint(
                            "name the folder with `role-id` and `secret-id` with `--approle-dir`",
                        )
                    },
                )?,
            }),
            Method::Jwt => workload(mount("jwt"), arguments),
            Method::Kubernetes => workload(mount("kubernetes"), arguments),
        }
    }

    /// Logs `client` in.
    ///
    /// # Errors
    /// A login that is refused, and what the server does.
    pub(crate) fn apply(&self, client: &mut Client) -> Result<(), openbao::Error> {
        let token = match self {
            Self::Token(token) => token.clone(),
            Self::AppRole { mount, credentials } => approle::login(client, mount, credentials)?,
            Self::Jwt { mount, role, jwt } => jwt::login(client, mount, role, jwt)?,
        };
        client.authenticate(Authentication::Token(token));
        Ok(())
    }

    /// Ends the login. A role that may not end its own token gives it a short life, or makes batch tokens, which
    /// are stored nowhere.
    pub(crate) fn end(&self, client: &Client) {
        if !matches!(self, Self::Token(_)) {
            let _ = token::revoke_self(client);
        }
    }
}

fn workload(mount: String, arguments: &LoginArgs) -> Result<Login, Failure> {
    let role = arguments.role.clone().ok_or_else(|| {
        Failure::usage("the role to log in with is not known").hint("give it with `--role`")
    })?;
    Ok(Login::Jwt {
        mount,
        role,
        jwt: read_word(&arguments.jwt_file)?,
    })
}

/// The one word in a file: a token.
///
/// # Errors
/// A file that cannot be read, or that holds something else.
pub(crate) fn read_word(path: &Path) -> Result<SecretString, Failure> {
    let shown = path.display();
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|cause| Failure::usage(format!("`{shown}` could not be read: {cause}")))?;
    let word = text.trim();
    if word.is_empty() || !word.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(Failure::usage(format!("`{shown}` holds no token")));
    }
    Ok(word.into())
}
