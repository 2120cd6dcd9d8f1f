//! The probes' results as metrics.

use std::time::Duration;

use zts_exposition::{Family, Page, flag, number};

use crate::{
    families::{
        ANSWER_SECONDS, ANSWERS_READS, APPLIED, AUTHORITIES, BUILD, COMMITTED, INFO, INITIALIZED,
        LAG, LEADER, LEADERS, NEXT_CA, NODE_SERVING, NODES, NOT_AFTER, NOT_BEFORE, SCRAPE_SECONDS,
        SEALED, SERVING, TOLERANCE, TROUBLE, UNSEAL_PROGRESS, UNSEAL_THRESHOLD, UP,
    },
    nodes::Nodes,
    probe::Probe,
};

/// Adds the metrics of each node and of the cluster.
pub(crate) fn add_nodes(page: &mut Page, probes: &[Probe<'_>], nodes: &Nodes) {
    add_info(page, probes);
    add_for_each(page, probes, &UP, |probe| {
        Some(flag(probe.status.is_some()))
    });
    add_failures(page, probes);
    add_for_each(page, probes, &ANSWER_SECONDS, |probe| {
        let answered = probe.status.is_some();
        answered.then_some(probe.answer_time.as_secs_f64())
    });
    add_seal_status(page, probes);
    add_for_each(page, probes, &LEADER, |probe| {
        probe.status.as_ref().map(|_| flag(probe.is_active()))
    });
    add_for_each(page, probes, &NODE_SERVING, |probe| {
        Some(flag(probe.is_serving(probes)))
    });
    add_for_each(page, probes, &ANSWERS_READS, |probe| {
        Some(flag(probe.answers_reads?))
    });
    add_raft(page, probes);
    add_certificates(page, probes, nodes);
    add_cluster(page, probes);
}

/// Adds the metrics of this program itself.
pub(crate) fn add_exporter(page: &mut Page, scrape_time: Duration) {
    page.single(&SCRAPE_SECONDS, scrape_time.as_secs_f64());
    page.begin(&BUILD);
    page.sample(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
}

/// Adds a metric with the value of each node that has one.
fn add_for_each(
    page: &mut Page,
    probes: &[Probe<'_>],
    family: &Family,
    value: impl Fn(&Probe<'_>) -> Option<f64>,
) {
    page.begin(family);
    for probe in probes {
        if let Some(value) = value(probe) {
            page.sample(family, &[("node", &probe.node.name)], value);
        }
    }
}

fn add_info(page: &mut Page, probes: &[Probe<'_>]) {
    page.begin(&INFO);
    for probe in probes {
        let address = probe.node.address.to_string();
        let status = probe.status.as_ref();
        let labels = [
            ("node", probe.node.name.as_str()),
            ("address", &address),
            ("version", status.map_or("", |status| &status.version)),
            ("seal", status.map_or("", |status| &status.kind)),
            ("cluster", status.map_or("", |status| &status.cluster_name)),
        ];
        page.sample(&INFO, &labels, 1.0);
    }
}

fn add_failures(page: &mut Page, probes: &[Probe<'_>]) {
    page.begin(&TROUBLE);
    for probe in probes {
        if let Some(reason) = probe.failure {
            let labels = [("node", probe.node.name.as_str()), ("reason", reason)];
            page.sample(&TROUBLE, &labels, 1.0);
        }
    }
}

fn add_seal_status(page: &mut Page, probes: &[Probe<'_>]) {
    add_for_each(page, probes, &INITIALIZED, |probe| {
        Some(flag(probe.status.as_ref()?.initialized))
    });
    add_for_each(page, probes, &SEALED, |probe| {
        Some(flag(probe.status.as_ref()?.sealed))
    });
    add_for_each(page, probes, &UNSEAL_PROGRESS, |probe| {
        Some(count(probe.status.as_ref()?.progress))
    });
    add_for_each(page, probes, &UNSEAL_THRESHOLD, |probe| {
        Some(count(probe.status.as_ref()?.threshold))
    });
}

fn add_raft(page: &mut Page, probes: &[Probe<'_>]) {
    let committed = |probe: &Probe<'_>| probe.leader.as_ref()?.raft_committed_index;
    let applied = |probe: &Probe<'_>| probe.leader.as_ref()?.raft_applied_index;
    let latest = probes.iter().filter_map(committed).max();
    add_for_each(page, probes, &COMMITTED, |probe| {
        committed(probe).map(number)
    });
    add_for_each(page, probes, &APPLIED, |probe| applied(probe).map(number));
    add_for_each(page, probes, &LAG, |probe| {
        lag(latest, applied(probe)).map(number)
    });
}

/// Returns the entries that a node is behind; 0 if it was probed later than the others and has
/// more.
fn lag(latest: Option<u64>, applied: Option<u64>) -> Option<u64> {
    Some(latest?.saturating_sub(applied?))
}

fn add_certificates(page: &mut Page, probes: &[Probe<'_>], nodes: &Nodes) {
    add_for_each(page, probes, &NOT_BEFORE, |probe| {
        Some(seconds(probe.validity?.not_before))
    });
    add_for_each(page, probes, &NOT_AFTER, |probe| {
        Some(seconds(probe.validity?.not_after))
    });
    add_for_each(page, probes, &NEXT_CA, |probe| {
        probe.validity?.next_ca.map(seconds)
    });
    page.begin(&AUTHORITIES);
    if let Some(end) = nodes.ca_expiry() {
        page.sample(&AUTHORITIES, &[], seconds(end));
    }
}

fn add_cluster(page: &mut Page, probes: &[Probe<'_>]) {
    let serving = probes
        .iter()
        .filter(|probe| probe.is_serving(probes))
        .count();
    let leaders = probes.iter().filter(|probe| probe.is_active()).count();
    let quorum = probes.len() / 2 + 1;
    page.single(&NODES, count(probes.len()));
    page.single(&SERVING, count(serving));
    page.single(&LEADERS, count(leaders));
    page.single(&TOLERANCE, count(serving) - count(quorum));
}

/// Converts a count of nodes or key shares.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers, and X.509's calendar ends in 9999"
)]
fn seconds(timestamp: i64) -> f64 {
    timestamp as f64
}

#[cfg(test)]
mod tests {
    use super::lag;

    #[test]
    fn lag_is_never_negative() {
        assert_eq!(lag(Some(1_000), Some(12)), Some(988));
        assert_eq!(lag(Some(7), Some(7)), Some(0));
        assert_eq!(lag(Some(7), Some(9)), Some(0));
        assert_eq!(lag(Some(7), None), None);
        assert_eq!(lag(None, Some(7)), None);
    }
}
