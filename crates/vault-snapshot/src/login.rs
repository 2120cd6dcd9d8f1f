//! The login to OpenBao.

use std::path::Path;

use secrecy::SecretString;
use zts_cli::{ConnectionArgs, Failure, read_text};
use zts_openbao::{Authentication, Client, Settings, approle, jwt, token};

use crate::cli::{AuthMethod, LoginArgs};

/// The credentials of a login. They are read once at the beginning, because a missing file is wrong
/// usage and no outage.
pub(crate) enum Login {
    Token(SecretString),
    AppRole {
        mount: String,
        credentials: zts_openbao::AppRoleCredentials,
    },
    Jwt {
        mount: String,
        role: String,
        jwt: SecretString,
    },
}

impl Login {
    /// Reads the credentials that the arguments name.
    ///
    /// # Errors
    /// A file is missing or invalid, or there is no token or role.
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
            AuthMethod::Token => zts_cli::operator_token(connection, settings).map(Self::Token),
            AuthMethod::Approle => Ok(Self::AppRole {
                mount: mount("approle"),
                credentials: zts_delivery::credentials::read(&arguments.approle_dir).map_err(
                    |cause| {
                        Failure::usage(cause).hint(
                            "name the folder with `role-id` and `secret-id` with `--approle-dir`",
                        )
                    },
                )?,
            }),
            AuthMethod::Jwt => read_jwt_login(mount("jwt"), arguments),
            AuthMethod::Kubernetes => read_jwt_login(mount("kubernetes"), arguments),
        }
    }

    /// Logs `client` in.
    ///
    /// # Errors
    /// OpenBao refuses the login or does not answer.
    pub(crate) fn log_in(&self, client: &mut Client) -> Result<(), zts_openbao::Error> {
        let token = match self {
            Self::Token(token) => token.clone(),
            Self::AppRole { mount, credentials } => approle::login(client, mount, credentials)?,
            Self::Jwt { mount, role, jwt } => jwt::login(client, mount, role, jwt)?,
        };
        client.authenticate(Authentication::Token(token));
        Ok(())
    }

    /// Revokes the login's token. Where the role does not allow it, the token has a short lifetime
    /// or is a batch token, which is stored nowhere.
    pub(crate) fn log_out(&self, client: &Client) {
        if !matches!(self, Self::Token(_)) {
            let _ = token::revoke_self(client);
        }
    }
}

fn read_jwt_login(mount: String, arguments: &LoginArgs) -> Result<Login, Failure> {
    let role = arguments.role.clone().ok_or_else(|| {
        Failure::usage("there is no role to log in with").hint("give it with `--role`")
    })?;
    Ok(Login::Jwt {
        mount,
        role,
        jwt: read_token(&arguments.jwt_file)?,
    })
}

/// Reads the token in a file.
///
/// # Errors
/// A file that cannot be read, or that holds no token.
pub(crate) fn read_token(path: &Path) -> Result<SecretString, Failure> {
    let text = read_text(path)?;
    let token = text.trim();
    if token.is_empty() || !token.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(Failure::usage(format!(
            "`{}` holds no token",
            path.display()
        )));
    }
    Ok(token.into())
}
