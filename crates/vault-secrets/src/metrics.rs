//! Metrics of all declared secrets, as Prometheus reads them. No value of a secret is in them.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use cli::{Failure, data};
use delivery::{Cache, Declarations, DeclaredSecret, Failures, Found, Rejection, Source, Standing};
use exposition::{Family, Page, flag, number, seconds};

use crate::{
    file::unwritable,
    rotate::state::{Looked, State},
};

const WRITTEN: Family = Family::gauge(
    "vault_secrets_written_timestamp_seconds",
    "When these figures were written.",
);
const FETCH_FAILED: Family = Family::gauge(
    "vault_secret_fetch_failed",
    "Whether the last attempt to get the secret failed, and why: unavailable, credentials, denied, gone, contents, host.",
);

/// What is known of one secret.
struct Known<'a> {
    name: &'a str,
    standing: Option<Standing>,
    failures: Failures,
    /// How long ago OpenBao confirmed the copy, where that is known.
    copy: Option<Duration>,
    rejection: Option<Rejection>,
    looked: Option<&'a Looked>,
}

/// A figure of each secret that has it.
type Figure = (Family, fn(&Known<'_>) -> Option<f64>);

const FIGURES: [Figure; 10] = [
    (
        Family::gauge(
            "vault_secret_in_place",
            "Whether the secret's files are there.",
        ),
        |known| Some(flag(known.standing.is_some())),
    ),
    (
        Family::gauge(
            "vault_secret_version",
            "The version of the secret that stands in its directory.",
        ),
        |known| Some(number(known.standing.as_ref()?.version)),
    ),
    (
        Family::gauge(
            "vault_secret_version_created_timestamp_seconds",
            "When that version was written to OpenBao.",
        ),
        |known| {
            let created = known.standing.as_ref()?.created_time.as_deref()?;
            humantime::parse_rfc3339(created).ok().map(seconds)
        },
    ),
    (
        Family::gauge(
            "vault_secret_fetched_timestamp_seconds",
            "When it was put there, or last found to be there.",
        ),
        |known| Some(seconds(known.standing.as_ref()?.at)),
    ),
    (
        Family::gauge(
            "vault_secret_from_cache",
            "Whether it comes from the copy on this host, for OpenBao could not be used.",
        ),
        |known| Some(flag(known.standing.as_ref()?.source == Source::Cache)),
    ),
    (
        Family::gauge(
            "vault_secret_copy_confirmed_timestamp_seconds",
            "When OpenBao last confirmed the copy; nothing where there is none that can be used.",
        ),
        |known| Some(seconds(SystemTime::now().checked_sub(known.copy?)?)),
    ),
    (
        Family::counter(
            "vault_secret_fetch_failures_total",
            "Attempts to get the secret that failed, since the boot.",
        ),
        |known| Some(number(known.failures.count)),
    ),
    (
        Family::gauge(
            "vault_secret_rotation_failed",
            "Whether the last look at a secret ended in trouble.",
        ),
        |known| Some(flag(known.looked?.failed)),
    ),
    (
        Family::gauge(
            "vault_secret_rejected_version",
            "The version that is not used, for a service did not come up with it or a key is missing.",
        ),
        |known| Some(number(known.rejection.as_ref()?.version)),
    ),
    (
        Family::gauge(
            "vault_secret_rotation_timestamp_seconds",
            "When a secret was last looked after without trouble.",
        ),
        |known| known.looked?.well.map(seconds),
    ),
];

/// Writes them to `file`, or to stdout.
pub(crate) fn run(
    declarations: &Declarations,
    state: &Path,
    file: Option<&Path>,
) -> Result<(), Failure> {
    crate::status::check_rights(declarations)?;
    let page = page(declarations, &State::read(state));
    match file {
        Some(file) => exposition::write(file, &page).map_err(|cause| unwritable(file, cause)),
        None => data(page.as_str().trim_end()),
    }
}

pub(crate) fn page(declarations: &Declarations, state: &State) -> Page {
    let secrets = declarations.secrets.iter();
    let all: Vec<_> = secrets
        .map(|(name, secret)| Known::of(name, secret, state))
        .collect();
    let mut page = Page::default();
    page.single(&WRITTEN, seconds(SystemTime::now()));
    for (family, figure) in &FIGURES {
        page.begin(family);
        for known in &all {
            if let Some(value) = figure(known) {
                page.sample(family, &[("secret", known.name)], value);
            }
        }
    }
    page.begin(&FETCH_FAILED);
    for known in &all {
        match known.failures.last {
            None => page.sample(&FETCH_FAILED, &[("secret", known.name)], 0.0),
            Some(reason) => {
                let labels = [("secret", known.name), ("reason", reason.word())];
                page.sample(&FETCH_FAILED, &labels, 1.0);
            }
        }
    }
    page
}

impl<'a> Known<'a> {
    fn of(name: &'a str, secret: &DeclaredSecret, state: &'a State) -> Self {
        let output = &secret.output_directory;
        let standing = Standing::of(output);
        let copy = secret.cache_directory.as_ref().and_then(|folder| {
            let identity = standing.as_ref().map(|standing| standing.secret.clone());
            match Cache::new(folder.clone(), identity.unwrap_or_default()).read() {
                Found::Copy(_, age) | Found::TooOld(age) => age,
                _ => None,
            }
        });
        Self {
            name,
            standing,
            failures: Failures::of(output),
            copy,
            rejection: secret.home().as_deref().and_then(Rejection::read),
            looked: state.secrets.get(name),
        }
    }
}
