//! The storage is replaced if its keys are lost, and only then.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use zts_testkit::{Run, ScratchDir, write_program};

use crate::{ONE, Uninitialised};

/// A `systemctl` that forwards its commands to the test, which stops and starts the server.
struct FakeSystemctl {
    folder: ScratchDir,
}

impl FakeSystemctl {
    fn new() -> Self {
        let folder = zts_testkit::scratch_dir();
        let text = format!(
            "#!/bin/sh\nmark={}/$1-$2\n: >$mark\nwhile test -e $mark; do sleep 0.02; done\n",
            folder.display()
        );
        write_program(&folder, "systemctl", &text);
        Self { folder }
    }

    /// Waits for this command, executes `act`, and lets the program continue.
    fn on(&self, command: &str, act: impl FnOnce()) {
        let mark = self.folder.join(command);
        zts_testkit::wait_for(command, || mark.exists().then_some(()));
        act();
        fs::remove_file(mark).unwrap();
    }

    fn in_path_of(&self, run: Run) -> Run {
        run.env("PATH", zts_testkit::path_with(&*self.folder))
    }
}

fn run_with_start_over(fresh: &Uninitialised, storage: &Path) -> Run {
    fresh
        .run(&ONE)
        .args(["--start-over-storage".as_ref(), storage.as_os_str()])
        .args(["--start-over-unit", "openbao.service"])
}

fn storage_of(fresh: &Uninitialised) -> PathBuf {
    fresh.server.folder().join("storage")
}

fn list_aside(storage: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(storage.parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_str().unwrap().contains("storage.lost-"))
        .collect()
}

/// Initialises the server by hand, and returns the key share and the root token.
fn initialise_by_hand(fresh: &Uninitialised) -> (String, String) {
    let mut command = fresh.server.bao_command(&[
        "operator",
        "init",
        "-key-shares=1",
        "-key-threshold=1",
        "-format=json",
    ]);
    let made: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["unseal_keys_b64"][0]), text(&made["root_token"]))
}

#[test]
fn a_storage_with_lost_keys_is_moved_aside() {
    zts_testkit::require_bao!();
    let mut fresh = Uninitialised::on_disk();
    fresh.lose_answer();
    let storage = storage_of(&fresh);
    let systemctl = FakeSystemctl::new();
    let running = systemctl
        .in_path_of(run_with_start_over(&fresh, &storage))
        .start();
    systemctl.on("stop-openbao.service", || fresh.server.stop());
    systemctl.on("start-openbao.service", || fresh.server.restart_sealed());
    let output = running.finish().assert_success();
    output.assert_reports("warning: ");
    let [aside] = &list_aside(&storage)[..] else {
        panic!("one folder is moved aside: {output}");
    };
    assert!(aside.join("vault.db").exists(), "nothing is deleted");
    assert_eq!(fresh.names(), [".lock", "unseal.json"]);
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn a_storage_that_was_ever_unsealed_stays() {
    zts_testkit::require_bao!();
    let mut fresh = Uninitialised::on_disk();
    let (share, token) = initialise_by_hand(&fresh);
    assert!(fresh.submit(&share));
    let mut write = fresh.server.bao_command(&["secrets", "enable", "kv"]);
    write.env("BAO_TOKEN", token);
    zts_testkit::wait_for("OpenBao serves", || {
        write.output().unwrap().status.success().then_some(())
    });
    fresh.server.restart_sealed();
    fs::create_dir(fresh.path("")).unwrap();
    fs::write(fresh.path("started.json"), json!({}).to_string()).unwrap();
    let storage = storage_of(&fresh);
    let output = run_with_start_over(&fresh, &storage).succeed();
    output.assert_reports("was unsealed before");
    assert!(list_aside(&storage).is_empty());
    assert_eq!(fresh.names(), [".lock"]);
}

#[test]
fn an_unsealed_storage_stays() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::on_disk();
    let (share, _) = initialise_by_hand(&fresh);
    assert!(fresh.submit(&share));
    fs::create_dir(fresh.path("")).unwrap();
    fs::write(fresh.path("started.json"), "").unwrap();
    let output = run_with_start_over(&fresh, &storage_of(&fresh)).succeed();
    output.assert_reports("its keys are stored elsewhere");
    assert_eq!(fresh.names(), [".lock"]);
}

#[test]
fn nothing_is_moved_if_the_storage_is_missing_or_openbao_cannot_be_stopped() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::on_disk();
    fresh.lose_answer();
    let elsewhere = zts_testkit::scratch_dir();
    run_with_start_over(&fresh, &elsewhere).fail(1, "`--start-over-storage` names");
    let storage = storage_of(&fresh);
    run_with_start_over(&fresh, &storage)
        .env("PATH", "/nowhere")
        .fail(1, "`systemctl stop openbao.service` failed");
    assert!(storage.join("vault.db").exists());
    assert!(fresh.path("started.json").exists());
}
