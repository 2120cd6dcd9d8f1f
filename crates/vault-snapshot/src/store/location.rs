//! A bucket's URL with what else leads to it.

use std::{env, fs::File, io::Read, path::Path, time::Duration};

use cli::Failure;
use s3::{Credentials, Settings};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Longer than any file with credentials, in bytes: `/dev/zero` has no end.
const LONGEST: u64 = 64 << 10;

/// Where in a store snapshots are.
pub(crate) struct Location {
    pub(crate) settings: Settings,
    /// What keys begin with: empty, or ending in `/`.
    pub(crate) prefix: String,
}

/// Reads the value of `--s3`.
///
/// # Errors
/// One that makes no sense, credentials that are missing or cannot be read.
pub(crate) fn read(text: &str, patience: Duration) -> Result<Location, Failure> {
    let (url, options) = text.split_once('?').unwrap_or((text, ""));
    let wrong = |why: &str| {
        // Somebody's credentials may stand in it, where none belong.
        let shown = if url.contains('@') { "…" } else { url };
        Failure::usage(format!("`{shown}` is no place in a store: {why}"))
            .hint("`https://HOST[:PORT]/BUCKET[/PREFIX]`, and behind `?` what `--help` tells")
    };
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(scheme))
        .ok_or_else(|| wrong("it does not begin with `https://`"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if url.contains('@') {
        return Err(wrong("it has an `@`; credentials stand in a file"));
    }
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if host.is_empty() || bucket.is_empty() {
        return Err(wrong("it names no bucket"));
    }
    let prefix = prefix.trim_end_matches('/');
    if prefix.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(wrong("`.` and `..` mean nothing in a store"));
    }
    let mut settings = Settings {
        endpoint: format!("{scheme}://{host}"),
        bucket: bucket.to_owned(),
        region: variable("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        path_style: true,
        trust: cli::system_trust(),
        credentials: none(),
        patience,
    };
    let mut credentials = None;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("region", name)) => name.clone_into(&mut settings.region),
            Some(("ca", file)) => settings.trust = openbao::Trust::Bundle(file.into()),
            Some(("credentials", file)) => credentials = Some(from_file(Path::new(file))?),
            Some(("style", "path")) => settings.path_style = true,
            Some(("style", "virtual-host")) => settings.path_style = false,
            _ => {
                let name = option.split('=').next().unwrap_or_default();
                return Err(wrong(&format!("its option `{name}` is unknown")));
            }
        }
    }
    settings.credentials = credentials.or_else(from_environment).ok_or_else(|| {
        Failure::usage(format!("there are no credentials for `{url}`"))
            .hint("`credentials=FILE` behind `?`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    })?;
    Ok(Location {
        settings,
        prefix: if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        },
    })
}

fn none() -> Credentials {
    Credentials {
        key_id: String::new(),
        secret: SecretString::default(),
        session_token: None,
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn from_environment() -> Option<Credentials> {
    Some(Credentials {
        key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret: variable("AWS_SECRET_ACCESS_KEY")?.into(),
        session_token: variable("AWS_SESSION_TOKEN").map(SecretString::from),
    })
}

/// Reads a file as AWS's tools have it: `aws_access_key_id = …` and so on, of one profile.
fn from_file(path: &Path) -> Result<Credentials, Failure> {
    let shown = path.display();
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|cause| Failure::usage(format!("`{shown}` could not be read: {cause}")))?;
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
