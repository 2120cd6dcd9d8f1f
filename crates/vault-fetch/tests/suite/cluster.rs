//! A cluster: several addresses, one OpenBao.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use openbao::sys;
use serde_json::json;
use testkit::{Cluster, Run, ScratchDir, Server};

use crate::host::{cluster_with_web01, files, files_in};

struct Hosted {
    cluster: Cluster,
    folder: ScratchDir,
}

impl Hosted {
    fn start() -> Self {
        let (cluster, folder) = cluster_with_web01();
        Self { cluster, folder }
    }

    /// Runs a fetch that asks `addresses`.
    fn fetch(&mut self, addresses: &str) -> testkit::Output {
        self.fetch_secret("hosts/web01/db", addresses)
    }

    fn fetch_secret(&mut self, secret: &str, addresses: &str) -> testkit::Output {
        let (_, name) = secret.rsplit_once('/').unwrap();
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg(secret);
        let run = run.arg(self.folder.join(name)).env("BAO_ADDR", addresses);
        let run = run.arg("--approle-dir").arg(self.folder.join("approle"));
        let run = run
            .arg("--cache-dir")
            .arg(self.folder.join(format!("cache-{name}")));
        let authority = self.cluster.nodes()[0].ca_certificate().unwrap();
        run.env("BAO_CACERT", authority).run()
    }

    fn password(&self) -> Option<String> {
        files_in(&self.folder.join("db")).remove("password")
    }
}

