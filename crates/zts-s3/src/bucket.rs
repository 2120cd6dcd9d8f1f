//! A bucket and its settings.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use ureq::Agent;
use zts_net::{Trust, TrustError, agent_config, build_agent, redaction::remember_secret};

/// An access key. Its Debug output shows no secret.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret.
    pub secret: SecretString,
    /// The session token of a temporary key.
    pub session_token: Option<SecretString>,
}

/// The settings of a bucket.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Scheme, host and port, such as `https://s3.example.org:9000`.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region in signatures.
    pub region: String,
    /// Puts the bucket's name into the path instead of before the host's name.
    pub path_style: bool,
    /// The certificates that the store may present.
    pub trust: Trust,
    /// The access key.
    pub credentials: Credentials,
    /// The time for one request with all its retries.
    pub retry_timeout: Duration,
}

/// A bucket of an object store.
///
/// ```
/// use std::time::Duration;
/// use zts_net::Trust;
/// use zts_s3::{Bucket, Credentials, Settings};
///
/// let bucket = Bucket::new(Settings {
///     endpoint: "https://s3.example.org".into(),
///     bucket: "snapshots".into(),
///     region: "us-east-1".into(),
///     path_style: true,
///     trust: Trust::SkipVerify,
///     credentials: Credentials {
///         key_id: "AKIAEXAMPLE".into(),
///         secret: "example".into(),
///         session_token: None,
///     },
///     retry_timeout: Duration::from_secs(60),
/// })?;
/// assert_eq!(bucket.url(), "https://s3.example.org/snapshots");
/// # Ok::<_, zts_net::TrustError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(crate) agent: Agent,
    pub(crate) settings: Arc<Settings>,
}

impl Credentials {
    /// Registers the credentials for redaction.
    fn remember(&self) {
        let key_id = SecretString::from(self.key_id.as_str());
        let parts = [&key_id, &self.secret].into_iter();
        parts.chain(&self.session_token).for_each(remember_secret);
    }
}

impl Bucket {
    /// Creates a bucket with `settings`. It does not connect.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub fn new(settings: Settings) -> Result<Self, TrustError> {
        settings.credentials.remember();
        let needs_tls = settings.endpoint.starts_with("https://");
        Ok(Self {
            agent: build_agent(agent_config().build(), &settings.trust, needs_tls)?,
            settings: Arc::new(settings),
        })
    }

    /// Returns the bucket's URL in path style.
    pub fn url(&self) -> String {
        let Settings {
            endpoint, bucket, ..
        } = self.settings.as_ref();
        format!("{endpoint}/{bucket}")
    }

    /// Returns the scheme, the host, and the path before the keys.
    pub(crate) fn base(&self) -> (String, String, String) {
        let Settings {
            endpoint,
            bucket,
            path_style,
            ..
        } = self.settings.as_ref();
        let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
        if *path_style {
            (scheme.to_owned(), host.to_owned(), format!("/{bucket}"))
        } else {
            (scheme.to_owned(), format!("{bucket}.{host}"), String::new())
        }
    }
}
