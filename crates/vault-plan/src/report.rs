//! Renders the findings as text and as JSON.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use zts_cli::{Failure, count_noun};

use crate::finding::{Finding, HostReport, Kind};

/// The number of findings of one kind and host in the text; JSON has all.
const SHOWN: usize = 20;

/// Renders one line for each finding, below its host, and a summary.
pub(crate) fn render_text(reports: &[HostReport]) -> String {
    if reports.is_empty() {
        return "no host declares secrets".to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    for report in reports {
        lines.push(headline(report));
        for kind in Kind::ALL {
            lines.extend(kind_lines(report, kind));
        }
    }
    let has_findings = reports.iter().any(|report| !report.findings.is_empty());
    if reports.len() > 1 || has_findings {
        lines.push(String::new());
        lines.push(summary(reports));
    }
    lines
        .iter()
        .map(zts_cli::printable_line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn headline(report: &HostReport) -> String {
    let name = if report.name == report.hostname {
        report.name.clone()
    } else {
        format!("{} (hostname {})", report.name, report.hostname)
    };
    let secrets = match report.secrets {
        0 => return format!("{name}: declares no secrets"),
        count => count_noun(count, "secret"),
    };
    let stops = report
        .findings
        .iter()
        .any(|finding| finding.kind.prevents_switch());
    format!(
        "{name}: {secrets}{}",
        if stops { "" } else { ", all there" }
    )
}

fn kind_lines(report: &HostReport, kind: Kind) -> Vec<String> {
    let findings = report
        .findings
        .iter()
        .filter(|finding| finding.kind == kind);
    let mut lines: Vec<_> = findings.take(SHOWN).map(finding_line).collect();
    let more = report.count(kind).saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!(
            "  {}: {more} more; `--json` has them all",
            kind.as_str()
        ));
    }
    lines
}

fn finding_line(finding: &Finding) -> String {
    let mut line = format!("  {}: ", finding.kind.as_str());
    if let Some(secret) = &finding.secret {
        let _ = write!(line, "{secret}: "); // writing to a String cannot fail
    }
    line.push_str(&finding.message);
    if let Some(advice) = &finding.advice {
        let _ = write!(line, "; {advice}");
    }
    line
}

fn summary(reports: &[HostReport]) -> String {
    let counts: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, total(reports, kind)))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| match kind {
            Kind::Note => count_noun(count, "note"),
            Kind::Keys => count_noun(count, "key finding"),
            kind => format!("{count} {}", kind.as_str()),
        })
        .collect();
    let secrets = reports.iter().map(|report| report.secrets).sum();
    let findings = match counts.as_slice() {
        [] => "all there".to_owned(),
        counts => counts.join(", "),
    };
    format!(
        "{}, {}: {findings}",
        count_noun(reports.len(), "host"),
        count_noun(secrets, "secret")
    )
}

fn total(reports: &[HostReport], kind: Kind) -> usize {
    reports.iter().map(|report| report.count(kind)).sum()
}

/// Renders all findings as JSON, as `--help` describes it.
pub(crate) fn render_json(reports: &[HostReport]) -> String {
    let secrets: usize = reports.iter().map(|report| report.secrets).sum();
    let mut summary = Map::new();
    summary.insert("hosts".to_owned(), reports.len().into());
    summary.insert("secrets".to_owned(), secrets.into());
    for kind in Kind::ALL {
        summary.insert(kind.as_str().to_owned(), total(reports, kind).into());
    }
    let all = json!({ "hosts": reports, "summary": Value::Object(summary) });
    format!("{all:#}")
}

/// Fails if findings prevent a switch; with `strict`, if there are any but notes.
pub(crate) fn check(reports: &[HostReport], strict: bool) -> Result<(), Failure> {
    let is_failure = |kind: &Kind| kind.prevents_switch() || (strict && *kind != Kind::Note);
    let count: usize = Kind::ALL
        .into_iter()
        .filter(is_failure)
        .map(|kind| total(reports, kind))
        .sum();
    if count == 0 {
        return Ok(());
    }
    let kinds = if strict {
        "any kind"
    } else {
        "the kinds `missing`, `keys` and `denied`"
    };
    Err(Failure::failed(format_args!(
        "{} of {kinds}",
        count_noun(count, "finding")
    )))
}
