//! The metrics of this program, as `docs/metrics.md` describes them.

use zts_exposition::Family;

pub(crate) const INFO: Family = Family::gauge(
    "vault_node_info",
    "1; the labels have the node's address, and its version, seal and cluster if it reports them.",
);
pub(crate) const UP: Family = Family::gauge(
    "vault_node_up",
    "1 if the node answered; 0 also if the answer is not OpenBao's or the certificate is not trusted.",
);
pub(crate) const TROUBLE: Family = Family::gauge(
    "vault_node_trouble",
    "1 for the reason why the node counts as unreachable: connect, timeout, tls or answer.",
);
pub(crate) const ANSWER_SECONDS: Family = Family::gauge(
    "vault_node_answer_seconds",
    "The time that the node took to answer.",
);
pub(crate) const INITIALIZED: Family = Family::gauge(
    "vault_node_initialized",
    "1 if the node was initialised, or has joined a cluster that was.",
);
pub(crate) const SEALED: Family = Family::gauge("vault_node_sealed", "1 if the node is sealed.");
pub(crate) const UNSEAL_PROGRESS: Family = Family::gauge(
    "vault_node_unseal_progress",
    "The number of key shares that the node has received since it was sealed.",
);
pub(crate) const UNSEAL_THRESHOLD: Family = Family::gauge(
    "vault_node_unseal_threshold",
    "The number of key shares that unseal the node.",
);
pub(crate) const LEADER: Family = Family::gauge(
    "vault_node_leader",
    "1 if the node is the active one of its cluster.",
);
pub(crate) const NODE_SERVING: Family = Family::gauge(
    "vault_node_serving",
    "1 if the node serves requests: unsealed, and the active node or a standby of one that answered as such.",
);
pub(crate) const ANSWERS_READS: Family = Family::gauge(
    "vault_node_answers_reads",
    "1 if the node answers reads itself; 0 for a standby that forwards them although its version could answer. Tested every five minutes.",
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
    "The number of raft log entries that the node is behind the most advanced one.",
);
pub(crate) const NOT_BEFORE: Family = Family::gauge(
    "vault_node_certificate_not_before_timestamp_seconds",
    "The start of the validity of the certificate that the node presents.",
);
pub(crate) const NOT_AFTER: Family = Family::gauge(
    "vault_node_certificate_not_after_timestamp_seconds",
    "The expiry of the certificate that the node presents, or presented last.",
);
pub(crate) const NEXT_CA: Family = Family::gauge(
    "vault_node_next_ca_not_after_timestamp_seconds",
    "The latest expiry of the CA certificates in the chain that the node presents: clients follow it.",
);
pub(crate) const AUTHORITIES: Family = Family::gauge(
    "vault_ca_not_after_timestamp_seconds",
    "The latest expiry of the CA certificates that the exporter trusts.",
);
pub(crate) const NODES: Family = Family::gauge(
    "vault_cluster_nodes",
    "The number of nodes that the exporter probes.",
);
pub(crate) const SERVING: Family = Family::gauge(
    "vault_cluster_serving_nodes",
    "The number of nodes that serve requests.",
);
pub(crate) const LEADERS: Family = Family::gauge(
    "vault_cluster_leaders",
    "The number of nodes that say they are active: 1 in a healthy cluster.",
);
pub(crate) const TOLERANCE: Family = Family::gauge(
    "vault_cluster_failure_tolerance",
    "The number of nodes that the cluster can lose and keep its quorum; below 0 it has none.",
);
pub(crate) const TEXTFILE_ERROR: Family = Family::gauge(
    "vault_exporter_textfile_error",
    "1 if a file could not be read, is damaged or contradicts another file, so that it is left out.",
);
pub(crate) const TEXTFILE_MODIFIED: Family = Family::gauge(
    "vault_exporter_textfile_modified_timestamp_seconds",
    "The time when a file was last written.",
);
pub(crate) const SCRAPE_SECONDS: Family = Family::gauge(
    "vault_exporter_scrape_seconds",
    "The time that this scrape took.",
);
pub(crate) const BUILD: Family = Family::gauge(
    "vault_exporter_build_info",
    "1; the label has the exporter's version.",
);
