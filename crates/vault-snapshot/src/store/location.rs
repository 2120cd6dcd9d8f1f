//! The URL of a bucket, with the options behind it, and the credentials.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use zts_cli::{Failure, read_text};
use zts_net::Trust;
use zts_s3::{Credentials, Settings};

/// A value of `--s3`.
#[derive(Debug)]
pub(crate) struct Location {
    /// The URL without its options.
    url: String,
    /// The URL of the store.
    pub(super) endpoint: String,
    bucket: String,
    /// The prefix of keys: empty, or ending in `/`.
    pub(super) prefix: String,
    region: Option<String>,
    ca: Option<PathBuf>,
    credentials: Option<PathBuf>,
    path_style: bool,
}

impl Location {
    /// Parses a value of `--s3`. Reads no file.
    ///
    /// # Errors
    /// The value is invalid.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let (url, options) = text.split_once('?').unwrap_or((text, ""));
        let invalid = |why: &str| {
            // It may contain credentials by mistake.
            let shown = if url.contains('@') { "…" } else { url };
            Failure::usage(format!("`{shown}` is no URL of a bucket: {why}"))
                .hint("it reads `https://HOST[:PORT]/BUCKET[/PREFIX]`, with the options behind `?` that `--help` lists")
        };
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| ["http", "https"].contains(scheme))
            .ok_or_else(|| invalid("it does not begin with `https://`"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if url.contains('@') {
            return Err(invalid("it has an `@`; credentials belong into a file"));
        }
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if host.is_empty() || bucket.is_empty() {
            return Err(invalid("it names no bucket"));
        }
        let prefix = prefix.trim_end_matches('/');
        if prefix.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(invalid("`.` and `..` have no meaning in a bucket"));
        }
        let mut location = Self {
            url: url.to_owned(),
            endpoint: format!("{scheme}://{host}"),
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            region: None,
            ca: None,
            credentials: None,
            path_style: true,
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            if !location.set_option(option) {
                let name = option.split('=').next().unwrap_or_default();
                return Err(invalid(&format!("its option `{name}` is unknown")));
            }
        }
        Ok(location)
    }

    /// Sets an option, and returns whether it is known.
    fn set_option(&mut self, option: &str) -> bool {
        match option.split_once('=') {
            Some(("region", name)) => self.region = Some(name.to_owned()),
            Some(("ca", file)) => self.ca = Some(file.into()),
            Some(("credentials", file)) => self.credentials = Some(file.into()),
            Some(("style", "path")) => self.path_style = true,
            Some(("style", "virtual-host")) => self.path_style = false,
            _ => return false,
        }
        true
    }

    /// Reads the credentials, and takes the rest from the environment.
    ///
    /// # Errors
    /// There are no credentials, or their file cannot be read.
    pub(super) fn settings(&self, retry_timeout: Duration) -> Result<Settings, Failure> {
        let credentials = match &self.credentials {
            Some(file) => Some(read_credentials(file)?),
            None => credentials_from_environment(),
        };
        let region = self.region.clone();
        Ok(Settings {
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            region: region
                .or_else(|| environment_variable("AWS_REGION"))
                .unwrap_or_else(|| "us-east-1".to_owned()),
            path_style: self.path_style,
            trust: self
                .ca
                .clone()
                .map_or_else(zts_cli::system_trust, Trust::Bundle),
            credentials: credentials.ok_or_else(|| {
                Failure::usage(format!("there are no credentials for `{}`", self.url)).hint(
                    "`credentials=FILE` behind `?`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                )
            })?,
            retry_timeout,
        })
    }
}

fn environment_variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn credentials_from_environment() -> Option<Credentials> {
    Some(Credentials {
        key_id: environment_variable("AWS_ACCESS_KEY_ID")?,
        secret: environment_variable("AWS_SECRET_ACCESS_KEY")?.into(),
        session_token: environment_variable("AWS_SESSION_TOKEN").map(SecretString::from),
    })
}

/// Reads a file in the format of AWS's tools, `aws_access_key_id = …` and so on, of one profile.
fn read_credentials(path: &Path) -> Result<Credentials, Failure> {
    let shown = path.display();
    let text = read_text(path)?;
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let missing = |name: &str| {
        Failure::usage(format!("`{shown}` has no line `{name} = …`"))
            .hint("it needs `aws_access_key_id` and `aws_secret_access_key`, a line each")
    };
    Ok(Credentials {
        key_id: value("aws_access_key_id").ok_or_else(|| missing("aws_access_key_id"))?,
        secret: value("aws_secret_access_key")
            .ok_or_else(|| missing("aws_secret_access_key"))?
            .into(),
        session_token: value("aws_session_token").map(SecretString::from),
    })
}
