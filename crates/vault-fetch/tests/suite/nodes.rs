//! The list of addresses is the whole cluster: a node that is of no use costs a fetch one connect
//! timeout at most, and the next fetch nothing.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use testkit::{Cluster, Output, Proxy, Run, ScratchDir, SilentAddress};

use crate::host::{Host, cluster_with_web01, files, files_in, is_root, mode, set_mode};

/// The connect timeout of the program.
const CONNECT: Duration = Duration::from_secs(2);

struct Hosted {
    cluster: Cluster,
    folder: ScratchDir,
}

impl Hosted {
    fn start() -> Self {
        let (mut cluster, folder) = cluster_with_web01();
        let leader = cluster.leader();
        leader.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
        let hosted = Self { cluster, folder };
        hosted.wait_for_all();
        hosted
    }

    /// Waits until each node serves the secret by itself.
    fn wait_for_all(&self) {
        for address in self.cluster.addresses().split(',') {
            testkit::wait_for("each node serves the secret", || {
                let output = self.run(&[address.to_owned()]);
                (output.code() == Some(0)).then_some(())
            });
        }
        self.forget();
    }

    fn run(&self, addresses: &[String]) -> Output {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg("hosts/web01/db");
        let run = run.arg(self.folder.join("run/db"));
        let run = run.env("BAO_ADDR", addresses.join(","));
        let run = run.arg("--approle-dir").arg(self.folder.join("approle"));
        run.env("BAO_CACERT", self.authority()).run()
    }

    fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// As after a reboot.
    fn forget(&self) {
        let _ = fs::remove_dir_all(self.folder.join("run"));
    }

    /// Fetches as after a reboot, and then once more; how long each took.
    #[track_caller]
    fn fetch_twice(&self, addresses: &[String]) -> [Duration; 2] {
        self.forget();
        [(); 2].map(|()| {
            let output = self.run(addresses);
            let quiet = output.code() == Some(0) && output.stderr.is_empty();
            assert!(quiet, "{output}");
            let found = files_in(&self.folder.join("run/db"));
            assert_eq!(found, files([("password", "hunter2")]));
            output.time
        })
    }
}

#[track_caller]
fn assert_cheap([first, second]: [Duration; 2], most: Duration, what: &str) {
    eprintln!("{what}: {first:?}, then {second:?}");
    assert!(first < most, "{what}: {first:?}");
    assert!(second < CONNECT / 2, "{what}, the second time: {second:?}");
}
