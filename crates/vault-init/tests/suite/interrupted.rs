//! Cut off at every point: keys that OpenBao issued are on the disk, or the loss is told as what it is.

use std::{fs, thread, time::Duration};

use testkit::{Proxy, Signal, Trouble};

use crate::{Fresh, ONE, failed, succeeded};

#[test]
fn killed_before_the_answer_the_next_run_says_what_is_lost() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    fresh.lose_answer();
    for _ in 0..2 {
        let next = fresh.run(&ONE).run();
        failed(&next, "cut off before its keys were kept");
        assert!(
            next.stderr
                .contains("hint: begin anew: `systemctl stop openbao.service && mv "),
            "{next}"
        );
    }
    // Unless somebody has keys all the same.
    fs::write(fresh.kept("started.json"), "").unwrap(); // as a power cut leaves files
    failed(&fresh.run(&ONE).run(), "cut off before its keys were kept");
    fs::remove_file(fresh.kept("started.json")).unwrap();
    succeeded(&fresh.run(&ONE).run());
}

#[test]
fn cut_off_among_its_last_steps_the_next_run_ends_them() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let arguments = ["--shares", "2", "--threshold", "2"];
    succeeded(&fresh.run(&arguments).run());
    let keys = fs::read_to_string(fresh.kept("unseal.json")).unwrap();
    // The files as they are when only the first has its name.
    fs::rename(fresh.kept("unseal.json"), fresh.kept("unseal.json.new")).unwrap();
    fs::write(fresh.kept("unseal-key-1.age"), "the first").unwrap();
    fs::write(fresh.kept("answered.json"), "{}").unwrap();
    succeeded(&fresh.run(&arguments).run());
    assert_eq!(fs::read_to_string(fresh.kept("unseal.json")).unwrap(), keys);
    assert_eq!(fresh.names(), [".lock", "unseal-key-1.age", "unseal.json"]);
}

#[test]
fn what_a_run_with_other_names_left_is_no_key() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    fs::create_dir(fresh.kept("")).unwrap();
    fs::write(fresh.kept("unseal-key-1.age.new"), [0; 512]).unwrap();
    fs::write(fresh.kept("unseal-key-7.pgp.part"), "").unwrap();
    succeeded(&fresh.run(&ONE).run());
    assert_eq!(
        fresh.names(),
        [".lock", "unseal-key-7.pgp.part", "unseal.json"]
    );
}

#[test]
fn a_request_that_openbao_refuses_leaves_no_note() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    fs::create_dir(fresh.kept("")).unwrap();
    let no_key = fresh.kept("../no-key");
    fs::write(&no_key, "bm8ga2V5").unwrap();
    let output = fresh
        .run(&ONE)
        .args([
            "--revoke-root-token".as_ref(),
            "--pgp-key".as_ref(),
            no_key.as_os_str(),
        ])
        .run();
    failed(&output, "OpenBao was not initialised");
    assert_eq!(fresh.names(), [".lock"]);
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    testkit::require_bao!();
    let mut fresh = Fresh::new();
    fresh.server.stop();
    let short = fresh.run(&ONE).args(["--wait", "300ms"]).run();
    failed(&short, "cannot be used");
    assert_eq!(fresh.names(), [".lock"]);
    let running = fresh.run(&ONE).start();
    fresh.server.seal_by_restart();
    succeeded(&running.finish());
}

#[test]
fn asked_to_end_meanwhile_it_keeps_the_keys_first() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let proxy = Proxy::to(&fresh.server.address());
    proxy.on("/v1/sys/init", Trouble::Trickle(Duration::from_millis(5)));
    let mut running = fresh.run_at(&proxy.address(), &ONE).start();
    testkit::wait_for("OpenBao is initialised", || {
        fresh.is_initialised().then_some(())
    });
    running.signal(Signal::TERM);
    running.finish();
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn killed_at_any_moment_no_key_is_lost_unseen() {
    testkit::require_bao!();
    let mut fresh = Fresh::on_disk();
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
            failed(&next, "cut off before its keys were kept");
            lost += 1;
        }
        fs::remove_dir_all(fresh.kept("")).unwrap();
        fresh.server.kill(); // quicker than asking it to end
        fresh.server.wipe();
    }
    eprintln!("{killed} of 12 runs killed, {lost} answers lost on the way to the disk");
    assert!(killed > 3, "{killed} were killed before their end");
}

