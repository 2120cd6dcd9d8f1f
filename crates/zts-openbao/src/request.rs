//! One request to the API.

use std::fmt;

use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

use zts_net::redaction::remember_secret;

use crate::{
    Authentication, Error, NodeError,
    exchange::{LARGEST, LARGEST_SMALL},
};

/// The operation on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// List the keys below a path.
    List,
    /// Create or update.
    Post,
    /// Delete.
    Delete,
}

impl Method {
    /// Returns the HTTP method. A list is a GET with the query `list=true`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get | Self::List => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// One request to the API, built step by step.
///
/// ```
/// use zts_openbao::{Method, Request};
///
/// let body = serde_json::json!({ "policy": "path \"secret/*\" { capabilities = [\"read\"] }" });
/// let request = Request::new(Method::Post, "sys/policies/acl/reader").json(&body)?.repeatable();
/// // the Debug output never shows the body
/// assert_eq!(format!("{request:?}"), "Post sys/policies/acl/reader");
/// # Ok::<_, zts_openbao::Error>(())
/// ```
#[expect(
    clippy::struct_excessive_bools,
    reason = "properties that do not depend on each other, each set by one function"
)]
pub struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    /// The version of a KV secret to read.
    pub(crate) version: Option<u64>,
    pub(crate) body: Zeroizing<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, SecretString)>,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) repeatable: bool,
    pub(crate) in_root_namespace: bool,
    /// Set for a login by AppRole, whose role a server may have locked.
    pub(crate) is_login: bool,
    /// The largest answer that is read, in bytes.
    pub(crate) largest: u64,
    pub(crate) has_secret_body: bool,
}

/// Shows the method and the path, and neither headers nor body.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

impl<'a> Request<'a> {
    /// Creates a request for `path`, which comes without `/v1/`. A read or a listing is sent to the
    /// next server when one does not answer, a write only when it surely was not carried out.
    pub fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            version: None,
            body: Zeroizing::default(),
            headers: Vec::new(),
            authentication: None,
            repeatable: matches!(method, Method::Get | Method::List),
            in_root_namespace: false,
            is_login: false,
            largest: LARGEST,
            has_secret_body: false,
        }
    }

    /// Sets `body` as JSON. Secrets in it are to be registered with [`Request::secret`].
    ///
    /// # Errors
    /// A body that cannot be serialized.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| Error::Request {
            path: self.path.to_owned(),
            reason: error.to_string(),
        })?;
        self.body = Zeroizing::new(bytes);
        Ok(self)
    }

    /// Registers `value`, a credential in the body, for redaction.
    #[must_use]
    pub fn secret(self, value: &SecretString) -> Self {
        remember_secret(value);
        self
    }

    /// Marks all of the body as secret: no message repeats the server's text about it. Short values
    /// cannot be redacted.
    #[must_use]
    pub fn secret_body(mut self) -> Self {
        self.has_secret_body = true;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<SecretString>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Replaces the client's authentication for this request.
    #[must_use]
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = Some(authentication);
        self
    }

    /// Marks a write as repeatable: carrying it out twice is harmless.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Reads this version of a KV secret.
    #[must_use]
    pub(crate) fn version(mut self, version: Option<u64>) -> Self {
        self.version = version;
        self
    }

    /// Marks a login by AppRole.
    #[must_use]
    pub(crate) fn login(mut self) -> Self {
        self.is_login = true;
        self
    }

    /// Limits the answer to 1 MiB.
    #[must_use]
    pub(crate) fn small_answer(mut self) -> Self {
        self.largest = LARGEST_SMALL;
        self
    }

    /// Drops the server's messages from `error` where all of the body is secret.
    pub(crate) fn without_messages(&self, error: NodeError) -> NodeError {
        match error {
            NodeError::Server { status, .. } if self.has_secret_body => NodeError::Server {
                status,
                messages: Vec::new(),
            },
            NodeError::Redirected { to, cause } => NodeError::Redirected {
                to,
                cause: Box::new(self.without_messages(*cause)),
            },
            error => error,
        }
    }

    /// Sends it to the root namespace instead of the client's.
    #[must_use]
    pub(crate) fn in_root_namespace(mut self) -> Self {
        self.in_root_namespace = true;
        self
    }
}
