//! Interruptions at every point: keys are on the disk, or their loss is reported.

use std::{fs, thread, time::Duration};

use zts_testkit::{Fault, Proxy, Signal};

use crate::{ONE, Uninitialised};

#[test]
fn a_lost_answer_is_reported_by_the_next_run() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fresh.lose_answer();
    for _ in 0..2 {
        let next = fresh
            .run(&ONE)
            .fail(1, "interrupted before its keys were stored");
        next.assert_reports("hint: start over: `systemctl stop openbao.service && mv ");
    }
    // a damaged note counts, too; without a note the keys are elsewhere
    fs::write(fresh.path("started.json"), "").unwrap(); // as after a power cut
    fresh
        .run(&ONE)
        .fail(1, "interrupted before its keys were stored");
    fs::remove_file(fresh.path("started.json")).unwrap();
    fresh.run(&ONE).succeed();
}

#[test]
fn the_last_steps_of_an_interrupted_run_are_finished() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let arguments = ["--shares", "2", "--threshold", "2"];
    fresh.run(&arguments).succeed();
    let keys = fs::read_to_string(fresh.path("unseal.json")).unwrap();
    // the state in which only the first file has its name
    fs::rename(fresh.path("unseal.json"), fresh.path("unseal.json.new")).unwrap();
    fs::write(fresh.path("unseal-key-1.age"), "the first").unwrap();
    fs::write(fresh.path("answered.json"), "{}").unwrap();
    fresh.run(&arguments).succeed();
    assert_eq!(fs::read_to_string(fresh.path("unseal.json")).unwrap(), keys);
    assert_eq!(fresh.names(), [".lock", "unseal-key-1.age", "unseal.json"]);
}

#[test]
fn empty_drafts_of_other_names_do_not_count_as_keys() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fs::create_dir(fresh.path("")).unwrap();
    fs::write(fresh.path("unseal-key-1.age.new"), [0; 512]).unwrap();
    fs::write(fresh.path("unseal-key-7.pgp.part"), "").unwrap();
    fresh.run(&ONE).succeed();
    assert_eq!(
        fresh.names(),
        [".lock", "unseal-key-7.pgp.part", "unseal.json"]
    );
}

#[test]
fn a_refused_request_leaves_no_note() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fs::create_dir(fresh.path("")).unwrap();
    let no_key = fresh.path("../no-key");
    fs::write(&no_key, "bm8ga2V5").unwrap();
    fresh
        .run(&ONE)
        .args([
            "--revoke-root-token".as_ref(),
            "--pgp-key".as_ref(),
            no_key.as_os_str(),
        ])
        .fail(1, "OpenBao was not initialised");
    assert_eq!(fresh.names(), [".lock"]);
}

#[test]
fn a_stopped_server_is_waited_for() {
    zts_testkit::require_bao!();
    let mut fresh = Uninitialised::new();
    fresh.server.stop();
    fresh
        .run(&ONE)
        .args(["--wait", "300ms"])
        .fail(1, "cannot be used");
    assert_eq!(fresh.names(), [".lock"]);
    let running = fresh.run(&ONE).start();
    fresh.server.restart_sealed();
    running.finish().assert_success();
}

#[test]
fn keys_are_stored_before_a_signal_ends_the_process() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let proxy = Proxy::to(&fresh.server.address());
    proxy.on("/v1/sys/init", Fault::Trickle(Duration::from_millis(5)));
    let mut running = fresh.run_at(&proxy.address(), &ONE).start();
    zts_testkit::wait_for("OpenBao is initialised", || {
        fresh.is_initialised().then_some(())
    });
    running.signal(Signal::TERM);
    running.finish();
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn a_kill_at_any_time_loses_no_key_unnoticed() {
    zts_testkit::require_bao!();
    let mut fresh = Uninitialised::on_disk();
    let (mut killed, mut lost) = (0, 0);
    for number in 0..12 {
        let running = fresh.run(&ONE).start();
        thread::sleep(Duration::from_millis(number * 7));
        killed += u32::from(running.kill().code().is_none());
        let next = fresh.run(&ONE).run();
        if next.code() == Some(0) {
            let keys = fresh.keys();
            let share = keys["unseal_keys_b64"][0].as_str().unwrap();
            assert!(fresh.submit(share), "after kill {number}: {next}");
            assert_eq!(fresh.names(), [".lock", "unseal.json"]);
        } else {
            next.assert_failure(1, "interrupted before its keys were stored");
            lost += 1;
        }
        fs::remove_dir_all(fresh.path("")).unwrap();
        fresh.server.kill(); // faster than a clean stop
        fresh.server.restart_empty();
    }
    eprintln!("{killed} of 12 runs killed, {lost} answers lost before they were stored");
    assert!(killed > 3, "{killed} were killed before their end");
}

