//! What goes wrong with a store.

/// What went wrong. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{what} failed at `{bucket}`: {trouble}")]
pub struct Error {
    /// What was asked for, and of which object.
    pub what: String,
    /// The bucket's URL.
    pub bucket: String,
    /// Why not.
    pub trouble: Trouble,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection, no answer in time, or one that broke off.
    #[error("{0}")]
    Transport(String),
    /// The store refused, with its own code and words.
    #[error("HTTP status {status}{}", says(code, message))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// S3's error code, such as `NoSuchKey`; empty where the answer is not S3's.
        code: String,
        /// What it says to people.
        message: String,
    },
    /// An answer that is not S3's.
    #[error("its answer is not that of a store that knows S3: {0}")]
    BadReply(String),
}

impl Trouble {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Refused { status, code, .. } => {
                *status >= 500 && *status != 501
                    || matches!(status, 408 | 429)
                    || code == "RequestTimeout"
            }
            Self::BadReply(_) => false,
        }
    }
}

impl Error {
    /// Whether the object or upload is not there.
    pub fn is_absent(&self) -> bool {
        matches!(&self.trouble, Trouble::Refused { status: 404, .. })
    }

    /// Whether the key is another object's already.
    pub fn is_taken(&self) -> bool {
        matches!(&self.trouble, Trouble::Refused { status: 412, .. })
    }

    /// Whether the store does not know what it was asked for.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(&self.trouble, Trouble::Refused { status: 501, .. })
    }

    /// Whether the store does not take these credentials, or does not let them do this.
    pub fn is_denied(&self) -> bool {
        matches!(
            &self.trouble,
            Trouble::Refused {
                status: 401 | 403,
                ..
            }
        )
    }
}

fn says(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        ("", only) | (only, "") => format!(" ({only})"),
        (code, message) => format!(" ({code}: {message})"),
    }
}
