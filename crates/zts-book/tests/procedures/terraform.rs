//! The policies in `example/terraform/vault`, with the mounts that the pages have.

use std::fs;

/// Each policy of a file, in order, as OpenBao gets it.
pub(crate) fn policies(file: &str) -> Vec<String> {
    let path = zts_book::root().join("example/terraform/vault").join(file);
    let text = fs::read_to_string(path).expect("the file is read");
    let heredocs = text.split("<<-EOT\n").skip(1).map(|rest| {
        let (policy, _) = rest.split_once("EOT\n").expect("the policy ends");
        unindented(policy)
    });
    heredocs.map(|policy| with_mounts(&policy)).collect()
}

/// As OpenTofu takes it: without the space that all lines begin with.
fn unindented(text: &str) -> String {
    let text = text.trim_end_matches(' '); // before the end's mark
    let spaces = |line: &str| line.len() - line.trim_start().len();
    let written = text.lines().filter(|line| !line.is_empty());
    let common = written.map(spaces).min().unwrap_or_default();
    text.lines()
        .flat_map(|line| [line.get(common..).unwrap_or_default(), "\n"])
        .collect()
}

fn with_mounts(policy: &str) -> String {
    policy
        .replace(
            "${local.snapshot_canary}",
            "${var.kv_mount}/data/vault-snapshot/canary",
        )
        .replace("${var.approle_mount}", "approle")
        .replace("${var.kv_mount}", "secret")
}
