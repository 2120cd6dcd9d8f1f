//! Concurrent runs, and killed runs.

use std::{fs, thread, time::Duration};

use rustix::fs::{FlockOperation, flock};

use crate::site::Site;

#[test]
fn runs_on_one_fleet_wait_for_each_other() {
    zts_testkit::require_bao!();
    let site = Site::new("at-once");
    let runs: Vec<_> = (20..28)
        .map(|number| {
            let (host, ip) = (format!("at-once-{number}"), format!("10.0.0.{number}/24"));
            site.bare()
                .args(["--hostname", &host, "--ip", &ip, "--apply", "api"])
                .start()
        })
        .collect();
    for run in runs {
        run.finish().assert_success();
    }
    let (flake, vms) = (
        site.fleet.read("flake.nix"),
        site.fleet.read("terraform/vms.tf"),
    );
    for number in 20..28 {
        assert!(flake.contains(&format!("mkHost \"at-once-{number}\"")));
        let token = zts_infra_edit::vms::wrapping_token(
            &vms,
            &zts_infra_edit::vms::MapPlace::default(),
            &format!("at-once-{number}"),
        )
        .unwrap();
        assert!(site.login(&site.unwrap_token(token.unwrap())).is_ok());
    }
    site.assert_tidy();
}

#[test]
fn concurrent_runs_create_a_host_once() {
    zts_testkit::require_bao!();
    let site = Site::new("twice");
    let runs: Vec<_> = (0..4).map(|_| site.create().start()).collect();
    for run in runs {
        run.finish().assert_success();
    }
    assert_eq!(site.accessors().len(), 1);
    site.assert_complete();
}

#[test]
fn a_waiting_run_reports_it() {
    let site = Site::without_server("web01");
    let folder = fs::File::open(site.fleet.path()).unwrap();
    flock(&folder, FlockOperation::LockExclusive).unwrap();
    let mut run = site.create_files().start();
    thread::sleep(Duration::from_millis(300));
    assert!(run.is_running());
    drop(folder);
    let output = run.finish();
    assert!(
        output.code() == Some(0) && output.stderr.contains("waiting for it"),
        "{output}"
    );
}

#[test]
fn a_killed_run_leaves_whole_files_and_the_next_one_continues() {
    zts_testkit::require_bao!();
    let site = Site::new("killed");
    let before = site.fleet.snapshot();
    for round in 0..40_u64 {
        let run = site.create().start();
        thread::sleep(Duration::from_micros(round * 1500));
        run.kill();
        for (path, content) in site.fleet.snapshot() {
            let shown = path.display().to_string();
            if shown.contains(".create-host") {
                continue; // the next run removes it
            }
            let text = String::from_utf8(content).unwrap();
            let good = match path.extension().and_then(|end| end.to_str()) {
                Some("nix") => zts_infra_edit::nix::check_syntax(&text).is_ok(),
                Some("tf") if shown.ends_with("vms.tf") => {
                    zts_infra_edit::vms::list_vms(&text, &zts_infra_edit::vms::MapPlace::default())
                        .is_ok()
                }
                _ => true,
            };
            assert!(good && !text.is_empty(), "{shown}");
        }
        if round % 8 == 7 {
            site.create().succeed();
            site.assert_complete();
            site.remove().succeed();
            assert_eq!(site.fleet.snapshot(), before);
        }
    }
}
