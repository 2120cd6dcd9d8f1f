//! The metrics of this program, each of which is described in `docs/metrics.md`.

use exposition::Family;

pub(crate) const INFO: Family = Family::gauge(
    "vault_node_info",
    "1; the labels say where the node is, and its version, seal and cluster as far as it said.",
);
pub(crate) const UP: Family = Family::gauge(
    "vault_node_up",
    "Whether the node answered; 0 also for an answer that is not OpenBao's or a certificate that is not trusted.",
);
pub(crate) const TROUBLE: Family = Family::gauge(
    "vault_node_trouble",
    "1 for the reason why the node counts as lost: connect, timeout, tls or answer.",
);
pub(crate) const ANSWER_SECONDS: Family = Family::gauge(
    "vault_node_answer_seconds",
    "How long the node took to answer.",
);
pub(crate) const INITIALIZED: Family = Family::gauge(
    "vault_node_initialized",
    "Whether the node was initialised, or has joined a cluster that was.",
);
pub(crate) const SEALED: Family = Family::gauge("vault_node_sealed", "Whether the node is sealed.");
pub(crate) const UNSEAL_PROGRESS: Family = Family::gauge(
    "vault_node_unseal_progress",
    "How many key shares the node was given since it is sealed.",
);
pub(crate) const UNSEAL_THRESHOLD: Family = Family::gauge(
    "vault_node_unseal_threshold",
    "How many key shares unseal the node.",
);
pub(crate) const LEADER: Family = Family::gauge(
    "vault_node_leader",
    "Whether the node is the active one of its cluster, or alone.",
);
pub(crate) const NODE_SERVING: Family = Family::gauge(
    "vault_node_serving",
    "Whether the node serves requests: unsealed, and the leader or a standby of one that answered as such.",
);
pub(crate) const ANSWERS_READS: Family = Family::gauge(
    "vault_node_answers_reads",
    "Whether the node answers reads itself; 0 for a standby that passes them on although its version could. Looked at every five minutes.",
);
pub(crate) const COMMITTED: Family = Family::gauge(
    "vault_node_raft_committed_index",
    "The last entry of the raft log that the node knows to be committed.",
);
pub(crate) const APPLIED: Family = Family::gauge(
    "vault_node_raft_applied_index",
    "The last entry of the raft log that the node has applied.",
);
pub(crate) const LAG: Family = Family::gauge(
    "vault_node_raft_lag_entries",
    "How many entries of the raft log the node is behind the one that is furthest.",
);
pub(crate) const NOT_BEFORE: Family = Family::gauge(
    "vault_node_certificate_not_before_timestamp_seconds",
    "When the certificate that the node shows began to be good.",
);
pub(crate) const NOT_AFTER: Family = Family::gauge(
    "vault_node_certificate_not_after_timestamp_seconds",
    "When the certificate that the node shows ends; of a node that is lost, what it showed last.",
);
pub(crate) const NEXT_CA: Family = Family::gauge(
    "vault_node_next_ca_not_after_timestamp_seconds",
    "When the last of the CA certificates ends that the node shows behind its own: clients follow it.",
);
pub(crate) const AUTHORITIES: Family = Family::gauge(
    "vault_ca_not_after_timestamp_seconds",
    "When the last of the CA certificates ends that the exporter trusts.",
);
pub(crate) const NODES: Family = Family::gauge(
    "vault_cluster_nodes",
    "How many nodes the exporter was told of.",
);
pub(crate) const SERVING: Family = Family::gauge(
    "vault_cluster_serving_nodes",
    "How many of them serve requests.",
);
pub(crate) const LEADERS: Family = Family::gauge(
    "vault_cluster_leaders",
    "How many of them are the leader: 1 where all is well.",
);
pub(crate) const TOLERANCE: Family = Family::gauge(
    "vault_cluster_failure_tolerance",
    "How many more nodes the cluster may lose before it has no quorum; below 0 it has none.",
);
pub(crate) const TEXTFILE_ERROR: Family = Family::gauge(
    "vault_exporter_textfile_error",
    "Whether a file could not be read or understood, so that nothing of it is here.",
);
pub(crate) const TEXTFILE_MODIFIED: Family = Family::gauge(
    "vault_exporter_textfile_modified_timestamp_seconds",
    "When a file was written last.",
);
pub(crate) const SCRAPE_SECONDS: Family = Family::gauge(
    "vault_exporter_scrape_seconds",
    "How long this answer took.",
);
pub(crate) const BUILD: Family = Family::gauge(
    "vault_exporter_build_info",
    "1; the label says the exporter's version.",
);
