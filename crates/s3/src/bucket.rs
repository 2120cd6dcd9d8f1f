//! A bucket, and how it is reached.

use std::{sync::Arc, time::Duration};

use openbao::{Trust, TrustError};
use secrecy::SecretString;
use ureq::Agent;

/// Who asks. The Debug print shows no secret.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret half.
    pub secret: SecretString,
    /// The token that comes with temporary keys.
    pub session_token: Option<SecretString>,
}

/// How a bucket is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Scheme, host and port, such as `https://s3.example.org:9000`.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region that signatures name.
    pub region: String,
    /// Whether the bucket stands in the path, and not before the host's name.
    pub path_style: bool,
    /// Which certificates the store may show.
    pub trust: Trust,
    /// Who asks.
    pub credentials: Credentials,
    /// How long one request is tried again, all in all.
    pub patience: Duration,
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(crate) agent: Agent,
    pub(crate) settings: Arc<Settings>,
}

impl Credentials {
    /// Notes that they are about to be used: no message shows any of them from now on.
    fn remember(&self) {
        let key_id = SecretString::from(self.key_id.as_str());
        let parts = [&key_id, &self.secret].into_iter();
        parts
            .chain(&self.session_token)
            .for_each(openbao::redaction::remember);
    }
}

impl Bucket {
    /// A bucket that is reached with `settings`. It does not connect.
    ///
    /// # Errors
    /// Root certificates that cannot be loaded.
    pub fn new(settings: Settings) -> Result<Self, TrustError> {
        settings.credentials.remember();
        let needs_tls = settings.endpoint.starts_with("https://");
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0) // a signature is for one host
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("zero-touch-secrets/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: openbao::agent(config, &settings.trust, needs_tls)?,
            settings: Arc::new(settings),
        })
    }

    /// The bucket's URL, as people know it.
    pub fn url(&self) -> String {
        let Settings {
            endpoint, bucket, ..
        } = self.settings.as_ref();
        format!("{endpoint}/{bucket}")
    }

    /// Scheme and host, and the path that objects stand behind.
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
