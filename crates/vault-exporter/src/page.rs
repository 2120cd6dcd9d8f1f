//! What the looks gave, as metrics.

use std::time::Duration;

use exposition::{Family, Page, flag, number};

use crate::{
    certificate::last_end,
    families::{
        ANSWER_SECONDS, ANSWERS_READS, APPLIED, AUTHORITIES, BUILD, COMMITTED, INFO, INITIALIZED,
        LAG, LEADER, LEADERS, NEXT_CA, NODE_SERVING, NODES, NOT_AFTER, NOT_BEFORE, SCRAPE_SECONDS,
        SEALED, SERVING, TOLERANCE, TROUBLE, UNSEAL_PROGRESS, UNSEAL_THRESHOLD, UP,
    },
    look::Look,
    nodes::Nodes,
};

/// Figures of each node, and of the cluster.
pub(crate) fn nodes(page: &mut Page, looks: &[Look<'_>], nodes: &Nodes) {
    info(page, looks);
    of_each(page, looks, &UP, |look| Some(flag(look.status.is_some())));
    trouble(page, looks);
    of_each(page, looks, &ANSWER_SECONDS, |look| {
        let answered = look.status.is_some();
        answered.then_some(look.took.as_secs_f64())
    });
    seals(page, looks);
    of_each(page, looks, &LEADER, |look| {
        look.status.as_ref().map(|_| flag(look.leads()))
    });
    of_each(page, looks, &NODE_SERVING, |look| {
        Some(flag(look.serves(looks)))
    });
    of_each(page, looks, &ANSWERS_READS, |look| {
        Some(flag(look.answers_reads?))
    });
    raft(page, looks);
    certificates(page, looks, nodes);
    cluster(page, looks);
}

/// Figures of this program itself.
pub(crate) fn own(page: &mut Page, took: Duration) {
    page.single(&SCRAPE_SECONDS, took.as_secs_f64());
    page.begin(&BUILD);
    page.sample(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
}

/// One figure of each node that has it.
fn of_each(
    page: &mut Page,
    looks: &[Look<'_>],
    family: &Family,
    value: impl Fn(&Look<'_>) -> Option<f64>,
) {
    page.begin(family);
    for look in looks {
        if let Some(value) = value(look) {
            page.sample(family, &[("node", &look.node.name)], value);
        }
    }
}

fn info(page: &mut Page, looks: &[Look<'_>]) {
    page.begin(&INFO);
    for look in looks {
        let address = look.node.address.to_string();
        let status = look.status.as_ref();
        let labels = [
            ("node", look.node.name.as_str()),
            ("address", &address),
            ("version", status.map_or("", |status| &status.version)),
            ("seal", status.map_or("", |status| &status.kind)),
            ("cluster", status.map_or("", |status| &status.cluster_name)),
        ];
        page.sample(&INFO, &labels, 1.0);
    }
}

fn trouble(page: &mut Page, looks: &[Look<'_>]) {
    page.begin(&TROUBLE);
    for look in looks {
        if let Some(reason) = look.trouble {
            let labels = [("node", look.node.name.as_str()), ("reason", reason)];
            page.sample(&TROUBLE, &labels, 1.0);
        }
    }
}

fn seals(page: &mut Page, looks: &[Look<'_>]) {
    of_each(page, looks, &INITIALIZED, |look| {
        Some(flag(look.status.as_ref()?.initialized))
    });
    of_each(page, looks, &SEALED, |look| {
        Some(flag(look.status.as_ref()?.sealed))
    });
    of_each(page, looks, &UNSEAL_PROGRESS, |look| {
        Some(count(look.status.as_ref()?.progress))
    });
    of_each(page, looks, &UNSEAL_THRESHOLD, |look| {
        Some(count(look.status.as_ref()?.threshold))
    });
}

fn raft(page: &mut Page, looks: &[Look<'_>]) {
    let committed = |look: &Look<'_>| look.leader.as_ref()?.raft_committed_index;
    let applied = |look: &Look<'_>| look.leader.as_ref()?.raft_applied_index;
    let furthest = looks.iter().filter_map(committed).max();
    of_each(page, looks, &COMMITTED, |look| committed(look).map(number));
    of_each(page, looks, &APPLIED, |look| applied(look).map(number));
    of_each(page, looks, &LAG, |look| {
        lag(furthest, applied(look)).map(number)
    });
}

/// None is behind what it has not heard of: the nodes are asked one after the other within a moment.
fn lag(furthest: Option<u64>, applied: Option<u64>) -> Option<u64> {
    Some(furthest?.saturating_sub(applied?))
}

fn certificates(page: &mut Page, looks: &[Look<'_>], nodes: &Nodes) {
    of_each(page, looks, &NOT_BEFORE, |look| {
        Some(seconds(look.validity?.not_before))
    });
    of_each(page, looks, &NOT_AFTER, |look| {
        Some(seconds(look.validity?.not_after))
    });
    of_each(page, looks, &NEXT_CA, |look| {
        look.validity?.next_ca.map(seconds)
    });
    page.begin(&AUTHORITIES);
    if let Some(end) = last_end(&nodes.bundle()) {
        page.sample(&AUTHORITIES, &[], seconds(end));
    }
}

fn cluster(page: &mut Page, looks: &[Look<'_>]) {
    let serving = looks.iter().filter(|look| look.serves(looks)).count();
    let leaders = looks.iter().filter(|look| look.leads()).count();
    let quorum = looks.len() / 2 + 1;
    page.single(&NODES, count(looks.len()));
    page.single(&SERVING, count(serving));
    page.single(&LEADERS, count(leaders));
    page.single(&TOLERANCE, count(serving) - count(quorum));
}

/// Counts of nodes and shares are small.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers, and X.509's calendar ends in 9999"
)]
fn seconds(moment: i64) -> f64 {
    moment as f64
}

#[cfg(test)]
mod tests {
    use super::lag;

    #[test]
    fn how_far_a_node_is_behind() {
        assert_eq!(lag(Some(1_000), Some(12)), Some(988));
        assert_eq!(lag(Some(7), Some(7)), Some(0));
        assert_eq!(lag(Some(7), Some(9)), Some(0));
        assert_eq!(lag(Some(7), None), None);
        assert_eq!(lag(None, Some(7)), None);
    }
}