#[test]
fn a_second_run_at_the_same_time_waits() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let (one, two) = (fresh.run(&ONE).start(), fresh.run(&ONE).start());
    let (one, two) = (one.finish(), two.finish());
    assert_eq!((one.code(), two.code()), (Some(0), Some(0)), "{one}\n{two}");
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn a_node_that_lost_its_disk_starts_no_second_cluster() {
    zts_testkit::require_bao!();
    let (fresh, other) = (Uninitialised::new(), Uninitialised::new());
    let address = other.server.address();
    let nobody = zts_testkit::closed_port().address();
    let run = |others: &[&str]| {
        let others = others.iter().flat_map(|other| ["--other", other]);
        fresh.run(&ONE).args(others).args(["--wait", "1s"]).run()
    };
    run(&[&address, &nobody]).assert_failure(1, "another one may be");
    other.run(&ONE).succeed();
    let joins = run(&[&address]).assert_success();
    joins.assert_reports("joins that cluster");
    assert!(!fresh.is_initialised());
}

#[test]
fn keys_of_another_cluster_are_never_overwritten() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fs::create_dir_all(fresh.path("")).unwrap();
    fs::write(fresh.path("unseal.json"), "{}").unwrap();
    fresh.run(&ONE).fail(1, "contains keys: unseal.json");
    assert!(!fresh.is_initialised());
}

#[test]
fn an_answer_with_too_few_shares_is_a_failure() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let proxy = Proxy::to(&fresh.server.address());
    let answer = serde_json::json!({
        "keys": ["00"], "keys_base64": ["AA=="], "root_token": "s.root",
        "recovery_keys": [], "recovery_keys_base64": [],
    });
    proxy.on("PUT /v1/sys/init", Fault::Body(answer.to_string()));
    proxy.on("POST /v1/sys/init", Fault::Body(answer.to_string()));
    let people = [(); 3].map(|()| age::x25519::Identity::generate().to_public().to_string());
    let mut arguments = vec![
        "--shares",
        "3",
        "--threshold",
        "2",
        "--root-token-recipient",
        &people[0],
    ];
    for person in &people {
        arguments.extend(["--age-recipient", person]);
    }
    fresh
        .run_at(&proxy.address(), &arguments)
        .fail(1, "it answered 1 key share where 3 were requested");
    assert_eq!(
        fresh.names(),
        [
            ".lock",
            "incomplete.txt",
            "root-token.age",
            "unseal-key-1.age"
        ],
        "the answered keys, and no empty file"
    );
    // The next run, which finds an initialised server, fails, too.
    let proxy = Proxy::to(&fresh.server.address());
    let sealed = serde_json::json!({
        "type": "shamir", "initialized": true, "sealed": true, "t": 2, "n": 3, "progress": 0, "nonce": "",
        "version": "2.7.2", "build_date": "", "migration": false, "recovery_seal": false, "storage_type": "raft",
    });
    proxy.on("seal-status", Fault::Body(sealed.to_string()));
    fresh
        .run_at(&proxy.address(), &arguments)
        .fail(1, "it answered 1 key share where 3 were requested");
    fs::remove_file(fresh.path("incomplete.txt")).unwrap();
    fresh.run_at(&proxy.address(), &arguments).succeed();
}

#[test]
fn complete_drafts_are_recovered() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fresh.run(&ONE).succeed();
    let keys = fs::read_to_string(fresh.path("unseal.json")).unwrap();
    // the state after an error of the disk between the last byte and the note
    fs::remove_file(fresh.path("unseal.json")).unwrap();
    fs::write(fresh.path("unseal.json.new"), format!("{keys}\0\0\0")).unwrap(); // the reserved space at the end
    fs::write(
        fresh.path("started.json"),
        r#"{"address":"http://x","at":1}"#,
    )
    .unwrap();
    let output = fresh.run(&ONE).succeed();
    output.assert_reports("an earlier run wrote to drafts");
    assert_eq!(fs::read_to_string(fresh.path("unseal.json")).unwrap(), keys);
    assert_eq!(fresh.names(), [".lock", "unseal.json"]);
}

#[test]
fn a_part_of_the_keys_is_never_removed() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fresh.run(&ONE).succeed();
    let keys = fs::read(fresh.path("unseal.json")).unwrap();
    fs::remove_file(fresh.path("unseal.json")).unwrap();
    let half = &keys[..keys.len() / 2];
    fs::write(fresh.path("unseal.json.new"), half).unwrap();
    fs::write(
        fresh.path("started.json"),
        r#"{"address":"http://x","at":1}"#,
    )
    .unwrap();
    for _ in 0..2 {
        fresh
            .run(&ONE)
            .fail(1, "an earlier run ended while it wrote the keys");
        assert_eq!(fs::read(fresh.path("unseal.json.new")).unwrap(), half);
    }
}

#[test]
fn an_impossible_time_is_reported() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fresh.lose_answer();
    for at in [
        "18446744073709551615",
        "253402300800",
        "9223372036854775808",
    ] {
        let text = format!(r#"{{"address":"http://x","at":{at}}}"#);
        fs::write(fresh.path("started.json"), text).unwrap();
        let output = fresh
            .run(&ONE)
            .fail(1, "at a time after the year 9999 was interrupted");
        output.assert_lacks("panicked");
    }
}