#[test]
fn a_cluster_serves_through_any_node_and_outlives_its_leader() {
    testkit::require_bao!();
    let mut hosted = Hosted::start();
    let put = |hosted: &mut Hosted, password: &str| {
        let leader = hosted.cluster.leader();
        leader.put_secret("hosts/web01/db", &json!({ "password": password }));
    };
    put(&mut hosted, "first");

    // A standby answers reads by itself, once it has what the leader has.
    let standby = hosted.cluster.standbys()[0].address();
    let output = testkit::wait_for("the standby serves the secret", || {
        let output = hosted.fetch(&standby);
        (output.code() == Some(0)).then_some(output)
    });
    assert_eq!(output.stderr, "", "{output}");
    assert_eq!(hosted.password().as_deref(), Some("first"));

    // A standby that lags behind does not have a new secret yet: the active node is asked for it.
    for run in 0..12 {
        let path = format!("hosts/web01/new-{run}");
        hosted
            .cluster
            .leader()
            .put_secret(&path, &json!({ "run": run }));
        let output = hosted.fetch_secret(&path, &standby);
        assert_eq!(output.code(), Some(0), "run {run}: {output}");
    }

    // What is gone on a standby is gone when the active node says so, too.
    let leader = hosted.cluster.leader().address();
    hosted.cluster.leader().delete_metadata("hosts/web01/db");
    let output = testkit::wait_for("the standby knows that the secret is gone", || {
        let output = hosted.fetch(&standby);
        (output.code() == Some(1)).then_some(output)
    });
    insta::assert_snapshot!(output, @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/web01/db` was not written: OpenBao has nothing at `secret/data/hosts/web01/db`

    hint: write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?
    ");
    assert_eq!(hosted.password(), None);

    // The leader goes; the others elect a new one.
    put(&mut hosted, "second");
    let output = hosted.fetch(&leader);
    assert_eq!(output.code(), Some(0), "{output}");
    for node in hosted.cluster.standbys() {
        testkit::wait_for("each standby has what the leader has", || {
            let found = node.read("secret/data/hosts/web01/db")?;
            (found["data"]["password"] == "second").then_some(())
        });
    }
    let addresses = format!("{leader},{}", hosted.cluster.addresses());
    hosted.cluster.leader().kill();
    let output = hosted.fetch(&addresses);
    assert_eq!(output.code(), Some(0), "while it is elected: {output}");
    assert_eq!(hosted.password().as_deref(), Some("second"));
    put(&mut hosted, "third");
    let expected = files([("password", "third")]);
    testkit::wait_for("the new leader serves the secret", || {
        hosted.fetch(&addresses);
        (files_in(&hosted.folder.join("db")) == expected).then_some(())
    });
    let output = hosted.fetch(&addresses);
    assert_eq!((output.code(), output.stderr.as_str()), (Some(0), ""));
}

/// Which entries of the raft log are committed, and which the node has applied.
fn indexes(node: &mut Server) -> Option<(u64, u64)> {
    let known = sys::leader(&node.anonymous_client()).ok()?;
    Some((known.raft_committed_index?, known.raft_applied_index?))
}

/// Standbys answer reads for good, whatever became of their leader.
#[test]
fn a_fetch_that_is_served_while_no_node_leads_warns_with_the_time() {
    testkit::require_bao!();
    let mut hosted = Hosted::start();
    let secret = json!({ "password": "first" });
    hosted
        .cluster
        .leader()
        .put_secret("hosts/web01/db", &secret);
    let survivor = hosted.cluster.standbys()[0].address();
    let output = testkit::wait_for("the standby serves the secret", || {
        let output = hosted.fetch(&survivor);
        (output.code() == Some(0)).then_some(output)
    });
    assert_eq!(output.stderr, "", "a leader is there: {output}");
    // A host's first login writes, so it is passed on: only when that has come back it needs no leader.
    testkit::wait_for("the standby has what the leader has", || {
        let written = indexes(hosted.cluster.leader())?.0;
        let mut standbys = hosted.cluster.standbys();
        let standby = standbys
            .iter_mut()
            .find(|node| node.address() == survivor)?;
        (indexes(standby)?.1 >= written).then_some(())
    });

    let all = hosted.cluster.addresses();
    for node in hosted.cluster.nodes() {
        if node.address() != survivor {
            node.kill();
        }
    }
    let note = hosted.folder.join(".vault-leader");
    let seen = SystemTime::now() - Duration::from_secs(180);
    File::open(&note)
        .and_then(|note| note.set_modified(seen))
        .unwrap();
    for addresses in [&survivor, &all] {
        let output = hosted.fetch(addresses);
        assert_eq!(output.code(), Some(0), "{output}");
        let warning = format!("warning: OpenBao at `{survivor}` finds no leader, and had one 3m");
        assert!(output.stderr.starts_with(&warning), "{output}");
        let newer = "ago: there may be newer versions of `hosts/web01/db` than 1\n";
        assert!(output.stderr.ends_with(newer), "{output}");
    }
    std::fs::remove_file(note).unwrap();
    let output = hosted.fetch(&survivor);
    assert!(
        output.stderr.contains("nobody knows since when"),
        "{output}"
    );
    assert_eq!(hosted.password().as_deref(), Some("first"));
}

/// A fetch is one request; of those of one boot, the first also looks for the leader.
#[test]
fn a_leader_that_was_just_seen_is_not_looked_for() {
    testkit::require_bao!();
    let mut hosted = Hosted::start();
    let secret = json!({ "password": "first" });
    hosted
        .cluster
        .leader()
        .put_secret("hosts/web01/db", &secret);
    let leader = hosted.cluster.leader().address();
    let note = hosted.folder.join(".vault-leader");
    let noted = |fetch: testkit::Output| {
        assert_eq!(fetch.code(), Some(0), "{fetch}");
        std::fs::metadata(&note)
            .and_then(|note| note.modified())
            .unwrap()
    };
    let first = noted(hosted.fetch(&leader));
    assert_eq!(noted(hosted.fetch(&leader)), first);
    let before = first - Duration::from_secs(60);
    File::open(&note)
        .and_then(|note| note.set_modified(before))
        .unwrap();
    assert!(
        noted(hosted.fetch(&leader)) > before,
        "an old note is renewed"
    );
}
