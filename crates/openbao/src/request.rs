//! One request to the API.

use std::fmt;

use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    Authentication, Error, Trouble,
    exchange::{LARGEST, LARGEST_SMALL},
    redaction,
};

/// What is asked of a path.
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

/// One request to the API, built step by step.
#[expect(
    clippy::struct_excessive_bools,
    reason = "properties that do not depend on each other, each set by one function"
)]
pub struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) body: Zeroizing<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, SecretString)>,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) repeatable: bool,
    pub(crate) in_root_namespace: bool,
    /// Whether it is a login by AppRole, whose role a server may have locked.
    pub(crate) is_login: bool,
    /// The largest answer that is read, in bytes.
    pub(crate) largest: u64,
    pub(crate) has_secret_body: bool,
}

/// What is asked, and nothing of what is sent with it.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

impl<'a> Request<'a> {
    /// A request for `path`, which comes without `/v1/`. A read and a listing may be asked of the
    /// next server when one does not answer; a write only when it surely was not carried out.
    pub fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
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

    /// With `body` as JSON; what is secret in it is named with [`Request::secret`].
    ///
    /// # Errors
    /// A body that JSON cannot say.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| Error::Request {
            path: self.path.to_owned(),
            reason: error.to_string(),
        })?;
        self.body = Zeroizing::new(bytes);
        Ok(self)
    }

    /// Says that `value` stands in the body and is a credential: no message shows it from now on.
    #[must_use]
    pub fn secret(self, value: &SecretString) -> Self {
        redaction::remember(value);
        self
    }

    /// Says that all of the body is secret, however short its parts are: nothing that the server says about it
    /// is repeated.
    #[must_use]
    pub fn secret_body(mut self) -> Self {
        self.has_secret_body = true;
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<SecretString>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With another proof of who asks than the client's own.
    #[must_use]
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = Some(authentication);
        self
    }

    /// Says that carrying this write out twice does no harm.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Says that this is a login by AppRole.
    #[must_use]
    pub(crate) fn login(mut self) -> Self {
        self.is_login = true;
        self
    }

    /// Says that an answer of more than a mebibyte is not OpenBao's.
    #[must_use]
    pub(crate) fn small_answer(mut self) -> Self {
        self.largest = LARGEST_SMALL;
        self
    }

    /// The server's words are not repeated where all of the body is secret.
    pub(crate) fn without_words(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Server { status, .. } if self.has_secret_body => Trouble::Server {
                status,
                messages: Vec::new(),
            },
            trouble => trouble,
        }
    }

    /// Sends it to the root namespace, whatever the client's own is.
    #[must_use]
    pub(crate) fn in_root_namespace(mut self) -> Self {
        self.in_root_namespace = true;
        self
    }
}
