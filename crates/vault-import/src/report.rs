//! The plan, as text and as JSON.

use serde_json::{Value, json};
use zts_cli::{count_noun, format_table, printable_line};

use crate::model::{Content, HostPlan, NewFile};

/// Renders the plans for people.
pub(crate) fn render_text(plans: &[HostPlan]) -> String {
    let hosts: Vec<_> = plans.iter().map(host_text).collect();
    hosts.join("\n\n")
}

fn host_text(plan: &HostPlan) -> String {
    let mut lines = vec![format!(
        "{}: {} to move, as {}; {} to leave",
        plan.name,
        count_noun(
            plan.secrets.iter().map(|secret| secret.files.len()).sum(),
            "value"
        ),
        count_noun(plan.secrets.len(), "secret"),
        plan.staying.len()
    )];
    let mut rows = vec![["OPENBAO", "KEY", "FROM", "FILE"].map(str::to_owned)];
    for secret in &plan.secrets {
        for file in &secret.files {
            rows.push([
                plan.secret_path(secret),
                key_text(file),
                file.old.option(),
                file.old.file.display().to_string(),
            ]);
        }
    }
    if rows.len() > 1 {
        lines.push(String::new());
        lines.extend(format_table(&rows));
    }
    let stays = plan.staying.iter();
    lines.extend(stays.map(|stays| {
        format!(
            "stays    {} of {}: {}",
            stays.old.option(),
            stays.old.tool.name(),
            stays.reason
        )
    }));
    lines.extend(plan.notes.iter().map(|note| format!("note     {note}")));
    let lines: Vec<_> = lines.iter().map(printable_line).collect();
    lines.join("\n")
}

fn key_text(file: &NewFile) -> String {
    let name = &file.name;
    if is_base64(file) {
        format!("{name} (Base64)")
    } else {
        name.clone()
    }
}

fn is_base64(file: &NewFile) -> bool {
    file.value.as_ref().is_some_and(|value| value.is_base64)
}

/// Renders the plans as JSON.
pub(crate) fn render_json(plans: &[HostPlan]) -> Value {
    let hosts: Vec<_> = plans.iter().map(host_json).collect();
    json!({ "hosts": hosts })
}

fn host_json(plan: &HostPlan) -> Value {
    let secrets = plan.secrets.iter().map(|secret| {
        let files: Vec<_> = secret.files.iter().map(file_json).collect();
        json!({ "name": secret.name, "path": plan.secret_path(secret), "files": files })
    });
    let stay = plan.staying.iter().map(|stays| {
        json!({
            "tool": stays.old.tool,
            "declaration": stays.old.option(),
            "reason": stays.reason,
        })
    });
    json!({
        "name": plan.name,
        "secrets": secrets.collect::<Vec<_>>(),
        "stay": stay.collect::<Vec<_>>(),
        "notes": plan.notes,
    })
}

fn file_json(file: &NewFile) -> Value {
    let key = match &file.old.content {
        Content::Key { key, .. } => Some(key),
        Content::Whole { .. } | Content::Age => None,
    };
    json!({
        "name": file.name,
        "tool": file.old.tool,
        "declaration": file.old.option(),
        "source": file.old.file,
        "source_key": key,
        "encoding": is_base64(file).then_some("base64"),
    })
}
