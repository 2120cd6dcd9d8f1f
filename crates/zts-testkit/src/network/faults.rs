//! The faults of a proxy and the rules that select requests for them.

use std::time::Duration;

/// A fault that a [`crate::Proxy`] injects into a request or its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Waits before the request is passed on.
    Delay(Duration),
    /// Answers with this HTTP status and a short text, as a load balancer does.
    Status(u16),
    /// Answers with status 307 and this location, as a standby does that cannot forward.
    Redirect(String),
    /// Answers with this status and this location.
    RedirectWith(u16, String),
    /// Refuses with this status in OpenBao's form and repeats the whole request: plain, in base64
    /// (both alphabets), in hex and percent-encoded.
    Echo(u16),
    /// As `Echo`, with the body of the request alone.
    EchoBody(u16),
    /// Sets a header of the answer (name in lower case).
    Header(&'static str, String),
    /// Refuses with this status in OpenBao's form, in one message of this many bytes.
    LongError(u16, usize),
    /// Answers with status 200 and an HTML page, as a captive portal does.
    Html,
    /// Answers with status 200 and this body, declared as JSON.
    Body(String),
    /// Answers with status 200 and a JSON string of this many bytes that does not end.
    Huge(u64),
    /// Sends this many bytes of the answer's body and closes the connection. On TLS that passes
    /// through, the bytes of the whole connection count.
    Truncate(usize),
    /// Sends the answer byte by byte, with this pause after each.
    Trickle(Duration),
    /// Closes the connection without an answer; on TLS that passes through, at once.
    Close,
    /// Reads the request and never answers.
    Hang,
    /// Removes the request headers with this prefix (lower case), as reverse proxies do. Without
    /// `x-vault-inline-auth-`, OpenBao answers as it did before it knew inline authentication.
    StripHeaders(String),
    /// Answers as HashiCorp Vault does; see [`crate::Proxy::emulating_vault`].
    AsVault,
}

impl Fault {
    /// Returns whether the fault is possible on bytes that cannot be read.
    pub(crate) fn works_on_ciphertext(&self) -> bool {
        matches!(
            self,
            Self::Delay(_) | Self::Truncate(_) | Self::Close | Self::Hang
        )
    }
}

/// A fault and the requests that it is injected into.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) fault: Fault,
    /// The number of matching requests that pass first.
    skipped: usize,
    /// The number of requests that are left; `None` for all.
    left: Option<usize>,
    /// A part of the method and path, such as `GET /v1/sys/health`.
    fragment: String,
}

impl Rule {
    /// A rule for every request.
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault,
            skipped: 0,
            left: None,
            fragment: String::new(),
        }
    }

    pub(crate) fn on(mut self, fragment: &str) -> Self {
        fragment.clone_into(&mut self.fragment);
        self
    }

    pub(crate) fn limit(mut self, count: usize) -> Self {
        self.left = Some(count);
        self
    }

    pub(crate) fn skip(mut self, count: usize) -> Self {
        self.skipped = count;
        self
    }
}

/// Returns the faults for a request (method and path) and counts it in their rules.
pub(crate) fn select_faults(rules: &mut [Rule], request: &str) -> Vec<Fault> {
    let mut selected = Vec::new();
    let matching = rules
        .iter_mut()
        .filter(|rule| request.contains(&rule.fragment));
    for rule in matching {
        if rule.skipped > 0 {
            rule.skipped -= 1;
            continue;
        }
        match &mut rule.left {
            Some(0) => continue,
            Some(left) => *left -= 1,
            None => {}
        }
        selected.push(rule.fault.clone());
    }
    selected
}
