//! Folders, disks, fleets and runs of binaries.

use std::{fs, io::ErrorKind, os::unix::process::ExitStatusExt, path::Path, time::Duration};

use zts_testkit::{Fleet, ReadOnlyDir, Run, Signal, Tmpfs, scratch_dir, wait_for};

#[test]
fn a_scratch_folder_vanishes() {
    let folder = scratch_dir();
    let path = folder.to_path_buf();
    fs::write(path.join("a"), "b").unwrap();
    drop(folder);
    assert!(!path.exists());
}

#[test]
fn a_full_disk_is_full_and_is_unmounted() {
    let Some(disk) = Tmpfs::mount(64 << 10) else {
        zts_testkit::skip!("mounting a tmpfs needs root")
    };
    disk.fill();
    let error = fs::write(disk.path().join("one more"), [0; 4096]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let path = disk.path().to_owned();
    drop(disk);
    assert!(
        !path.exists()
            && !fs::read_to_string("/proc/self/mounts")
                .unwrap()
                .contains(path.to_str().unwrap())
    );
}

#[test]
fn a_read_only_folder_takes_nothing() {
    let folder = ReadOnlyDir::new(|path| {
        fs::create_dir(path.join("inner")).unwrap();
        fs::write(path.join("inner/there"), "already").unwrap();
    });
    let there = folder.path().join("inner/there");
    assert_eq!(fs::read_to_string(&there).unwrap(), "already");
    fs::write(&there, "").unwrap_err();
    for new in ["new", "inner/new"] {
        fs::write(folder.path().join(new), "").unwrap_err();
    }
    let path = folder.path().to_owned();
    drop(folder);
    assert!(!path.exists());
}

#[test]
fn a_fleet_is_committed_and_compared() {
    let fleet = Fleet::copy_example();
    let before = fleet.snapshot();
    assert_eq!(fleet.git(&["status", "--porcelain"]), "");
    fleet.write("hosts/new/default.nix", "{ }\n");
    assert_eq!(
        fleet.git(&["status", "--porcelain", "--untracked-files=all"]),
        "?? hosts/new/default.nix\n"
    );
    assert_eq!(fleet.read("hosts/new/default.nix"), "{ }\n");
    assert_eq!(fleet.snapshot().len(), before.len() + 1);
    fleet.commit("A host");
    assert_eq!(fleet.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_run_is_one_text() {
    let folder = scratch_dir();
    let script = "cat; echo $NAME $HOME; pwd >&2; echo http://127.0.0.1:8200 2026-11-24T01:58:05.470Z after 12.5 ms >&2; exit 3";
    let output = Run::new("/bin/sh")
        .args(["-c", script])
        .env("NAME", "value")
        .stdin("in\n")
        .current_dir(&folder)
        .run();
    insta::assert_snapshot!(output, @r"
    exit status: 3
    ----- stdout -----
    in
    value
    ----- stderr -----
    [temporary]
    http://127.0.0.1:[port] [time] after [duration]
    ");
}

#[test]
#[should_panic(expected = "`/bin/sh` still ran after 200ms; until then:\nsignal: 9")]
fn a_run_that_hangs_fails() {
    Run::new("/bin/sh")
        .args(["-c", "echo begun; exec sleep 60"])
        .timeout(Duration::from_millis(200))
        .run();
}

#[test]
fn a_run_can_be_killed() {
    let mut running = Run::new("/bin/sh").args(["-c", "exec sleep 60"]).start();
    assert!(running.is_running());
    let id = running.id();
    assert_eq!(running.kill().code(), None);
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

/// The part of the next test that ignores signals.
#[test]
#[ignore = "run by a_runner_that_ignores_signals_starts_programs_that_do_not"]
fn runs_and_interrupts() {
    let mut running = Run::new("/bin/sh").args(["-c", "exec sleep 60"]).start();
    wait_for("the program is the one that was asked for", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", running.id())).ok()?;
        (name.trim() == "sleep").then_some(())
    });
    running.signal(Signal::INT);
    assert_eq!(running.finish().status.signal(), Some(2));
}

#[test]
fn a_runner_that_ignores_signals_starts_programs_that_do_not() {
    let env = zts_testkit::require_program!("env");
    Run::new(env)
        .args(["--ignore-signal=HUP,INT,TERM", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "runs_and_interrupts"])
        .succeed()
        .assert_prints("1 passed");
}

/// The part of the next test that is killed.
#[test]
#[ignore = "run by a_killed_test_runner_leaves_no_process"]
fn runs_until_killed() {
    // The child reports itself: by then it is bound to this process, which may be killed at once.
    let _running = Run::new("/bin/sh")
        .args([
            "-c",
            r#"echo $$ >"$REPORT.new" && mv "$REPORT.new" "$REPORT" && exec sleep 60"#,
        ])
        .env("REPORT", std::env::var_os("REPORT").unwrap())
        .start();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_test_runner_leaves_no_process() {
    zts_testkit::require_program!("setpriv");
    let report = scratch_dir().join("report");
    fs::create_dir_all(report.parent().unwrap()).unwrap();
    let runner = Run::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "runs_until_killed"])
        .env("REPORT", &report)
        .start();
    let child = wait_for("the child reports itself", || {
        fs::read_to_string(&report).ok()
    });
    // A process that ended but that nobody has waited for yet is still listed, as a zombie.
    let status = Path::new("/proc").join(child.trim()).join("status");
    let alive = || fs::read_to_string(&status).is_ok_and(|text| !text.contains("(zombie)"));
    assert!(alive());
    runner.kill();
    wait_for("the child is gone", || (!alive()).then_some(()));
    fs::remove_dir_all(report.parent().unwrap()).unwrap();
}
