//! Metrics of nodes and clusters.

use std::time::{Duration, Instant};

use serde_json::json;
use zts_testkit::{BlackHole, Cluster, Proxy, Server, closed_port, wait_for};

use crate::{Exporter, Page, run};

fn nodes(cluster: &mut Cluster) -> Vec<String> {
    let named = cluster.nodes().iter().zip(1..);
    named
        .map(|(node, number)| format!("--node=n{number}={}", node.address()))
        .collect()
}

fn exporter(cluster: &mut Cluster) -> Exporter {
    let authority = cluster.nodes()[0].ca_certificate().unwrap();
    let nodes = nodes(cluster);
    let arguments: Vec<_> = nodes.iter().map(String::as_str).collect();
    Exporter::start(
        run(&arguments)
            .args(["--timeout", "2s"])
            .env("BAO_CACERT", authority),
    )
}

#[test]
fn metrics_follow_a_cluster_that_loses_nodes() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let exporter = exporter(&mut cluster);

    let page = exporter.scrape();
    let leaders = |page: &Page| {
        let names = ["n1", "n2", "n3"].into_iter();
        names
            .filter(|name| page.node("leader", name) == Some(1))
            .collect::<Vec<_>>()
    };
    assert_eq!(leaders(&page).len(), 1, "{}", page.text);
    for name in ["n1", "n2", "n3"] {
        assert_eq!(page.node("up", name), Some(1), "{}", page.text);
        assert_eq!(page.node("sealed", name), Some(0));
        assert_eq!(page.node("serving", name), Some(1));
        assert!(
            page.node("raft_applied_index", name) > Some(10),
            "{}",
            page.text
        );
    }
    assert_eq!(page.cluster("serving_nodes"), Some(3));
    assert_eq!(page.cluster("leaders"), Some(1));
    assert_eq!(page.cluster("failure_tolerance"), Some(1));

    // a sealed node answers, and does not serve
    let standby = cluster.standbys().remove(0);
    let address = standby.address();
    standby.stop();
    standby.restart_sealed();
    let name = nodes(&mut cluster)
        .iter()
        .find_map(|node| {
            Some(
                node.strip_suffix(&address)?
                    .strip_prefix("--node=")?
                    .trim_end_matches('=')
                    .to_owned(),
            )
        })
        .unwrap();
    let page = exporter.scrape();
    assert_eq!(page.node("up", &name), Some(1), "{}", page.text);
    assert_eq!(page.node("sealed", &name), Some(1));
    assert_eq!(page.node("leader", &name), Some(0));
    assert_eq!(page.node("unseal_progress", &name), Some(0));
    assert_eq!(page.node("unseal_threshold", &name), Some(1));
    assert_eq!(
        page.node("raft_lag_entries", &name),
        None,
        "a sealed node has no index"
    );
    assert_eq!(page.cluster("serving_nodes"), Some(2));
    assert_eq!(page.cluster("failure_tolerance"), Some(0));

    // the active node hangs: its port accepts, and nothing answers
    let leader = leaders(&page)[0];
    cluster.active_node().pause();
    let began = Instant::now();
    let page = exporter.scrape();
    assert!(
        began.elapsed() < zts_testkit::scale_timeout(Duration::from_secs(4)),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(page.node("up", leader), Some(0), "{}", page.text);
    let failure = page.value("vault_node_trouble", Some(("node", leader)));
    assert!(
        failure.is_some() && page.text.contains("reason=\"timeout\""),
        "{}",
        page.text
    );
    assert!(
        page.node("certificate_not_after_timestamp_seconds", leader)
            .is_some()
    );
    assert_eq!(page.node("sealed", leader), None, "unreachable");
    // the remaining standby goes on naming the active node, which does not confirm it
    assert_eq!(page.cluster("leaders"), Some(0), "{}", page.text);
    assert_eq!(page.cluster("serving_nodes"), Some(0), "{}", page.text);
    assert_eq!(page.cluster("failure_tolerance"), Some(-2));
}

