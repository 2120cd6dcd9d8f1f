//! Metrics for Prometheus, in a file for `node_exporter`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use zts_exposition::{Family, Page, flag, seconds};

use crate::log::{Level, report};

/// The longest time between two writes: an older file shows that the program does not run.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// The shortest time between two writes.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// The metrics of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeMetrics {
    /// Set if it answered the last probe.
    pub(crate) up: bool,
    /// Set if it was sealed at the last probe.
    pub(crate) sealed: bool,
    /// The number of times that this program unsealed it.
    pub(crate) unsealed: f64,
    /// The number of probes that failed or left it sealed.
    pub(crate) failures: f64,
}

/// The metrics of all nodes, and the file for them.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: Option<PathBuf>,
    nodes: Mutex<BTreeMap<String, NodeMetrics>>,
    changed: Condvar,
}

/// A metric family, and the function that returns its value for a node.
type NodeFamily = (Family, fn(&NodeMetrics) -> f64);

const NODE_FAMILIES: [NodeFamily; 4] = [
    (
        Family::gauge(
            "vault_unseal_node_up",
            "1 if the node answered the last probe, else 0.",
        ),
        |node| flag(node.up),
    ),
    (
        Family::gauge(
            "vault_unseal_node_sealed",
            "1 if the node was sealed at the last probe, else 0.",
        ),
        |node| flag(node.sealed),
    ),
    (
        Family::counter(
            "vault_unseal_node_unsealed_total",
            "Number of times that the node was unsealed.",
        ),
        |node| node.unsealed,
    ),
    (
        Family::counter(
            "vault_unseal_node_failures_total",
            "Number of probes that failed or left the node sealed.",
        ),
        |node| node.failures,
    ),
];

const WRITTEN: Family = Family::gauge(
    "vault_unseal_written_timestamp_seconds",
    "Time of the last write, at least once a minute while the unsealer runs.",
);

impl Metrics {
    /// Creates metrics for this file; without a file they are not written.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            nodes: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Sets the nodes. Those that are known keep their metrics.
    pub(crate) fn set_nodes(&self, names: impl Iterator<Item = String>) {
        let mut nodes = self.lock();
        let known = std::mem::take(&mut *nodes);
        nodes.extend(names.map(|name| {
            let metrics = known.get(&name).copied().unwrap_or_default();
            (name, metrics)
        }));
    }

    /// Updates the metrics of a node. Another thread writes the file, so a slow disk delays no
    /// unsealing.
    pub(crate) fn update_node(&self, name: &str, update: impl FnOnce(&mut NodeMetrics)) {
        if let Some(node) = self.lock().get_mut(name) {
            update(node);
            self.changed.notify_one();
        }
    }

    /// Writes the file now and after each change, until the process ends.
    pub(crate) fn write_on_change(&self) {
        let mut written = Page::default();
        let mut last_error = None;
        while let Some(file) = &self.file {
            let nodes = self.lock();
            let waited = self
                .changed
                .wait_timeout_while(nodes, MAX_INTERVAL, |nodes| render_page(nodes) == written);
            written = render_page(&waited.unwrap_or_else(PoisonError::into_inner).0);
            let error = write_file(file, written.clone())
                .err()
                .map(|cause| cause.to_string());
            if let Some(cause) = error.as_ref().filter(|_| error != last_error) {
                report_write_error(file, cause);
            }
            last_error = error;
            thread::sleep(MIN_INTERVAL);
        }
    }

    /// Writes the file once.
    pub(crate) fn write_once(&self) {
        let page = render_page(&self.lock());
        if let Some(file) = &self.file
            && let Err(cause) = write_file(file, page)
        {
            report_write_error(file, &cause.to_string());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, NodeMetrics>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report_write_error(file: &Path, cause: &str) {
    let shown = file.display();
    report(
        Level::Warn,
        format_args!("the metrics are not written to `{shown}`: {cause}"),
    );
}

fn render_page(nodes: &BTreeMap<String, NodeMetrics>) -> Page {
    let mut page = Page::default();
    for (family, value) in &NODE_FAMILIES {
        page.begin(family);
        for (node, metrics) in nodes {
            page.sample(family, &[("node", node)], value(metrics));
        }
    }
    page
}

fn write_file(file: &Path, mut page: Page) -> std::io::Result<()> {
    page.single(&WRITTEN, seconds(SystemTime::now()));
    zts_exposition::write(file, &page)
}
