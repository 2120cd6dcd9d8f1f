//! Metrics of all declared secrets for Prometheus. They contain no value of a secret.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use zts_cli::{Failure, data, warn};
use zts_delivery::{
    CachedCopyState, Declarations, DeclaredSecret, DeployedVersion, Error, Failures,
    PendingRollout, Rejection, Source,
};
use zts_exposition::{Family, Page, flag, number, seconds};

use crate::{
    file::{self, unwritable},
    host::HostSecret,
    render,
    rotate::state::{RotationRecord, State},
    status,
};

const WRITTEN: Family = Family::gauge(
    "vault_secrets_written_timestamp_seconds",
    "Time when these metrics were written.",
);
const FETCH_FAILED: Family = Family::gauge(
    "vault_secret_fetch_failed",
    "1 if the last fetch of the secret failed. The reason is one of unavailable, credentials, denied, gone, contents, host.",
);

const TEMPLATE_IN_PLACE: Family = Family::gauge(
    "vault_template_in_place",
    "1 if the file of the template of several secrets is in place.",
);

/// The state of one secret.
struct SecretState<'a> {
    name: &'a str,
    is_in_place: bool,
    deployed_version: Option<DeployedVersion>,
    pinned_version: Option<u64>,
    failures: Failures,
    /// The time since OpenBao confirmed the copy.
    copy_age: Option<Duration>,
    rejection: Option<Rejection>,
    unproven: Option<u64>,
    rotation: Option<&'a RotationRecord>,
}

/// A metric, with its value for a secret that has one.
type Metric = (Family, fn(&SecretState<'_>) -> Option<f64>);

const METRICS: [Metric; 12] = [
    (
        Family::gauge(
            "vault_secret_in_place",
            "1 if the files of the secret are deployed.",
        ),
        |secret| Some(flag(secret.is_in_place)),
    ),
    (
        Family::gauge(
            "vault_secret_version",
            "The deployed version of the secret.",
        ),
        |secret| Some(number(secret.deployed_version.as_ref()?.version)),
    ),
    (
        Family::gauge(
            "vault_secret_pinned_version",
            "The version that the declaration pins; only of pinned secrets.",
        ),
        |secret| Some(number(secret.pinned_version?)),
    ),
    (
        Family::gauge(
            "vault_secret_version_created_timestamp_seconds",
            "Time when the deployed version was written to OpenBao.",
        ),
        |secret| {
            let created = secret.deployed_version.as_ref()?.created_time.as_deref()?;
            humantime::parse_rfc3339(created).ok().map(seconds)
        },
    ),
    (
        Family::gauge(
            "vault_secret_fetched_timestamp_seconds",
            "Time when the version was deployed or last confirmed.",
        ),
        |secret| Some(seconds(secret.deployed_version.as_ref()?.at)),
    ),
    (
        Family::gauge(
            "vault_secret_from_cache",
            "1 if the deployed version comes from the copy on this host, because OpenBao was unavailable.",
        ),
        |secret| {
            Some(flag(
                secret.deployed_version.as_ref()?.source == Source::Cache,
            ))
        },
    ),
    (
        Family::gauge(
            "vault_secret_copy_confirmed_timestamp_seconds",
            "Time when OpenBao last confirmed the copy on this host.",
        ),
        |secret| Some(seconds(SystemTime::now().checked_sub(secret.copy_age?)?)),
    ),
    (
        Family::counter(
            "vault_secret_fetch_failures_total",
            "Failed fetches of the secret since the boot.",
        ),
        |secret| Some(number(secret.failures.count)),
    ),
    (
        Family::gauge(
            "vault_secret_rotation_failed",
            "1 if the last rotation of the secret, or proof of its version, failed.",
        ),
        |secret| Some(flag(secret.rotation?.failed)),
    ),
    (
        Family::gauge(
            "vault_secret_rejected_version",
            "The rejected version, because a service failed with it or a key is missing.",
        ),
        |secret| Some(number(secret.rejection.as_ref()?.version)),
    ),
    (
        Family::gauge(
            "vault_secret_version_unproven",
            "The deployed version, while its services have not come up with it yet.",
        ),
        |secret| Some(number(secret.unproven?)),
    ),
    (
        Family::gauge(
            "vault_secret_rotation_timestamp_seconds",
            "Time of the last rotation of the secret without a failure.",
        ),
        |secret| secret.rotation?.last_success.map(seconds),
    ),
];

/// Writes the metrics to `file`, or to stdout.
pub(crate) fn run(
    declarations: &Declarations,
    state: &Path,
    file: Option<&Path>,
) -> Result<(), Failure> {
    status::check_rights(declarations)?;
    let (page, unreadable) = page(declarations, &State::read(state));
    match file {
        Some(file) => zts_exposition::write(file, &page).map_err(|cause| unwritable(file, cause)),
        None => data(page.as_str().trim_end()),
    }?;
    status::fail_for_unreadable(&unreadable)
}

/// Writes the metrics to `file` after a rotation.
pub(crate) fn write(
    declarations: &Declarations,
    state: &State,
    file: &Path,
) -> Result<(), Failure> {
    let (page, unreadable) = page(declarations, state);
    file::write(file, page.as_str().as_bytes(), 0o644)?;
    status::fail_for_unreadable(&unreadable)
}

/// Returns the metrics, and the names of the secrets whose state could not be read.
fn page<'a>(declarations: &'a Declarations, state: &State) -> (Page, Vec<&'a str>) {
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    for (name, secret) in &declarations.secrets {
        match SecretState::read(name, secret, state) {
            Ok(secret) => all.push(secret),
            Err(error) => {
                warn(format_args!("`{name}`: {error}"));
                unreadable.push(name.as_str());
            }
        }
    }
    let mut page = Page::default();
    page.single(&WRITTEN, seconds(SystemTime::now()));
    for (family, value_of) in &METRICS {
        page.begin(family);
        for secret in &all {
            if let Some(value) = value_of(secret) {
                page.sample(family, &[("secret", secret.name)], value);
            }
        }
    }
    page.begin(&FETCH_FAILED);
    for secret in &all {
        match secret.failures.last {
            None => page.sample(&FETCH_FAILED, &[("secret", secret.name)], 0.0),
            Some(reason) => {
                let labels = [("secret", secret.name), ("reason", reason.as_str())];
                page.sample(&FETCH_FAILED, &labels, 1.0);
            }
        }
    }
    add_templates(&mut page, declarations);
    (page, unreadable)
}

/// Adds the state of the templates of several secrets.
fn add_templates(page: &mut Page, declarations: &Declarations) {
    let missing = render::find_missing(declarations);
    page.begin(&TEMPLATE_IN_PLACE);
    for name in declarations.templates.keys() {
        let in_place = flag(!missing.contains(&name.as_str()));
        page.sample(&TEMPLATE_IN_PLACE, &[("template", name)], in_place);
    }
}

impl<'a> SecretState<'a> {
    fn read(name: &'a str, declared: &DeclaredSecret, state: &'a State) -> Result<Self, Error> {
        let output = &declared.output_directory;
        let deployed_version = DeployedVersion::read(output)?;
        let cache = HostSecret::deployed(name, declared).copies();
        let copy_age = match cache.map(|cache| cache.read()) {
            Some(CachedCopyState::Usable(_, age)) => age,
            _ => None,
        };
        Ok(Self {
            name,
            is_in_place: declared.is_in_place()?,
            deployed_version,
            pinned_version: declared.version,
            failures: Failures::read(output),
            copy_age,
            rejection: declared.rejection()?,
            unproven: PendingRollout::unproven_version(output)?,
            rotation: state.secrets.get(name),
        })
    }
}