#[test]
fn standbys_catch_up_with_writes() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let exporter = exporter(&mut cluster);
    let names = ["n1", "n2", "n3"];
    let before = exporter
        .scrape()
        .node("raft_committed_index", "n1")
        .unwrap();
    for round in 0..20 {
        let leader = cluster.active_node();
        leader.put_secret("hosts/a/b", &json!({ "round": round }));
    }
    wait_for("all nodes have applied all entries", || {
        let page = exporter.scrape();
        let lags = names.map(|name| page.node("raft_lag_entries", name));
        let applied = names.map(|name| page.node("raft_applied_index", name).unwrap_or(0));
        (lags == [Some(0); 3] && applied.iter().all(|index| *index >= before + 20)).then_some(())
    });
}

#[test]
fn unreachable_nodes_have_a_reason() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let (silent, refused) = (BlackHole::open(), closed_port());
    let nonsense = Proxy::to(&server.address());
    nonsense.always(zts_testkit::Fault::Html);
    let nodes = [
        format!("--node=good={}", server.address()),
        format!("--node=silent={}", silent.address()),
        format!("--node=refused={}", refused.address()),
        format!("--node=nonsense={}", nonsense.address()),
        format!(
            "--node=plain={}",
            server.address().replace("http:", "https:")
        ),
        "--node=nowhere=http://does-not-exist.invalid:8200".to_owned(),
    ];
    let arguments: Vec<_> = nodes.iter().map(String::as_str).collect();
    let output = run(&arguments)
        .args(["--once", "--timeout", "1s"])
        .succeed();
    assert!(
        output.time < zts_testkit::scale_timeout(Duration::from_secs(4)),
        "{:?}",
        output.time
    );
    let page = Page::parse(&output.stdout);
    assert_eq!(page.node("up", "good"), Some(1), "{}", page.text);
    assert_eq!(page.node("leader", "good"), Some(1));
    for (node, reason) in [
        ("silent", "timeout"),
        ("refused", "connect"),
        ("nonsense", "answer"),
        ("plain", "tls"),
        ("nowhere", "connect"),
    ] {
        assert_eq!(page.node("up", node), Some(0), "{node}: {}", page.text);
        let line = format!("vault_node_trouble{{node=\"{node}\",reason=\"{reason}\"}} 1\n");
        assert!(page.text.contains(&line), "{line}{}", page.text);
    }
}

#[test]
fn wrong_usage_is_refused() {
    for (arguments, message) in [
        (&["--once"][..], "address is not known"),
        (&["--once", "--node", "a=b=c"], "`b=c`"),
        (
            &["--once", "--node", "a=http://a:1", "--node", "a=http://b:1"],
            "two nodes are named `a`",
        ),
        (
            &["--once", "--node", "http://a:1", "--timeout", "0s"],
            "`--timeout` is 0",
        ),
        (
            &["--node", "http://a:1", "--listen", "nowhere"],
            "`nowhere` cannot be listened on",
        ),
        (
            &[
                "--node",
                "https://a:1",
                "--ca-certificate",
                "/does/not/exist",
            ],
            "`/does/not/exist`",
        ),
    ] {
        let output = run(arguments).run();
        assert_eq!(output.code(), Some(2), "{arguments:?}: {output}");
        assert!(output.stderr.contains(message), "{arguments:?}: {output}");
    }
}

#[test]
fn standbys_that_forward_reads_are_distinguished() {
    zts_testkit::require_bao!();
    for (mut cluster, expected) in [
        (Cluster::start_with_differing_audit(2), 0),
        (Cluster::start_with_tls(2), 1),
    ] {
        let nodes = nodes(&mut cluster);
        let authority = cluster.nodes()[0].ca_certificate();
        wait_for("the standby has settled", || {
            // a new exporter each time, because one keeps its last result
            let arguments: Vec<_> = nodes.iter().map(String::as_str).collect();
            let mut once = run(&arguments).args(["--once"]);
            if let Some(authority) = &authority {
                once = once.env("BAO_CACERT", authority);
            }
            let output = once.run();
            let has_line = |node: &str, answers: u8| {
                let line = format!("vault_node_answers_reads{{node=\"{node}\"}} {answers}\n");
                output.stdout.contains(&line)
            };
            (has_line("n1", 1) && has_line("n2", expected)).then_some(())
        });
    }
}

#[test]
fn each_metric_is_documented_and_no_other() {
    let refused = closed_port();
    let node = format!("--node=a={}", refused.address());
    let page = Exporter::start(run(&[&node])).scrape();
    zts_testkit::assert_metrics_documented("vault-exporter", &page.text);
}
