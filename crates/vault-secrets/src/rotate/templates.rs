//! Templates of several secrets: rendered after each change of their secrets' directories.

use std::collections::BTreeSet;

use zts_cli::{Failure, warn};
use zts_delivery::{Declarations, DeclaredTemplate, SharedTemplate};

use super::run::Run;
use crate::{render, text::Names};

/// Renders the templates of the secrets of this run and of `deployed`. Returns the services of
/// those that could not be rendered: they go on with the older file, and a later run restarts them.
pub(super) fn render_deployed<'a>(
    run: &mut Run<'a>,
    deployed: impl Iterator<Item = &'a str>,
) -> Names {
    let mut secrets = run.scope.clone();
    secrets.extend(deployed);
    let mut services = Names::new();
    for failed in render_all(run, &secrets) {
        services.extend(failed.declared.services.iter().cloned());
        let concerned = failed.secrets.iter().copied();
        run.outcomes.fail_all(concerned, failed.failure);
    }
    services
}

/// Renders the templates of secrets that were rolled back or reapplied. A failure is only a
/// warning: the start of a service renders its templates, too.
pub(super) fn render_again(run: &Run<'_>, secrets: &BTreeSet<&str>) {
    for failed in render_all(run, secrets) {
        warn(failed.failure.message());
    }
}

/// A template that could not be rendered.
struct FailedTemplate<'a> {
    declared: &'a DeclaredTemplate,
    /// Those of its secrets that made it necessary.
    secrets: BTreeSet<&'a str>,
    failure: Failure,
}

/// Renders the templates of `secrets`, and returns those that could not be rendered.
fn render_all<'a>(run: &Run<'a>, secrets: &BTreeSet<&str>) -> Vec<FailedTemplate<'a>> {
    let declarations = run.declarations;
    let mut failed = Vec::new();
    for (name, declared) in &declarations.templates {
        let template = SharedTemplate::declared(declarations, name);
        let mut used = match &template {
            Ok(template) => template.secrets(),
            Err(_) => declared_users(declarations, name),
        };
        used.retain(|secret| secrets.contains(secret));
        let rendered = match template {
            _ if used.is_empty() => continue,
            template => template.and_then(|template| template.render()),
        };
        if let Err(error) = rendered {
            failed.push(FailedTemplate {
                declared,
                secrets: used,
                failure: render::failure(name, error),
            });
        }
    }
    failed
}

/// Returns the secrets that are declared to be in a template, which may have no valid text.
fn declared_users<'a>(declarations: &'a Declarations, template: &str) -> BTreeSet<&'a str> {
    let secrets = declarations.secrets.iter();
    let users = secrets.filter(|(_, secret)| secret.template_keys.contains_key(template));
    users.map(|(name, _)| name.as_str()).collect()
}
