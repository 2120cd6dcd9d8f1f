//! What there is to say of a host.

use serde::Serialize;

/// One thing that is not as it should be; in the order in which they are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// The secret's name on the host, where it is about one.
    pub(crate) secret: Option<String>,
    /// A secret's path in the KV mount, or an API path.
    pub(crate) path: String,
    /// Which case of its kind, in one word for programs.
    pub(crate) reason: &'static str,
    /// What is the matter.
    pub(crate) message: String,
    /// What to do: a command, or a few words.
    pub(crate) advice: Option<String>,
    #[serde(flatten)]
    pub(crate) details: Details,
}

/// What only some findings have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Details {
    /// Of the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// When it was deleted (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// What needs the key: names of templates, and `required`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) needed_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
}

/// Which kind of finding.
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

    /// The kind's name, as in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Keys => "keys",
            Self::Denied => "denied",
            Self::Undeclared => "undeclared",
            Self::Unused => "unused",
            Self::Note => "note",
        }
    }

    /// Whether a service would not get what it needs.
    pub(crate) fn stops_a_switch(self) -> bool {
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

    /// About the secret that the host calls `name`.
    pub(crate) fn of(mut self, name: &str) -> Self {
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

/// What there is to say of one host.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) hostname: String,
    /// How many secrets it declares.
    pub(crate) secrets: usize,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let of_kind = |finding: &&Finding| finding.kind == kind;
        self.findings.iter().filter(of_kind).count()
    }
}
