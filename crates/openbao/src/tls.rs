//! What goes wrong in TLS, kept apart as whoever mends it must treat it.

/// Why a server's certificate is not accepted, or there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsTrouble {
    /// Nobody who is trusted vouches for it. A bad signature counts as well: the CA was made anew, under the
    /// old name.
    #[error("no CA certificate known here vouches for its certificate")]
    UnknownAuthority,
    /// It was valid.
    #[error("its certificate has expired")]
    Expired,
    /// It will be valid.
    #[error("its certificate is not valid yet (or this clock is slow)")]
    NotYetValid,
    /// It names another server.
    #[error("its certificate is for another name")]
    AnotherName,
    /// It is a CA's, and not the very one that is trusted.
    #[error("its certificate is a CA's, and none of those that are trusted here")]
    IsCa,
    /// The server speaks no TLS.
    #[error("it does not speak TLS (`http://`?)")]
    NotSpoken,
    /// The server speaks nothing but TLS.
    #[error("it takes encrypted connections only (`https://`)")]
    Needed,
    /// Something else.
    #[error("{0}")]
    Other(String),
}
