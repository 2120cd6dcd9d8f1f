//! The findings, for people and for programs.

use std::fmt::Write;

use cli::Failure;
use serde_json::{Map, Value, json};

use crate::finding::{Finding, Kind, Report};

/// As many findings of one kind as a person reads of one host; JSON has all.
const SHOWN: usize = 20;

/// One line a finding, below its host, and a summary at the end.
pub(crate) fn text(reports: &[Report]) -> String {
    if reports.is_empty() {
        return "no host declares secrets".to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    for report in reports {
        lines.push(headline(report));
        for kind in Kind::ALL {
            lines.extend(of_kind(report, kind));
        }
    }
    let has_findings = reports.iter().any(|report| !report.findings.is_empty());
    if reports.len() > 1 || has_findings {
        lines.push(String::new());
        lines.push(summary(reports));
    }
    lines
        .iter()
        .map(cli::printable_line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn headline(report: &Report) -> String {
    let name = if report.name == report.hostname {
        report.name.clone()
    } else {
        format!("{} (hostname {})", report.name, report.hostname)
    };
    let secrets = match report.secrets {
        0 => return format!("{name}: declares no secrets"),
        count => counted(count, "secret"),
    };
    let stops = report
        .findings
        .iter()
        .any(|finding| finding.kind.stops_a_switch());
    format!(
        "{name}: {secrets}{}",
        if stops { "" } else { ", all there" }
    )
}

fn of_kind(report: &Report, kind: Kind) -> Vec<String> {
    let findings = report
        .findings
        .iter()
        .filter(|finding| finding.kind == kind);
    let mut lines: Vec<_> = findings.take(SHOWN).map(line).collect();
    let more = report.count(kind).saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!(
            "  {}: {more} more; `--json` has them all",
            kind.name()
        ));
    }
    lines
}

fn line(finding: &Finding) -> String {
    let mut line = format!("  {}: ", finding.kind.name());
    if let Some(secret) = &finding.secret {
        let _ = write!(line, "{secret}: "); // a String takes everything
    }
    line.push_str(&finding.message);
    if let Some(advice) = &finding.advice {
        let _ = write!(line, "; {advice}");
    }
    line
}

fn summary(reports: &[Report]) -> String {
    let counts: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, total(reports, kind)))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| match kind {
            Kind::Note => counted(count, "note"),
            kind => format!("{count} {}", kind.name()),
        })
        .collect();
    let secrets = reports.iter().map(|report| report.secrets).sum();
    let findings = match counts.as_slice() {
        [] => "all there".to_owned(),
        counts => counts.join(", "),
    };
    format!(
        "{}, {}: {findings}",
        counted(reports.len(), "host"),
        counted(secrets, "secret")
    )
}

fn total(reports: &[Report], kind: Kind) -> usize {
    reports.iter().map(|report| report.count(kind)).sum()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Everything, as `--help` describes it.
pub(crate) fn json(reports: &[Report]) -> String {
    let secrets: usize = reports.iter().map(|report| report.secrets).sum();
    let mut summary = Map::new();
    summary.insert("hosts".to_owned(), reports.len().into());
    summary.insert("secrets".to_owned(), secrets.into());
    for kind in Kind::ALL {
        summary.insert(kind.name().to_owned(), total(reports, kind).into());
    }
    let all = json!({ "hosts": reports, "summary": Value::Object(summary) });
    format!("{all:#}")
}

/// Whether the findings stop a switch; with `strict`, whether there are any but notes.
pub(crate) fn judge(reports: &[Report], strict: bool) -> Result<(), Failure> {
    let counts = |kind: &Kind| kind.stops_a_switch() || (strict && *kind != Kind::Note);
    let count: usize = Kind::ALL
        .into_iter()
        .filter(counts)
        .map(|kind| total(reports, kind))
        .sum();
    if count == 0 {
        return Ok(());
    }
    let what = if strict {
        "any kind"
    } else {
        "the kinds `missing`, `keys` and `denied`"
    };
    Err(Failure::failed(format_args!(
        "{} of {what}",
        counted(count, "finding")
    )))
}
