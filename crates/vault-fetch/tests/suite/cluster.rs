//! A cluster: several addresses, one OpenBao.

use serde_json::json;
use testkit::{Cluster, Run, ScratchDir};

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
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg("hosts/web01/db");
        let run = run.arg(self.folder.join("db")).env("BAO_ADDR", addresses);
        let run = run.arg("--approle-dir").arg(self.folder.join("approle"));
        let run = run.arg("--cache-dir").arg(self.folder.join("cache"));
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

    // A standby's word that it is gone is not enough: it may lag behind.
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
    assert_eq!(hosted.password().as_deref(), Some("first"), "kept");
    let output = hosted.fetch(&leader);
    assert_eq!(output.code(), Some(1), "{output}");
    assert_eq!(hosted.password(), None, "the leader's word counts");

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
