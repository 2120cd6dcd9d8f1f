//! Metrics for Prometheus, in a file that `node_exporter` reads.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use exposition::{Family, Page, flag, seconds};

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
    pub(crate) unsealed: f64,
    /// How many looks ended without what they were for.
    pub(crate) failures: f64,
}

/// All nodes' figures, and where they are written.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: Option<PathBuf>,
    nodes: Mutex<BTreeMap<String, Node>>,
    changed: Condvar,
}

/// A metric of each node, and where its value is.
type Kind = (Family, fn(&Node) -> f64);

const KINDS: [Kind; 4] = [
    (
        Family::gauge(
            "vault_unseal_node_up",
            "Whether the node answered the last look.",
        ),
        |node| flag(node.up),
    ),
    (
        Family::gauge(
            "vault_unseal_node_sealed",
            "Whether the node was sealed at the last look.",
        ),
        |node| flag(node.sealed),
    ),
    (
        Family::counter(
            "vault_unseal_node_unsealed_total",
            "How often the node was unsealed.",
        ),
        |node| node.unsealed,
    ),
    (
        Family::counter(
            "vault_unseal_node_failures_total",
            "Looks at the node that failed, or left it sealed.",
        ),
        |node| node.failures,
    ),
];

const WRITTEN: Family = Family::gauge(
    "vault_unseal_written_timestamp_seconds",
    "When these figures were written: at least once a minute while the unsealer lives.",
);

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
        let mut written = Page::default();
        let mut trouble = None;
        while let Some(file) = &self.file {
            let nodes = self.lock();
            let waited = self
                .changed
                .wait_timeout_while(nodes, FRESH, |nodes| figures(nodes) == written);
            written = figures(&waited.unwrap_or_else(PoisonError::into_inner).0);
            let now = write(file, written.clone())
                .err()
                .map(|cause| cause.to_string());
            if let Some(cause) = now.as_ref().filter(|_| now != trouble) {
                complain(file, cause);
            }
            trouble = now;
            thread::sleep(PAUSE);
        }
    }

    /// Writes the file once.
    pub(crate) fn write_once(&self) {
        let page = figures(&self.lock());
        if let Some(file) = &self.file
            && let Err(cause) = write(file, page)
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

fn figures(nodes: &BTreeMap<String, Node>) -> Page {
    let mut page = Page::default();
    for (family, value) in &KINDS {
        page.begin(family);
        for (node, figures) in nodes {
            page.sample(family, &[("node", node)], value(figures));
        }
    }
    page
}

fn write(file: &Path, mut page: Page) -> std::io::Result<()> {
    page.single(&WRITTEN, seconds(SystemTime::now()));
    exposition::write(file, &page)
}
