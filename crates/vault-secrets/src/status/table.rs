//! The status as a table, with sentences below it.

use std::time::SystemTime;

use zts_cli::format_table;
use zts_delivery::{FailureReason, Source};

use super::entry::{Entry, Service};
use crate::{render::TemplateState, text};

const TEMPLATES_HEAD: [&str; 3] = ["TEMPLATE", "IN PLACE", "FILE"];
const HEAD: [&str; 6] = ["SECRET", "VERSION", "FROM", "CHANGED", "COPY", "SERVICES"];

/// Renders the status of all secrets and templates.
pub(super) fn render(secrets: &[Entry], templates: &[TemplateState<'_>]) -> String {
    let rows: Vec<_> = [HEAD.map(str::to_owned)]
        .into_iter()
        .chain(secrets.iter().map(row))
        .collect();
    let mut lines = format_table(&rows);
    if !templates.is_empty() {
        let rows = templates.iter().map(template_row);
        let rows: Vec<_> = [TEMPLATES_HEAD.map(str::to_owned)]
            .into_iter()
            .chain(rows)
            .collect();
        lines.push(String::new());
        lines.extend(format_table(&rows));
    }
    let of_templates = templates.iter().filter_map(template_sentence);
    let sentences: Vec<_> = secrets
        .iter()
        .flat_map(sentences)
        .chain(of_templates)
        .collect();
    if !sentences.is_empty() {
        lines.push(String::new());
    }
    lines.extend(sentences);
    lines.join("\n")
}

fn template_row(template: &TemplateState<'_>) -> [String; 3] {
    let state = if template.in_place { "yes" } else { "no" };
    let file = template.file.display().to_string();
    [template.name.to_owned(), state.to_owned(), file]
}

fn template_sentence(template: &TemplateState<'_>) -> Option<String> {
    let failure = template.failure.as_ref()?;
    Some(format!("`{}` cannot be rendered: {failure}", template.name))
}

fn row(entry: &Entry) -> [String; 6] {
    let none = || "-".to_owned();
    let services: Vec<_> = entry.services.iter().map(service_cell).collect();
    [
        entry.name.clone(),
        version_cell(entry),
        match entry.source {
            None => none(),
            Some(Source::OpenBao) => "OpenBao".to_owned(),
            Some(Source::Cache) => "cache".to_owned(),
        },
        entry
            .changed
            .map_or_else(none, |time| format!("{} ago", text::ago(time))),
        entry.copy.as_ref().map_or_else(none, |copy| {
            let age = copy.age.map(|age| format!("{} old", text::age(age)));
            let age = age.unwrap_or_else(|| "of unknown age".to_owned());
            format!("{}, {age}", copy.version)
        }),
        if services.is_empty() {
            none()
        } else {
            services.join(", ")
        },
    ]
}

/// Returns `7`, or `7, pinned`.
fn version_cell(entry: &Entry) -> String {
    match (entry.version, entry.pinned_version) {
        (None, _) => "-".to_owned(),
        (Some(version), None) => version.to_string(),
        (Some(version), Some(_)) => format!("{version}, pinned"),
    }
}

/// Returns `app`, or `app (failed)`.
fn service_cell(service: &Service) -> String {
    let name = service.name.trim_end_matches(".service");
    match service.state.as_deref() {
        Some("active") => name.to_owned(),
        Some(state) => format!("{name} ({state})"),
        None => format!("{name} (unknown)"),
    }
}

fn reason_missing(entry: &Entry) -> &'static str {
    match entry.last_failure {
        None => "it was not fetched since the boot, or another program made its directory",
        Some(FailureReason::Unavailable) => "OpenBao was unavailable, and there is no usable copy",
        Some(FailureReason::Credentials) => "this host has no credentials, or OpenBao refused them",
        Some(FailureReason::Denied) => "the host's policy does not allow it",
        Some(FailureReason::Gone) => "it does not exist on OpenBao, or was deleted",
        Some(FailureReason::Contents) => "it cannot be written as the declared files",
        Some(FailureReason::Host) => "something on this host failed",
    }
}

fn services_with_older_files(entry: &Entry) -> Vec<&str> {
    let services = entry.services.iter();
    let services = services.filter(|service| service.has_older == Some(true));
    services.map(|service| service.name.as_str()).collect()
}

fn sentences(entry: &Entry) -> Vec<String> {
    let name = &entry.name;
    let mut sentences = Vec::new();
    if !entry.in_place {
        sentences.push(format!(
            "`{name}` is not in place: {}",
            reason_missing(entry)
        ));
    } else if entry.version.is_none() {
        sentences.push(format!("`{name}`: the deployed version is not known"));
    }
    if let Some(rejected) = &entry.rejected {
        sentences.push(format!(
            "`{name}`: version {} was rejected {} ago: {}; `vault-secrets rotate {name} --again` tries it again",
            rejected.version,
            text::ago(rejected.at),
            rejected.reason
        ));
    }
    if let Some(end) = entry.certificate_end {
        let left = end.duration_since(SystemTime::now());
        sentences.push(match left {
            Ok(left) => format!("`{name}`: the certificate expires in {}", text::age(left)),
            Err(_) => format!("`{name}`: the certificate expired {} ago", text::ago(end)),
        });
    }
    if let Some(version) = entry.unproven {
        sentences.push(format!("`{name}`: version {version} is unproven"));
    }
    if let Some(reason) = &entry.copy_unusable {
        sentences.push(format!("`{name}`: the copy cannot be used: {reason}"));
    }
    if let Some(copy) = entry.copy.as_ref().filter(|copy| copy.is_too_old) {
        sentences.push(format!(
            "`{name}`: the copy of version {} is older than allowed, and is not used",
            copy.version
        ));
    }
    let before = services_with_older_files(entry);
    if !before.is_empty() {
        sentences.push(format!(
            "`{name}`: not restarted or reloaded since it changed: {}",
            text::list(before)
        ));
    }
    sentences
}
