//! Cut off at every point: keys that OpenBao issued are on the disk, or the loss is told as what it is.

use std::{fs, thread, time::Duration};

use testkit::{Proxy, Signal, Tmpfs, Trouble};

use crate::{Fresh, ONE};

#[test]
fn killed_before_the_answer_the_next_run_says_what_is_lost() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let proxy = Proxy::to(&fresh.server.address());
    proxy.on("/v1/sys/init", Trouble::Trickle(Duration::from_secs(1)));
    let running = fresh.run_at(&proxy.address(), &ONE).start();
    testkit::wait_for("OpenBao is initialised", || {
        fresh.is_initialised().then_some(())
    });
    running.kill();
    assert!(!fresh.kept("unseal.json").exists());
    let next = fresh.run(&ONE).run();
    assert_eq!(next.code(), Some(1), "{next}");
    assert!(
        next.stderr.contains("cut off before its keys were kept"),
        "{next}"
    );
    assert!(next.stderr.contains("hint: "), "{next}");
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
    let mut fresh = Fresh::new();
    for number in 0..8 {
        let running = fresh.run(&ONE).start();
        thread::sleep(Duration::from_millis(number * 12));
        running.kill();
        let next = fresh.run(&ONE).run();
        if next.code() == Some(0) {
            assert!(
                fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()),
                "{next}"
            );
            assert!(!fresh.kept("started.json").exists());
        } else {
            assert!(
                next.stderr.contains("cut off before its keys were kept"),
                "{next}"
            );
        }
        fresh.server.wipe();
        fs::remove_dir_all(fresh.kept("")).unwrap();
    }
}

#[test]
fn a_disk_that_cannot_keep_the_keys_is_found_out_before() {
    testkit::require_bao!();
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        testkit::report_skipped(
            "a_disk_that_cannot_keep_the_keys_is_found_out_before",
            "this needs root",
        );
        return;
    };
    let fresh = Fresh::new();
    disk.fill_up();
    let directory = disk.path().join("init");
    let full = testkit::Run::new(env!("CARGO_BIN_EXE_vault-init"))
        .args(ONE)
        .args(["--directory".as_ref(), directory.as_os_str()])
        .env("BAO_ADDR", fresh.server.address())
        .run();
    assert_eq!(full.code(), Some(1), "{full}");
    assert!(!fresh.is_initialised(), "{full}");
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
