//! User lockout: after some refused logins (five by default) a server refuses a role for a while (15 minutes),
//! whatever it shows (concepts page "User lockout").
//!
//! The answer is a bare `permission denied`, which a mount that does not exist gives as well. A login of a
//! role that nobody has tells them apart: a mount that is there answers 400, and such a role is never locked.
//! Whether the credentials are still good cannot be known from a server that has locked their role.

use serde_json::json;

use crate::{Authentication, Error, Method, Request, exchange::Answer, reply, transport::NoAnswer};

/// A role id that no server makes: they are random.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// The words of a server that refuses a login with a request without looking at its credentials.
const DENIED: &str = "permission denied";
const DENIED_INLINE: &str = "failed to perform inline authentication: permission denied";

/// Whether `answer` refuses a login because the server has locked the role; `ask` asks the same server.
pub(crate) fn is_locked_out(
    request: &Request<'_>,
    authentication: &Authentication,
    answer: &Answer,
    ask: impl FnOnce(&Request<'_>) -> Result<Result<Answer, NoAnswer>, Error>,
) -> bool {
    let (path, denied) = match authentication {
        _ if request.is_login => (request.path.to_owned(), DENIED),
        Authentication::Inline { mount, .. } => (format!("auth/{mount}/login"), DENIED_INLINE),
        _ => return false,
    };
    if answer.status != 403 || reply::messages(&answer.body) != [denied] {
        return false;
    }
    let of_nobody = Request::new(Method::Post, &path)
        .authentication(Authentication::None)
        .json(&json!({ "role_id": NOBODY, "secret_id": NOBODY }));
    let asked = of_nobody.and_then(|request| ask(&request));
    matches!(asked, Ok(Ok(answer)) if answer.status == 400)
}
