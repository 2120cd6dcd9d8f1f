//! One request to the API.

use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{Authentication, Error};

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
#[derive(Debug)]
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
        }
    }

    /// With `body` as JSON.
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

    /// Sends it to the root namespace, whatever the client's own is.
    #[must_use]
    pub(crate) fn in_root_namespace(mut self) -> Self {
        self.in_root_namespace = true;
        self
    }
}
