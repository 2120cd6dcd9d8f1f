//! Logins with a role and a JWT of a workload's platform (API pages "JWT/OIDC auth method" and
//! "Kubernetes auth method").

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{Authentication, Client, Error, Method, Request};

/// Logs in at the auth mount `mount` and returns the token, which the client does not use by
/// itself.
///
/// # Errors
/// [`Error::LoginRefused`], and those of [`Client::send`].
pub fn login(
    client: &Client,
    mount: &str,
    role: &str,
    jwt: &SecretString,
) -> Result<SecretString, Error> {
    #[derive(Serialize)]
    struct Body<'a> {
        role: &'a str,
        jwt: &'a str,
    }
    let path = format!("auth/{mount}/login");
    let request = Request::new(Method::Post, &path)
        .json(&Body {
            role,
            jwt: jwt.expose_secret(),
        })?
        .secret(jwt)
        .authentication(Authentication::None)
        .repeatable();
    client.login(&request)
}
