//! Tokens and token roles (API page "Token auth method").

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::{Client, Error, Method, NodeError, Request};

/// The properties of a token.
#[derive(Debug, Deserialize)]
pub struct TokenInfo {
    /// Its policies.
    pub policies: Vec<String>,
    /// The time until it expires, in seconds; 0 where it does not expire.
    pub ttl: u64,
}

/// Looks up the token that the client authenticates with.
///
/// # Errors
/// [`Error::Denied`] where it is not valid, and those of [`Client::send`].
pub fn lookup_self(client: &Client) -> Result<TokenInfo, Error> {
    client.data(&Request::new(Method::Get, "auth/token/lookup-self"))
}

/// Revokes the token that the client authenticates with (API page `auth/token/revoke-self`).
///
/// # Errors
/// [`Error::Denied`] where it is not valid, and those of [`Client::send`].
pub fn revoke_self(client: &Client) -> Result<(), Error> {
    let request = Request::new(Method::Post, "auth/token/revoke-self").repeatable();
    client.send_ignoring_reply(&request)
}

/// A token role: the tokens that it may create (API path `auth/token/roles`).
#[derive(Debug, Deserialize)]
pub struct TokenRole {
    /// The policies that its tokens may have.
    #[serde(default)]
    pub allowed_policies: Vec<String>,
    /// The same with globs, where `*` matches anything.
    #[serde(default)]
    pub allowed_policies_glob: Vec<String>,
    /// The type of its tokens: `batch`, `service` or one of the mount's defaults.
    #[serde(default)]
    pub token_type: String,
}

impl TokenRole {
    /// Returns whether its tokens may have this policy.
    pub fn allows(&self, policy: &str) -> bool {
        let mut globs = self.allowed_policies_glob.iter();
        self.allowed_policies
            .iter()
            .any(|allowed| allowed == policy)
            || globs.any(|glob| matches_glob(glob, policy))
    }
}

/// Reads a token role.
///
/// # Errors
/// [`Error::NotFound`] where there is none of this name, and those of [`Client::send`].
pub fn read_role(client: &Client, name: &str) -> Result<TokenRole, Error> {
    client.data(&Request::new(
        Method::Get,
        &format!("auth/token/roles/{name}"),
    ))
}

/// Creates a token of a role for batch tokens, which the server does not store. It is valid for a
/// minute.
///
/// # Errors
/// [`Error::Refused`] where the role does not allow the policies, and those of [`Client::send`].
pub fn create_batch(
    client: &Client,
    role: &str,
    policies: &[&str],
    with_default: bool,
) -> Result<SecretString, Error> {
    let path = format!("auth/token/create/{role}");
    let body = json!({ "policies": policies, "no_default_policy": !with_default, "ttl": "60s" });
    let request = Request::new(Method::Post, &path).json(&body)?.repeatable();
    let reply = client.send::<serde::de::IgnoredAny>(&request)?;
    let login = reply.and_then(|reply| reply.auth);
    let login = login.ok_or_else(|| client.incomplete_reply("auth"))?;
    let default = with_default.then_some("default");
    let requested: BTreeSet<_> = policies.iter().copied().chain(default).collect();
    let granted = login.policies.unwrap_or_default();
    // a role with `allowed_policies` gives all of them to a request without policies
    if !granted.iter().map(String::as_str).eq(requested) {
        let granted: Vec<_> = granted.into_iter().collect();
        let reason = format!("the token has the policies {granted:?}, which were not requested");
        return Err(client.unavailable(NodeError::BadReply(reason)));
    }
    Ok(login.client_token)
}

/// Returns whether `text` matches `glob`, where `*` matches any text, the empty one included.
fn matches_glob(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_allowed_by_name_and_by_glob() {
        let role = TokenRole {
            allowed_policies: vec!["shared".to_owned()],
            allowed_policies_glob: vec!["host-*".to_owned(), "a*b*c".to_owned()],
            token_type: "batch".to_owned(),
        };
        for (policy, allowed) in [
            ("shared", true),
            ("shared2", false),
            ("host-web01", true),
            ("host-", true),
            ("ghost-web01", false),
            ("abc", true),
            ("a1b2b3c", true),
            ("acb", false),
            ("ab", false),
        ] {
            assert_eq!(role.allows(policy), allowed, "{policy}");
        }
    }
}
