//! Beginning anew where the answer was lost; and not where somebody has the keys.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use testkit::{Run, ScratchDir};

use crate::{Fresh, ONE, failed, succeeded};

/// A `systemctl` that hands what it is told to the test, which stops and starts the server.
struct Units {
    folder: ScratchDir,
}

impl Units {
    fn new() -> Self {
        let folder = testkit::scratch_dir();
        let program = folder.join("systemctl");
        let text = format!(
            "#!/bin/sh\nmark={}/$1-$2\n: >$mark\nwhile test -e $mark; do sleep 0.02; done\n",
            folder.display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// Waits until it is told so, does it, and lets the program go on.
    fn on(&self, told: &str, act: impl FnOnce()) {
        let mark = self.folder.join(told);
        testkit::wait_for(told, || mark.exists().then_some(()));
        act();
        fs::remove_file(mark).unwrap();
    }

    fn known_to(&self, run: Run) -> Run {
        run.env("PATH", format!("{}:/usr/bin:/bin", self.folder.display()))
    }
}

fn starting_over(fresh: &Fresh, storage: &Path) -> Run {
    fresh
        .run(&ONE)
        .args(["--start-over-storage".as_ref(), storage.as_os_str()])
        .args(["--start-over-unit", "openbao.service"])
}

fn storage_of(fresh: &Fresh) -> PathBuf {
    fresh.server.folder().join("storage")
}

fn aside(storage: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(storage.parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_str().unwrap().contains("storage.lost-"))
        .collect()
}

/// Initialises it by hand; gives the one key share and the root token.
fn by_hand(fresh: &Fresh) -> (String, String) {
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
fn a_storage_whose_keys_nobody_has_is_moved_aside() {
    testkit::require_bao!();
    let mut fresh = Fresh::on_disk();
    fresh.lose_answer();
    let storage = storage_of(&fresh);
    let units = Units::new();
    let running = units.known_to(starting_over(&fresh, &storage)).start();
    units.on("stop-openbao.service", || fresh.server.stop());
    units.on("start-openbao.service", || fresh.server.seal_by_restart());
    let output = running.finish();
    succeeded(&output);
    assert!(output.stderr.contains("warning: "), "{output}");
    let [aside] = &aside(&storage)[..] else {
        panic!("one folder stands aside: {output}");
    };
    assert!(aside.join("vault.db").exists(), "nothing is deleted");
    assert_eq!(fresh.names(), [".lock", "unseal.json"]);
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn one_that_was_ever_unsealed_stays() {
    testkit::require_bao!();
    let mut fresh = Fresh::on_disk();
    let (share, token) = by_hand(&fresh);
    assert!(fresh.submit(&share));
    let mut write = fresh.server.bao_command(&["secrets", "enable", "kv"]);
    write.env("BAO_TOKEN", token);
    testkit::wait_for("OpenBao serves", || {
        write.output().unwrap().status.success().then_some(())
    });
    fresh.server.seal_by_restart();
    fs::create_dir(fresh.kept("")).unwrap();
    fs::write(fresh.kept("started.json"), json!({}).to_string()).unwrap();
    let storage = storage_of(&fresh);
    let output = starting_over(&fresh, &storage).run();
    succeeded(&output);
    assert!(output.stderr.contains("was unsealed before"), "{output}");
    assert!(aside(&storage).is_empty());
    assert_eq!(fresh.names(), [".lock"]);
}

#[test]
fn one_that_is_open_stays() {
    testkit::require_bao!();
    let fresh = Fresh::on_disk();
    let (share, _) = by_hand(&fresh);
    assert!(fresh.submit(&share));
    fs::create_dir(fresh.kept("")).unwrap();
    fs::write(fresh.kept("started.json"), "").unwrap();
    let output = starting_over(&fresh, &storage_of(&fresh)).run();
    succeeded(&output);
    assert!(
        output.stderr.contains("somebody else has its keys"),
        "{output}"
    );
    assert_eq!(fresh.names(), [".lock"]);
}

#[test]
fn what_is_no_storage_or_cannot_be_stopped_stays() {
    testkit::require_bao!();
    let fresh = Fresh::on_disk();
    fresh.lose_answer();
    let elsewhere = testkit::scratch_dir();
    failed(
        &starting_over(&fresh, &elsewhere).run(),
        "`--start-over-storage` names",
    );
    let storage = storage_of(&fresh);
    let no_systemctl = starting_over(&fresh, &storage)
        .env("PATH", "/nowhere")
        .run();
    failed(&no_systemctl, "`systemctl stop openbao.service` failed");
    assert!(storage.join("vault.db").exists());
    assert!(fresh.kept("started.json").exists());
}
