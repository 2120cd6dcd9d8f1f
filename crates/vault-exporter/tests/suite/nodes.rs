//! What is said of nodes and clusters.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{Cluster, Proxy, Server, SilentAddress, refused_address, wait_for};

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
fn a_cluster_through_its_losses() {
    testkit::require_bao!();
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

    // one sealed: it answers, and does not serve
    let standby = cluster.standbys().remove(0);
    let address = standby.address();
    standby.stop();
    standby.seal_by_restart();
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
        "a sealed node does not know"
    );
    assert_eq!(page.cluster("serving_nodes"), Some(2));
    assert_eq!(page.cluster("failure_tolerance"), Some(0));

    // and the leader hangs: its port accepts, and nobody answers
    let leader = leaders(&page)[0];
    cluster.leader().pause();
    let began = Instant::now();
    let page = exporter.scrape();
    assert!(
        began.elapsed() < testkit::busy(Duration::from_secs(4)),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(page.node("up", leader), Some(0), "{}", page.text);
    let trouble = page.value("vault_node_trouble", Some(("node", leader)));
    assert!(
        trouble.is_some() && page.text.contains("reason=\"timeout\""),
        "{}",
        page.text
    );
    assert!(
        page.node("certificate_not_after_timestamp_seconds", leader)
            .is_some()
    );
    assert_eq!(page.node("sealed", leader), None, "nobody knows");
    // the one that is left says for good that its leader leads; nobody else does
    assert_eq!(page.cluster("leaders"), Some(0), "{}", page.text);
    assert_eq!(page.cluster("serving_nodes"), Some(0), "{}", page.text);
    assert_eq!(page.cluster("failure_tolerance"), Some(-2));
}

#[test]
fn standbys_follow_what_the_leader_writes() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let exporter = exporter(&mut cluster);
    let names = ["n1", "n2", "n3"];
    let before = exporter
        .scrape()
        .node("raft_committed_index", "n1")
        .unwrap();
    for round in 0..20 {
        let leader = cluster.leader();
        leader.put_secret("hosts/a/b", &json!({ "round": round }));
    }
    wait_for("all have all", || {
        let page = exporter.scrape();
        let lags = names.map(|name| page.node("raft_lag_entries", name));
        let applied = names.map(|name| page.node("raft_applied_index", name).unwrap_or(0));
        (lags == [Some(0); 3] && applied.iter().all(|index| *index >= before + 20)).then_some(())
    });
}

#[test]
fn nodes_that_cannot_be_reached_have_a_reason_each() {
    testkit::require_bao!();
    let server = Server::dev();
    let (silent, refused) = (SilentAddress::open(), refused_address());
    let nonsense = Proxy::to(&server.address());
    nonsense.always(testkit::Trouble::Html);
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
    let output = run(&arguments).args(["--once", "--timeout", "1s"]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.time < testkit::busy(Duration::from_secs(4)),
        "{:?}",
        output.time
    );
    let page = Page::of(&output.stdout);
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
fn usage_that_makes_no_sense_is_refused() {
    for (arguments, said) in [
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
        assert!(output.stderr.contains(said), "{arguments:?}: {output}");
    }
}

#[test]
fn standbys_that_pass_every_read_on_are_told_from_others() {
    testkit::require_bao!();
    for (mut cluster, expected) in [
        (Cluster::start_with_audit_that_differs(2), 0),
        (Cluster::start_with_tls(2), 1),
    ] {
        let nodes = nodes(&mut cluster);
        let authority = cluster.nodes()[0].ca_certificate();
        wait_for("the standby is as it is for good", || {
            // an exporter of its own each time, for one remembers what it saw
            let arguments: Vec<_> = nodes.iter().map(String::as_str).collect();
            let mut once = run(&arguments).args(["--once"]);
            if let Some(authority) = &authority {
                once = once.env("BAO_CACERT", authority);
            }
            let output = once.run();
            let said = |node: &str, answers: u8| {
                let line = format!("vault_node_answers_reads{{node=\"{node}\"}} {answers}\n");
                output.stdout.contains(&line)
            };
            (said("n1", 1) && said("n2", expected)).then_some(())
        });
    }
}
