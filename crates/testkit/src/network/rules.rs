//! What goes wrong, when, and how often.

use std::time::Duration;

/// What a [`crate::Proxy`] does to a request or its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Waits before it passes the request on.
    Delay(Duration),
    /// Answers with this HTTP status and a short text, as a load balancer does.
    Status(u16),
    /// Answers 307 and points to this URL, as a standby does that cannot forward.
    Redirect(String),
    /// Answers with this status and points to this URL.
    Moved(u16, String),
    /// Refuses with this status in OpenBao's form, and repeats the whole request: plain, in base64 (both
    /// alphabets), in hex and percent-encoded.
    Echo(u16),
    /// Refuses with this status in OpenBao's form, in one message of so many bytes.
    LongRefusal(u16, usize),
    /// Answers 200 with an HTML page, as a captive portal does.
    Html,
    /// Answers 200 with this body, said to be JSON.
    Body(String),
    /// Answers 200 with the beginning of a JSON string that goes on for this many bytes.
    Huge(u64),
    /// Cuts the answer's body off after this many bytes and closes the connection. On TLS that
    /// passes through, the bytes of the whole connection count.
    Truncate(usize),
    /// Sends the answer byte by byte, with this pause after each.
    Trickle(Duration),
    /// Closes the connection instead of answering; on TLS that passes through, at once.
    Close,
    /// Takes the request and never answers.
    Hang,
    /// Takes the request headers out whose names begin so (lower case), as reverse proxies do.
    /// Without `x-vault-inline-auth-`, OpenBao answers as it did before it knew inline
    /// authentication.
    StripHeaders(String),
    /// Answers as HashiCorp Vault does; see [`crate::Proxy::vault`].
    AsVault,
}

impl Trouble {
    /// Whether it can be done to bytes that cannot be read.
    pub(crate) fn works_on_ciphertext(&self) -> bool {
        matches!(
            self,
            Self::Delay(_) | Self::Truncate(_) | Self::Close | Self::Hang
        )
    }
}

/// A trouble and the requests that it befalls.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) trouble: Trouble,
    /// How many requests are left to befall; `None`: all.
    pub(crate) left: Option<usize>,
    /// What the request's method and path, such as `GET /v1/sys/health`, must contain.
    pub(crate) path: String,
}

/// The troubles of a request for `path` (method and path), which uses up those that befall the first few.
pub(crate) fn draw(rules: &mut [Rule], path: &str) -> Vec<Trouble> {
    let mut drawn = Vec::new();
    for rule in rules.iter_mut().filter(|rule| path.contains(&rule.path)) {
        match &mut rule.left {
            Some(0) => continue,
            Some(left) => *left -= 1,
            None => {}
        }
        drawn.push(rule.trouble.clone());
    }
    drawn
}