#[test]
fn two_at_once_are_one() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let (one, two) = (fresh.run(&ONE).start(), fresh.run(&ONE).start());
    let (one, two) = (one.finish(), two.finish());
    assert_eq!((one.code(), two.code()), (Some(0), Some(0)), "{one}\n{two}");
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn a_node_that_lost_its_disk_begins_no_second_cluster() {
    testkit::require_bao!();
    let (fresh, other) = (Fresh::new(), Fresh::new());
    let address = other.server.address();
    let nobody = testkit::refused_address().address();
    let run = |others: &[&str]| {
        let others = others.iter().flat_map(|other| ["--other", other]);
        fresh.run(&ONE).args(others).args(["--wait", "1s"]).run()
    };
    let silent = run(&[&address, &nobody]);
    assert_eq!(silent.code(), Some(1), "{silent}");
    assert!(silent.stderr.contains("another one could be"), "{silent}");
    assert_eq!(other.run(&ONE).run().code(), Some(0));
    let joins = run(&[&address]);
    assert_eq!(joins.code(), Some(0), "{joins}");
    assert!(joins.stderr.contains("joins that cluster"), "{joins}");
    assert!(!fresh.is_initialised());
}

#[test]
fn keys_of_another_cluster_are_never_overwritten() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    fs::create_dir_all(fresh.kept("")).unwrap();
    fs::write(fresh.kept("unseal.json"), "{}").unwrap();
    let output = fresh.run(&ONE).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("holds keys: unseal.json"),
        "{output}"
    );
    assert!(!fresh.is_initialised());
}

#[test]
fn a_server_that_answers_fewer_shares_than_were_asked_for_is_a_failure() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let proxy = Proxy::to(&fresh.server.address());
    let answer = serde_json::json!({
        "keys": ["00"], "keys_base64": ["AA=="], "root_token": "s.root",
        "recovery_keys": [], "recovery_keys_base64": [],
    });
    proxy.on("PUT /v1/sys/init", Trouble::Body(answer.to_string()));
    proxy.on("POST /v1/sys/init", Trouble::Body(answer.to_string()));
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
    let output = fresh.run_at(&proxy.address(), &arguments).run();
    failed(&output, "it answered 1 key share where 3 were asked for");
    assert_eq!(
        fresh.names(),
        [
            ".lock",
            "incomplete.txt",
            "root-token.age",
            "unseal-key-1.age"
        ],
        "what was answered, and no file of zeros"
    );
    // Also to the next run, which finds OpenBao initialised.
    let proxy = Proxy::to(&fresh.server.address());
    let sealed = serde_json::json!({
        "type": "shamir", "initialized": true, "sealed": true, "t": 2, "n": 3, "progress": 0, "nonce": "",
        "version": "2.7.2", "build_date": "", "migration": false, "recovery_seal": false, "storage_type": "raft",
    });
    proxy.on("seal-status", Trouble::Body(sealed.to_string()));
    let again = fresh.run_at(&proxy.address(), &arguments).run();
    failed(&again, "it answered 1 key share where 3 were asked for");
    fs::remove_file(fresh.kept("incomplete.txt")).unwrap();
    succeeded(&fresh.run_at(&proxy.address(), &arguments).run());
}

#[test]
fn keys_that_stand_whole_beside_are_not_lost() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    succeeded(&fresh.run(&ONE).run());
    let keys = fs::read_to_string(fresh.kept("unseal.json")).unwrap();
    // As an error of the disk left it between the last byte and the note that it is whole.
    fs::remove_file(fresh.kept("unseal.json")).unwrap();
    fs::write(fresh.kept("unseal.json.new"), format!("{keys}\0\0\0")).unwrap(); // reserved room behind
    fs::write(
        fresh.kept("started.json"),
        r#"{"address":"http://x","at":1}"#,
    )
    .unwrap();
    let output = fresh.run(&ONE).run();
    succeeded(&output);
    assert!(
        output
            .stderr
            .contains("an earlier run wrote and could not name"),
        "{output}"
    );
    assert_eq!(fs::read_to_string(fresh.kept("unseal.json")).unwrap(), keys);
    assert_eq!(fresh.names(), [".lock", "unseal.json"]);
}

#[test]
fn a_part_of_the_keys_is_never_thrown_away() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    succeeded(&fresh.run(&ONE).run());
    let keys = fs::read(fresh.kept("unseal.json")).unwrap();
    fs::remove_file(fresh.kept("unseal.json")).unwrap();
    let half = &keys[..keys.len() / 2];
    fs::write(fresh.kept("unseal.json.new"), half).unwrap();
    fs::write(
        fresh.kept("started.json"),
        r#"{"address":"http://x","at":1}"#,
    )
    .unwrap();
    for _ in 0..2 {
        failed(
            &fresh.run(&ONE).run(),
            "an earlier run was ended while it wrote the keys",
        );
        assert_eq!(fs::read(fresh.kept("unseal.json.new")).unwrap(), half);
    }
}

#[test]
fn a_time_that_no_clock_shows_is_told_as_such() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    fresh.lose_answer();
    for at in [
        "18446744073709551615",
        "253402300800",
        "9223372036854775808",
    ] {
        let text = format!(r#"{{"address":"http://x","at":{at}}}"#);
        fs::write(fresh.kept("started.json"), text).unwrap();
        let output = fresh.run(&ONE).run();
        failed(&output, "at a time after the year 9999 was cut off");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
}
