//! Metrics of all declared secrets, in Prometheus's text format. No value of a secret is in them.

use std::{fmt::Write, time::SystemTime};

use delivery::{Declarations, Rejection, Standing};

use super::state::State;

/// Name, kind and meaning of each.
const METRICS: [[&str; 2]; 4] = [
    [
        "vault_secret_version",
        "The version of a secret that stands in its directory.",
    ],
    [
        "vault_secret_rotation_failed",
        "Whether the last look at a secret ended in trouble.",
    ],
    [
        "vault_secret_rejected_version",
        "The version that is not used, for a service did not come up with it or a key is missing.",
    ],
    [
        "vault_secret_rotation_timestamp_seconds",
        "When a secret was last looked after without trouble.",
    ],
];

pub(crate) fn text(declarations: &Declarations, state: &State) -> String {
    let mut text = String::new();
    for (index, [metric, meaning]) in METRICS.iter().enumerate() {
        let _ = writeln!(text, "# HELP {metric} {meaning}\n# TYPE {metric} gauge");
        for (name, secret) in &declarations.secrets {
            let looked = state.secrets.get(name);
            let value = match index {
                0 => Standing::of(&secret.output_directory)
                    .map(|standing| standing.version.to_string()),
                1 => looked.map(|looked| u8::from(looked.failed).to_string()),
                2 => secret
                    .home()
                    .and_then(|home| Rejection::read(&home))
                    .map(|rejection| rejection.version.to_string()),
                _ => looked.and_then(|looked| looked.well).map(seconds),
            };
            if let Some(value) = value {
                let _ = writeln!(text, "{metric}{{secret=\"{}\"}} {value}", escape(name));
            }
        }
    }
    text
}

fn seconds(time: SystemTime) -> String {
    let time = time.duration_since(SystemTime::UNIX_EPOCH);
    format!("{:.3}", time.unwrap_or_default().as_secs_f64())
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
