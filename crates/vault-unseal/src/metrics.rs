//! Metrics for Prometheus, in a file that `node_exporter` reads.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::log::{Level, say};

/// What is known of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Node {
    /// Whether it answered the last look.
    pub(crate) up: bool,
    /// Whether it was sealed then.
    pub(crate) sealed: bool,
    /// How often it was unsealed by this program.
    pub(crate) unsealed: u64,
    /// How many looks ended without what they were for.
    pub(crate) failures: u64,
}

/// All nodes' figures, and where they are written.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: Option<PathBuf>,
    nodes: Mutex<BTreeMap<String, Node>>,
}

/// Name, type, meaning, and where the value is.
type Kind = (&'static str, &'static str, &'static str, fn(&Node) -> u64);

const KINDS: [Kind; 4] = [
    (
        "up",
        "gauge",
        "Whether the node answered the last look",
        |node| u64::from(node.up),
    ),
    (
        "sealed",
        "gauge",
        "Whether the node was sealed at the last look",
        |node| u64::from(node.sealed),
    ),
    (
        "unsealed_total",
        "counter",
        "How often the node was unsealed",
        |node| node.unsealed,
    ),
    (
        "failures_total",
        "counter",
        "Looks at the node that failed",
        |node| node.failures,
    ),
];

impl Metrics {
    /// Metrics in this file; without one, none.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            nodes: Mutex::default(),
        }
    }

    /// Changes a node's figures and writes them all where something changed that somebody wakes up for.
    pub(crate) fn change(&self, node: &str, change: impl FnOnce(&mut Node)) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        change(nodes.entry(node.to_owned()).or_default());
        let Some(file) = &self.file else { return };
        if let Err(cause) = write(file, &text(&nodes)) {
            let shown = file.display();
            say(
                Level::Warn,
                format_args!("the metrics are not written to `{shown}`: {cause}"),
            );
        }
    }
}

fn text(nodes: &BTreeMap<String, Node>) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in KINDS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP vault_unseal_node_{name} {help}");
        let _ = writeln!(text, "# TYPE vault_unseal_node_{name} {kind}");
        for (node, figures) in nodes {
            let value = value(figures);
            let _ = writeln!(text, "vault_unseal_node_{name}{{node=\"{node}\"}} {value}");
        }
    }
    text
}

/// Whole or not at all, and readable: there is nothing secret in it.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    draft.write_all(text.as_bytes())?;
    draft.persist(file)?;
    Ok(())
}
