//! Runs the program.

use std::path::Path;

use zts_cli::{Failure, warn};
use zts_delivery::{
    Contents, Error, Failures, SecretIdentity, SecretRef, credentials,
    fetch::{self, FetchJob},
};
use zts_openbao::Settings;

use crate::{
    Arguments,
    job::{open_session, read_contents, recipe},
    undeclared::FetchPlaces,
};

/// Runs the program.
///
/// # Errors
/// The failure to report where the secret was not written; see [`Failure`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = arguments.connection.settings(None)?;
    let secret = arguments.secret.clone();
    let failed = |failure: Failure| failure.context(format!("`{secret}` was not written"));
    let contents = read_contents(arguments).map_err(failed)?;
    let has_version = arguments.secret_version.is_some();
    arguments.source.check(has_version).map_err(failed)?;
    let places = FetchPlaces::begin(arguments);
    let result = fetch(arguments, contents, &settings);
    let output = &arguments.output;
    Failures::record(output, result.as_ref().err());
    let has_cache = arguments.cache_dir.is_some();
    let fetched = result.map_err(|error| failed(explain(error, has_cache, output)));
    places.remove_undeclared(fetched)
}

fn fetch(arguments: &Arguments, contents: Contents, settings: &Settings) -> Result<(), Error> {
    let namespace = settings.namespace.as_deref();
    let source = arguments.source.declared();
    let secret = SecretRef {
        path: arguments.secret.as_str(),
        engine: source.engine(arguments.kv_mount.as_str(), arguments.secret_version),
    };
    let identity = SecretIdentity::new(namespace, secret);
    let job = FetchJob {
        secret,
        recipe: recipe(arguments, contents, &identity)?,
        identity,
        output: &arguments.output,
        has_services: !arguments.service.is_empty(),
        warn: Box::new(|message| warn(message)),
    };
    let credentials = credentials::read(&arguments.approle_dir)?;
    fetch::fetch(&job, |has_copy| {
        open_session(arguments, settings, &credentials, has_copy)
    })
}

/// Adds a hint to an error without a copy, where the fetch had no `--cache-dir`. A person who
/// writes to `/run`, which a reboot empties, may not know of it.
fn explain(error: Error, has_cache: bool, output: &Path) -> Failure {
    let lacks_cache = matches!(error, Error::NoCache { .. }) && !has_cache;
    let failure = Failure::from(error);
    let name = output.file_name().filter(|_| output.starts_with("/run"));
    let (true, Some(name)) = (lacks_cache, name) else {
        return failure;
    };
    let folder = Path::new("/var/lib/vault/cache").join(name);
    let cache = format!(
        "`--cache-dir {}` uses the copy that is kept there, and keeps one",
        folder.display()
    );
    let hint = failure.hint_text().map(|hint| format!("{hint}; {cache}"));
    failure.hint(hint.unwrap_or(cache))
}
