//! A cluster: several addresses of one OpenBao.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use serde_json::json;
use zts_openbao::sys;
use zts_testkit::{Cluster, Run, ScratchDir, Server};

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

    /// Runs a fetch from `addresses`.
    fn fetch(&mut self, addresses: &str) -> zts_testkit::RunOutput {
        self.fetch_secret("hosts/web01/db", addresses)
    }

    fn fetch_secret(&mut self, secret: &str, addresses: &str) -> zts_testkit::RunOutput {
        self.fetch_from("kv", secret, addresses)
    }

    fn fetch_from(
        &mut self,
        source: &str,
        secret: &str,
        addresses: &str,
    ) -> zts_testkit::RunOutput {
        let (_, name) = secret.rsplit_once('/').unwrap();
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg(secret);
        let run = run.args(["--source", source]);
        let run = run.arg(self.folder.join(name)).env("BAO_ADDR", addresses);
        let run = run.arg("--approle-dir").arg(self.folder.join("approle"));
        let run = run.arg("--runtime-dir").arg(self.folder.join("notes"));
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
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let put = |hosted: &mut Hosted, password: &str| {
        let leader = hosted.cluster.active_node();
        leader.put_secret("hosts/web01/db", &json!({ "password": password }));
    };
    put(&mut hosted, "first");

    // A standby answers reads by itself, once it has what the leader has.
    let standby = hosted.cluster.standbys()[0].address();
    let output = zts_testkit::wait_for("the standby serves the secret", || {
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
            .active_node()
            .put_secret(&path, &json!({ "run": run }));
        let output = hosted.fetch_secret(&path, &standby);
        assert_eq!(output.code(), Some(0), "run {run}: {output}");
    }

    // What is gone on a standby is gone when the active node says so, too.
    let leader = hosted.cluster.active_node().address();
    hosted
        .cluster
        .active_node()
        .delete_metadata("hosts/web01/db");
    let output = zts_testkit::wait_for("the standby knows that the secret is gone", || {
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
    hosted.fetch(&leader).assert_success();
    for node in hosted.cluster.standbys() {
        zts_testkit::wait_for("each standby has what the leader has", || {
            let found = node.read("secret/data/hosts/web01/db")?;
            (found["data"]["password"] == "second").then_some(())
        });
    }
    let addresses = format!("{leader},{}", hosted.cluster.addresses());
    hosted.cluster.active_node().kill();
    let output = hosted.fetch(&addresses);
    assert_eq!(output.code(), Some(0), "while it is elected: {output}");
    assert_eq!(hosted.password().as_deref(), Some("second"));
    put(&mut hosted, "third");
    let expected = files([("password", "third")]);
    zts_testkit::wait_for("the new leader serves the secret", || {
        hosted.fetch(&addresses);
        (files_in(&hosted.folder.join("db")) == expected).then_some(())
    });
    let output = hosted.fetch(&addresses);
    assert_eq!((output.code(), output.stderr.as_str()), (Some(0), ""));
}

/// A standby that lags behind has the version before; a host that has the new one keeps it.
#[test]
fn a_standby_does_not_bring_back_an_older_version() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let standby = hosted.cluster.standbys()[0].address();
    for run in 0..12 {
        let leader = hosted.cluster.active_node();
        leader.put_secret("hosts/web01/db", &json!({ "password": run.to_string() }));
        let leader = leader.address();
        for address in [leader.as_str(), &standby] {
            let output = hosted.fetch(address);
            assert_eq!(output.code(), Some(0), "run {run}: {output}");
            assert_eq!(
                hosted.password(),
                Some(run.to_string()),
                "run {run} at {address}"
            );
        }
    }
}

/// A standby that lags behind does not have an answer of another engine yet.
#[test]
fn a_standby_does_not_decide_that_an_answer_is_absent() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let standby = hosted.cluster.standbys()[0].address();
    let leader = hosted.cluster.active_node();
    leader.enable_engine("other", "kv");
    leader.allow_engine("web01", "other");
    leader.write("other/first", &json!({ "run": "first" }));
    zts_testkit::wait_for("the standby has the engine", || {
        let output = hosted.fetch_from("read", "other/first", &standby);
        (output.code() == Some(0)).then_some(())
    });
    for run in 0..12 {
        let path = format!("other/new-{run}");
        let leader = hosted.cluster.active_node();
        leader.write(&path, &json!({ "run": run }));
        let output = hosted.fetch_from("read", &path, &standby);
        assert_eq!(output.code(), Some(0), "run {run}: {output}");
    }
}

/// A standby that lags behind refuses credentials that it does not know yet.
#[test]
fn new_credentials_work_on_a_standby_at_once() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let leader = hosted.cluster.active_node();
    leader.put_secret("hosts/web01/db", &json!({ "password": "first" }));
    let standby = hosted.cluster.standbys()[0].address();
    for run in 0..12 {
        let credentials = hosted.cluster.active_node().issue_secret_id("web01");
        credentials.write_to(&hosted.folder.join("approle"));
        let output = hosted.fetch(&standby);
        assert_eq!(output.code(), Some(0), "run {run}: {output}");
    }
    // credentials that the active node refuses, too, are refused
    let gone = hosted.cluster.active_node().issue_secret_id("web01");
    gone.write_to(&hosted.folder.join("approle"));
    hosted.cluster.active_node().delete_role("web01");
    zts_testkit::wait_for("the standby knows that the role is gone", || {
        let output = hosted.fetch(&standby);
        (output.code() == Some(1)).then_some(output)
    })
    .assert_reports("OpenBao refused the login");
}

