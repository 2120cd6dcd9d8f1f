//! Metrics for Prometheus, in a file that `node_exporter` reads.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::log::{Level, say};

/// The file is written at least so often: its age tells whether the program lives.
const FRESH: Duration = Duration::from_secs(60);
/// And at most so often.
const PAUSE: Duration = Duration::from_millis(500);

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
    changed: Condvar,
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
        "Looks at the node that failed, or left it sealed",
        |node| node.failures,
    ),
];

impl Metrics {
    /// Metrics in this file; without one, none.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            nodes: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Speaks of these nodes from now on, and of no others.
    pub(crate) fn about(&self, names: impl Iterator<Item = String>) {
        let mut nodes = self.lock();
        let known = std::mem::take(&mut *nodes);
        let figures = |name: &String| known.get(name).copied().unwrap_or_default();
        nodes.extend(names.map(|name| {
            let figures = figures(&name);
            (name, figures)
        }));
    }

    /// Changes a node's figures. It does no more: a disk that hangs keeps no node sealed.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.lock().get_mut(name) {
            change(node);
            self.changed.notify_one();
        }
    }

    /// Writes the file now and whenever something changes.
    pub(crate) fn keep(&self) {
        let mut written = String::new();
        let mut trouble = None;
        while let Some(file) = &self.file {
            let nodes = self.lock();
            let waited = self
                .changed
                .wait_timeout_while(nodes, FRESH, |nodes| text(nodes) == written);
            written = text(&waited.unwrap_or_else(PoisonError::into_inner).0);
            let now = write(file, &written).err().map(|cause| cause.to_string());
            if let Some(cause) = now.as_ref().filter(|_| now != trouble) {
                complain(file, cause);
            }
            trouble = now;
            thread::sleep(PAUSE);
        }
    }

    /// Writes the file once.
    pub(crate) fn write_once(&self) {
        let text = text(&self.lock());
        if let Some(file) = &self.file
            && let Err(cause) = write(file, &text)
        {
            complain(file, &cause.to_string());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn complain(file: &Path, cause: &str) {
    let shown = file.display();
    say(
        Level::Warn,
        format_args!("the metrics are not written to `{shown}`: {cause}"),
    );
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
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut draft = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    draft.write_all(text.as_bytes())?;
    draft.persist(file)?;
    Ok(())
}
