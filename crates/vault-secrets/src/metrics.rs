//! Metrics of all declared secrets for Prometheus. They contain no value of a secret.

use std::{path::Path, time::SystemTime};

use zts_cli::{Failure, data};
use zts_delivery::{Declarations, Source};
use zts_exposition::{Family, Page, flag, number, seconds};

use crate::{
    file::unwritable,
    render,
    rotate::state::{RotationRecord, State},
    status::{
        self,
        secret_state::{SecretState, read_all},
    },
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
    "1 if the file of the template of several secrets is in place, with the deployed versions of its secrets.",
);

/// The state of one secret, and of its last rotation.
struct Measured<'a> {
    secret: SecretState<'a>,
    rotation: Option<&'a RotationRecord>,
}

/// A metric, with its value for a secret that has one.
type Metric = (Family, fn(&Measured<'_>) -> Option<f64>);

const METRICS: [Metric; 13] = [
    (
        Family::gauge(
            "vault_secret_in_place",
            "1 if the files of the secret are deployed.",
        ),
        |one| Some(flag(one.secret.is_in_place)),
    ),
    (
        Family::gauge(
            "vault_secret_version",
            "The deployed version of the secret.",
        ),
        |one| Some(number(one.secret.deployed_version.as_ref()?.version)),
    ),
    (
        Family::gauge(
            "vault_secret_pinned_version",
            "The version that the declaration pins; only of pinned secrets.",
        ),
        |one| Some(number(one.secret.declared.version?)),
    ),
    (
        Family::gauge(
            "vault_secret_version_created_timestamp_seconds",
            "Time when the deployed version was written to OpenBao.",
        ),
        |one| {
            let created = one
                .secret
                .deployed_version
                .as_ref()?
                .created_time
                .as_deref()?;
            humantime::parse_rfc3339(created).ok().map(seconds)
        },
    ),
    (
        Family::gauge(
            "vault_secret_fetched_timestamp_seconds",
            "Time when the version was deployed or last confirmed.",
        ),
        |one| Some(seconds(one.secret.deployed_version.as_ref()?.at)),
    ),
    (
        Family::gauge(
            "vault_secret_from_cache",
            "1 if the deployed version comes from the copy on this host, because OpenBao was unavailable.",
        ),
        |one| {
            Some(flag(
                one.secret.deployed_version.as_ref()?.source == Source::Cache,
            ))
        },
    ),
    (
        Family::gauge(
            "vault_secret_copy_confirmed_timestamp_seconds",
            "Time when OpenBao last confirmed the copy on this host.",
        ),
        |one| {
            Some(seconds(
                SystemTime::now().checked_sub(one.secret.copy.as_ref()?.age?)?,
            ))
        },
    ),
    (
        Family::counter(
            "vault_secret_fetch_failures_total",
            "Failed fetches of the secret since the boot.",
        ),
        |one| Some(number(one.secret.failures.count)),
    ),
    (
        Family::gauge(
            "vault_secret_rotation_failed",
            "1 if the last rotation of the secret, or proof of its version, failed.",
        ),
        |one| Some(flag(one.rotation?.failed)),
    ),
    (
        Family::gauge(
            "vault_secret_rejected_version",
            "The rejected version, because a service failed with it or a key is missing.",
        ),
        |one| Some(number(one.secret.rejection.as_ref()?.version)),
    ),
    (
        Family::gauge(
            "vault_secret_version_unproven",
            "The deployed version, while its services have not come up with it yet.",
        ),
        |one| Some(number(one.secret.unproven?)),
    ),
    (
        Family::gauge(
            "vault_secret_certificate_expiry_timestamp_seconds",
            "Time when the deployed certificate expires; only of certificates.",
        ),
        |one| one.secret.certificate_end.map(seconds),
    ),
    (
        Family::gauge(
            "vault_secret_rotation_timestamp_seconds",
            "Time of the last rotation of the secret without a failure.",
        ),
        |one| one.rotation?.last_success.map(seconds),
    ),
];

/// Writes the metrics to `file`, or to stdout.
pub(crate) fn run(
    declarations: &Declarations,
    state: &Path,
    file: Option<&Path>,
) -> Result<(), Failure> {
    status::check_rights(declarations)?;
    let state = State::read(state);
    let (page, unreadable) = page(declarations, &state);
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
    zts_exposition::write(file, &page).map_err(|cause| unwritable(file, cause))?;
    status::fail_for_unreadable(&unreadable)
}

/// Returns the metrics, and the names of the secrets whose state could not be read.
fn page<'a>(declarations: &'a Declarations, state: &'a State) -> (Page, Vec<&'a str>) {
    let (secrets, unreadable) = read_all(declarations);
    let measured = |secret: SecretState<'a>| Measured {
        rotation: state.secrets.get(secret.name),
        secret,
    };
    let all: Vec<_> = secrets.into_iter().map(measured).collect();
    let mut page = Page::default();
    page.single(&WRITTEN, seconds(SystemTime::now()));
    for (family, value_of) in &METRICS {
        page.begin(family);
        for one in &all {
            if let Some(value) = value_of(one) {
                page.sample(family, &[("secret", one.secret.name)], value);
            }
        }
    }
    page.begin(&FETCH_FAILED);
    for Measured { secret, .. } in &all {
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
    page.begin(&TEMPLATE_IN_PLACE);
    for template in render::states(declarations) {
        let labels = [("template", template.name)];
        page.sample(&TEMPLATE_IN_PLACE, &labels, flag(template.in_place));
    }
}
