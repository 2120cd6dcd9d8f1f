//! Fetches the secrets that are not in place as they are declared, such as after a switch.

use zts_cli::{Failure, note};
use zts_delivery::{
    CachedCopyState, Declarations, DeclaredOpenBao, DeclaredSecret, DeployedVersion, SealPolicy,
    SecretIdentity,
};

use crate::{host::HostSecret, render, status, systemd, text};

/// The most starts of a fetch. A fetch that runs while a switch changes its declaration ends as it
/// began, and only another one uses the new declaration.
const ATTEMPTS: u32 = 2;

/// The unit that fetches several secrets in one process.
const FETCH_ALL: &str = "vault-secrets.service";

/// Starts the units of all secrets whose files or copies are not as declared, and then those of all
/// templates of several secrets, and waits for them.
///
/// # Errors
/// Files that are not in place as declared after that.
pub(crate) fn run(declarations: &Declarations) -> Result<(), Failure> {
    status::check_rights(declarations)?;
    let fetched = fetch_missing(declarations);
    let rendered = render_templates(declarations);
    fetched.and(rendered)
}

/// Starts the units of templates. They render from the files of the secrets, and send no request.
fn render_templates(declarations: &Declarations) -> Result<(), Failure> {
    let names = declarations.templates.keys();
    let units: Vec<_> = names.map(|name| render::unit(name)).collect();
    let units: Vec<_> = units.iter().map(String::as_str).collect();
    if units.is_empty() {
        return Ok(());
    }
    match systemd::run("start", &units)? {
        None => Ok(()),
        Some(reason) => Err(
            Failure::failed(format!("templates could not be rendered: {reason}"))
                .hint("`systemctl list-units --failed` names them, and `journalctl -u` shows why"),
        ),
    }
}

fn fetch_missing(declarations: &Declarations) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        let mut missing = names(find_missing(declarations));
        if missing.is_empty() {
            return Ok(());
        }
        note(format_args!("fetching {}", text::list(&missing)));
        if missing.len() > 1 {
            // what that unit does not fetch, the secrets' own units do
            systemd::run("start", &[FETCH_ALL])?;
            missing = names(find_missing(declarations));
        }
        let units: Vec<_> = missing.into_iter().map(fetch_unit).collect();
        let units: Vec<_> = units.iter().map(String::as_str).collect();
        if !units.is_empty() && systemd::run("start", &units)?.is_some() {
            break; // the units say why, and are retried
        }
    }
    let mut missing = find_missing(declarations);
    missing.retain(|(name, secret)| !has_declared_files(name, secret, &declarations.openbao));
    let missing = names(missing);
    let Some(first) = missing.first() else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "secrets are not in place as they are declared: {}",
        text::list(&missing)
    ))
    .hint(format!(
        "`journalctl -u vault-secret-{first}` shows why the fetch fails"
    )))
}

/// Returns the unit that fetches a secret.
pub(crate) fn fetch_unit(name: &str) -> String {
    format!("vault-secret-{name}.service")
}

fn names<'a>(secrets: Vec<(&'a str, &DeclaredSecret)>) -> Vec<&'a str> {
    secrets.into_iter().map(|(name, _)| name).collect()
}

/// Returns the secrets whose files or copies are not as declared.
pub(crate) fn find_missing(declarations: &Declarations) -> Vec<(&str, &DeclaredSecret)> {
    let secrets = declarations.secrets.iter();
    let missing = secrets.filter(|(name, secret)| {
        !has_declared_files(name, secret, &declarations.openbao) || !has_declared_copy(name, secret)
    });
    missing
        .map(|(name, secret)| (name.as_str(), secret))
        .collect()
}

/// Returns whether the deployed files are of the declared secret, and as they were written and
/// declared.
fn has_declared_files(name: &str, declared: &DeclaredSecret, openbao: &DeclaredOpenBao) -> bool {
    let Ok(Some(deployed)) = DeployedVersion::read(&declared.output_directory) else {
        return false; // a fetch reports an error
    };
    let secret = HostSecret::deployed(name, declared);
    declared.has_template_keys()
        && is_identity(&deployed.secret, declared, openbao)
        && secret
            .recipe()
            .is_ok_and(|recipe| secret.alteration(&recipe).is_none())
}

/// Returns whether an identity is that of a declared secret. Without a declared namespace,
/// cloud-init may have named one.
fn is_identity(
    identity: &SecretIdentity,
    declared: &DeclaredSecret,
    openbao: &DeclaredOpenBao,
) -> bool {
    let namespace = openbao.namespace.as_deref();
    let expected = SecretIdentity::new(namespace, declared.reference(&openbao.kv_mount));
    *identity == expected
        || namespace.is_none() && identity.to_string().ends_with(&expected.to_string())
}

/// Returns whether there is a copy where one is declared, sealed if it must be.
fn has_declared_copy(name: &str, declared: &DeclaredSecret) -> bool {
    let Some(cache) = HostSecret::deployed(name, declared).copies() else {
        return true;
    };
    match cache.read() {
        CachedCopyState::Usable(copy, _) => match declared.seal(name) {
            Ok(SealPolicy::Always) => copy.is_sealed(),
            Ok(SealPolicy::Never) => !copy.is_sealed(),
            Ok(SealPolicy::Auto) | Err(_) => true,
        },
        _ => false,
    }
}
