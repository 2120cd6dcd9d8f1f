//! User lockout: after some refused logins (five by default) a server refuses each login of a role
//! for a while (15 minutes), also with valid credentials (concepts page "User lockout").
//!
//! The answer is a bare `permission denied`, which a mount that does not exist gives as well. A
//! login with an unknown role id tells them apart: an existing mount answers 400, and such a role
//! is never locked. A server that has locked a role does not tell whether its credentials are still
//! valid.

use serde_json::json;

use crate::{
    Authentication, Method, Request,
    exchange::{Answer, SendError},
    reply,
};

/// A role id that no server creates, because role ids are random.
const UNKNOWN_ROLE: &str = "00000000-0000-0000-0000-000000000000";

/// The messages of a server that refuses a login without verifying its credentials.
const DENIED: &str = "permission denied";
const DENIED_INLINE: &str = "failed to perform inline authentication: permission denied";

/// Returns whether `answer` refuses a login because the server has locked the role; `send` sends a
/// request to the same server.
pub(crate) fn is_locked_out(
    request: &Request<'_>,
    authentication: &Authentication,
    answer: &Answer,
    send: impl FnOnce(&Request<'_>) -> Result<Answer, SendError>,
) -> bool {
    let (path, denied) = match authentication {
        _ if request.is_login => (request.path.to_owned(), DENIED),
        Authentication::Inline { mount, .. } => (format!("auth/{mount}/login"), DENIED_INLINE),
        _ => return false,
    };
    if answer.status != 403 || reply::parse_messages(&answer.body) != [denied] {
        return false;
    }
    let unknown_role = Request::new(Method::Post, &path)
        .authentication(Authentication::None)
        .json(&json!({ "role_id": UNKNOWN_ROLE, "secret_id": UNKNOWN_ROLE }));
    let Ok(login) = unknown_role else {
        return false;
    };
    send(&login).is_ok_and(|answer| answer.status == 400)
}