/// Returns the indexes of the committed and of the applied entries of the raft log.
fn indexes(node: &mut Server) -> Option<(u64, u64)> {
    let known = sys::leader(&node.anonymous_client()).ok()?;
    Some((known.raft_committed_index?, known.raft_applied_index?))
}

/// Standbys answer reads without a time limit, also without a leader.
#[test]
fn a_fetch_that_is_served_while_no_node_leads_warns_with_the_time() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let secret = json!({ "password": "first" });
    hosted
        .cluster
        .active_node()
        .put_secret("hosts/web01/db", &secret);
    let survivor = hosted.cluster.standbys()[0].address();
    let output = zts_testkit::wait_for("the standby serves the secret", || {
        let output = hosted.fetch(&survivor);
        (output.code() == Some(0)).then_some(output)
    });
    assert_eq!(output.stderr, "", "a leader is there: {output}");
    // A host's first login writes, so it is passed on: only when that has come back it needs no
    // leader.
    zts_testkit::wait_for("the standby has what the leader has", || {
        let written = indexes(hosted.cluster.active_node())?.0;
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
    let note = hosted.folder.join("notes/leader");
    let seen = SystemTime::now() - Duration::from_secs(180);
    File::open(&note)
        .and_then(|note| note.set_modified(seen))
        .unwrap();
    for addresses in [&survivor, &all] {
        let output = hosted.fetch(addresses).assert_success();
        let warning = format!("warning: OpenBao at `{survivor}` finds no leader, and had one 3m");
        assert!(output.stderr.starts_with(&warning), "{output}");
        let newer = "ago: there may be newer versions of `hosts/web01/db` than 1\n";
        assert!(output.stderr.ends_with(newer), "{output}");
    }
    std::fs::remove_file(note).unwrap();
    let output = hosted.fetch(&survivor);
    output.assert_reports("since an unknown time");
    assert_eq!(hosted.password().as_deref(), Some("first"));
}

/// A standby without a leader may have old data, also of what is gone.
#[test]
fn an_absence_that_no_active_node_confirms_is_answered_by_the_copy() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let secret = json!({ "password": "first" });
    let leader = hosted.cluster.active_node();
    leader.put_secret("hosts/web01/db", &secret);
    let survivor = hosted.cluster.standbys()[0].address();
    zts_testkit::wait_for("the standby serves the secret", || {
        (hosted.fetch(&survivor).code() == Some(0)).then_some(())
    });
    hosted
        .cluster
        .active_node()
        .delete_metadata("hosts/web01/db");
    zts_testkit::wait_for("the standby has what the leader has", || {
        let written = indexes(hosted.cluster.active_node())?.0;
        let mut standbys = hosted.cluster.standbys();
        let mut standbys = standbys.iter_mut();
        let standby = standbys.find(|node| node.address() == survivor)?;
        (indexes(standby)?.1 >= written).then_some(())
    });
    for node in hosted.cluster.nodes() {
        if node.address() != survivor {
            node.kill();
        }
    }
    let unconfirmed = "a node has nothing at `secret/data/hosts/web01/db`, and no active node \
                       confirmed it: ";
    let output = hosted.fetch(&survivor).assert_success();
    let start = format!("warning: {unconfirmed}");
    assert!(output.stderr.starts_with(&start), "{output}");
    output.assert_reports("comes from the cache");
    assert_eq!(hosted.password().as_deref(), Some("first"));

    std::fs::remove_dir_all(hosted.folder.join("cache-db")).unwrap();
    let output = hosted.fetch(&survivor).assert_status(1);
    let start = format!("error: `hosts/web01/db` was not written: {unconfirmed}");
    assert!(output.stderr.starts_with(&start), "{output}");
    output.assert_reports("no cache available");
    assert_eq!(hosted.password().as_deref(), Some("first"), "it stays");
}

/// A fetch is one request. The first one after a boot also queries the leader.
#[test]
fn a_leader_that_was_seen_recently_is_not_queried() {
    zts_testkit::require_bao!();
    let mut hosted = Hosted::start();
    let secret = json!({ "password": "first" });
    hosted
        .cluster
        .active_node()
        .put_secret("hosts/web01/db", &secret);
    let leader = hosted.cluster.active_node().address();
    let note = hosted.folder.join("notes/leader");
    let noted = |fetch: zts_testkit::RunOutput| {
        fetch.assert_success();
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
