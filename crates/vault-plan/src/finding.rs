//! Findings about hosts.

use serde::Serialize;

/// A difference between declarations and OpenBao. Findings are reported in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// The secret's name on the host, if the finding is about one.
    pub(crate) secret: Option<String>,
    /// A secret's path in the KV mount, or an API path.
    pub(crate) path: String,
    /// The case of its kind, in one word for programs.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// The remedy: a command, or a few words.
    pub(crate) advice: Option<String>,
    #[serde(flatten)]
    pub(crate) details: Details,
}

/// Details that only some findings have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Details {
    /// The version of the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// The time of its deletion (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The names of templates that need the key, and `required`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) needed_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
}

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Missing,
    Keys,
    Denied,
    Undeclared,
    Unused,
    Note,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Missing,
        Self::Keys,
        Self::Denied,
        Self::Undeclared,
        Self::Unused,
        Self::Note,
    ];

    /// Returns the kind's name, as in the JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Keys => "keys",
            Self::Denied => "denied",
            Self::Undeclared => "undeclared",
            Self::Unused => "unused",
            Self::Note => "note",
        }
    }

    /// Returns whether services would lack a secret or a key after a switch.
    pub(crate) fn prevents_switch(self) -> bool {
        matches!(self, Self::Missing | Self::Keys | Self::Denied)
    }
}

impl Finding {
    pub(crate) fn new(kind: Kind, reason: &'static str, path: &str, message: String) -> Self {
        Self {
            kind,
            secret: None,
            path: path.to_owned(),
            reason,
            message,
            advice: None,
            details: Details::default(),
        }
    }

    /// Adds the name of the secret that the finding is about.
    pub(crate) fn for_secret(mut self, name: &str) -> Self {
        self.secret = Some(name.to_owned());
        self
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(crate) fn details(mut self, details: Details) -> Self {
        self.details = details;
        self
    }
}

/// The findings about one host.
#[derive(Debug, Serialize)]
pub(crate) struct HostReport {
    pub(crate) name: String,
    pub(crate) hostname: String,
    /// The number of declared secrets.
    pub(crate) secrets: usize,
    pub(crate) findings: Vec<Finding>,
}

impl HostReport {
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let of_kind = |finding: &&Finding| finding.kind == kind;
        self.findings.iter().filter(of_kind).count()
    }
}
