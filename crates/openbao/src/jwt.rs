//! Logins by which a workload shows a token of its platform (API pages "JWT/OIDC auth method", "Kubernetes
//! auth method"): both take a role and a JWT.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{Authentication, Client, Error, Method, Request};

/// Logs in at the auth mount `mount` and gives the token; it is not used for further requests by itself.
///
/// # Errors
/// [`Error::LoginRefused`], and what [`Client::send`] gives.
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
