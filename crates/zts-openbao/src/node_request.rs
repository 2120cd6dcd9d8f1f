//! One request to one node: its headers, redirects, and what the answer stands for.

use secrecy::SecretString;
use ureq::Agent;
use zts_net::Limits;

use crate::{
    Address, Client, Error, Method, NodeError, Request,
    api_error::classify_answer,
    destination::{RedirectError, RedirectReason, clean_location, resolve_redirect},
    exchange::{Answer, Message, NoAnswer, OpenedAnswer, SendError, exchange, is_redirect},
    lockout, path,
    route::{ActiveNode, standby_error},
};

impl Client {
    /// Sends `request` to one server and parses the answer; `None` for an answer without a body.
    pub(crate) fn send_to_node<R>(
        &self,
        address: &Address,
        request: &Request<'_>,
        limits: Limits,
        parse: impl Fn(&Answer) -> Result<R, NodeError>,
    ) -> Result<Option<R>, SendError> {
        let answer = self.follow_redirect(address, request, limits)?;
        if answer.status >= 300 {
            let own = &self.authentication;
            let authentication = request.authentication.as_ref().unwrap_or(own);
            let send = |login: &Request<'_>| self.follow_redirect(address, login, limits);
            if lockout::is_locked_out(request, authentication, &answer, send) {
                return Err(SendError::not_carried_out(NodeError::LockedOut));
            }
            let with_messages = !request.has_secret_body;
            return Err(classify_answer(address, request.path, &answer, with_messages).into());
        }
        if answer.body.is_empty() {
            return Ok(None);
        }
        parse(&answer).map(Some).map_err(|error| {
            SendError::NoAnswer(NoAnswer {
                error,
                may_have_acted: true,
            })
        })
    }

    /// Sends `request` to one server, and to another one where the first redirects it and
    /// [`crate::destination`] allows that.
    fn follow_redirect(
        &self,
        address: &Address,
        request: &Request<'_>,
        limits: Limits,
    ) -> Result<Answer, SendError> {
        let headers = self.headers(request);
        let encoded = path::encode(request.path)?;
        let query = match (request.method, request.version) {
            (Method::List, _) => "?list=true".to_owned(),
            (_, Some(version)) => format!("?version={version}"),
            (_, None) => String::new(),
        };
        let path_and_query = format!("{encoded}{query}");
        let mut server = address.clone();
        for _ in 0..2 {
            let url = server.url(&path_and_query);
            let requested = url[server.to_string().len()..].to_owned();
            let message = message(request, url, &headers);
            let answer = exchange(&self.agent(), &message, limits)
                .map_err(|error| error.after_redirect(address, &server))?;
            if !is_redirect(answer.status) {
                return Ok(answer);
            }
            let location = answer.location.as_deref();
            if self.active.is_some() && matches!(answer.status, 307 | 308) {
                let error = not_forwarded_error(location.unwrap_or_default());
                return Err(SendError::not_carried_out(error));
            }
            server = resolve_redirect(&self.settings, &server, &requested, location)
                .map_err(SendError::not_carried_out)?;
        }
        Err(SendError::not_carried_out(RedirectError {
            to: server.to_string(),
            reason: RedirectReason::TooMany,
        }))
    }

    /// Sends one request to the server that is tried first, and to no other; `exchange` sends it.
    pub(crate) fn send_to_preferred(
        &self,
        request: &Request<'_>,
        exchange: impl FnOnce(&Agent, &Message<'_>) -> Result<OpenedAnswer, SendError>,
    ) -> Result<OpenedAnswer, Error> {
        let address = self.address();
        let headers = self.headers(request);
        let url = address.url(&path::encode(request.path)?);
        let opened = exchange(&self.agent(), &message(request, url, &headers));
        match opened {
            Ok(OpenedAnswer::Whole(answer)) if is_redirect(answer.status) => {
                Err(self.unavailable(RedirectError {
                    to: clean_location(answer.location.as_deref().unwrap_or_default()),
                    reason: RedirectReason::NotActive,
                }))
            }
            Ok(OpenedAnswer::Whole(answer)) if answer.status >= 300 => {
                Err(classify_answer(address, request.path, &answer, true))
            }
            Ok(opened) => Ok(opened),
            Err(SendError::NoAnswer(no_answer)) => Err(self.unavailable(no_answer.error)),
            Err(SendError::Final(error)) => Err(error),
        }
    }

    /// Returns whether the server that is tried first answers `request` itself, instead of
    /// redirecting it to the active node.
    pub(crate) fn answers_without_redirect(&self, request: &Request<'_>) -> Result<bool, Error> {
        let limits = self.limits(request, 1);
        let mut is_redirected = false;
        let result = self.send_to_preferred(request, |agent, message| {
            let answer = exchange(agent, message, limits)?;
            is_redirected = matches!(answer.status, 307 | 308);
            Ok(OpenedAnswer::Whole(answer))
        });
        if is_redirected {
            return Ok(false);
        }
        result.map(|_| true)
    }

    fn headers(&self, request: &Request<'_>) -> Vec<(&'static str, SecretString)> {
        let mut headers = request
            .authentication
            .as_ref()
            .unwrap_or(&self.authentication)
            .headers();
        // makes OpenBao refuse requests that a web page could have made a browser send
        headers.push(("X-Vault-Request", "true".into()));
        let namespace = self.settings.namespace.as_ref();
        if let Some(namespace) = namespace.filter(|_| !request.in_root_namespace) {
            headers.push(("X-Vault-Namespace", namespace.as_str().into()));
        }
        if !request.body.is_empty() {
            headers.push(("Content-Type", "application/json".into()));
        }
        headers.extend(request.headers.iter().cloned());
        headers.extend(self.active.iter().flat_map(ActiveNode::headers));
        headers
    }
}

fn message<'a>(
    request: &'a Request<'_>,
    url: String,
    headers: &'a [(&'static str, SecretString)],
) -> Message<'a> {
    Message {
        method: request.method.as_str(),
        url,
        path: request.path,
        headers,
        body: &request.body,
        largest: request.largest,
    }
}

/// Returns the error of a standby that cannot reach the active node and redirects to it. The
/// request is not sent there, because no person configured that address.
fn not_forwarded_error(location: &str) -> NodeError {
    let origin = location.split_once("/v1/");
    standby_error(origin.map_or(location, |(origin, _)| origin))
}
