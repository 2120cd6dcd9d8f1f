//! The way in which files of the fleet are written: all or none, with their modes and drafts.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use zts_testkit::{Fleet, ReadOnlyDir, Run, Tmpfs, mode, set_mode};

use crate::site::Site;

#[test]
fn a_full_disk_changes_nothing() {
    let site = Site::without_server("web01");
    let Some(disk) = Tmpfs::mount(256 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    let fleet = disk.path().join("fleet");
    copy(site.fleet.path(), &fleet);
    disk.fill();
    let before = listing(&fleet);
    let output = site
        .create_files()
        .current_dir(&fleet)
        .fail(1, "No space left");
    output.assert_reports("hint: ");
    assert_eq!(listing(&fleet), before);
}

#[test]
fn a_read_only_fleet_is_refused() {
    let site = Site::without_server("web01");
    let place = ReadOnlyDir::new(|folder| {
        copy(site.fleet.path(), &folder.join("fleet"));
        set_mode(&folder.join("fleet"), 0o500);
    });
    let fleet = place.path().join("fleet");
    let output = site.create_files().current_dir(&fleet).run();
    // the folder is removed at the end, which its mode must allow
    let _ = fs::set_permissions(&fleet, Permissions::from_mode(0o700));
    output.assert_failure(1, "hint: nothing was changed");
}

#[test]
fn all_files_are_restored_if_one_cannot_be_replaced() {
    let site = Site::without_server("web01");
    // a mounted file cannot be replaced; the attempt fails only after all others are replaced
    let vms = site.path("terraform/vms.tf");
    let Some(_mounted) = Mounted::over(&vms) else {
        zts_testkit::skip!("mounting needs root");
    };
    let before = site.fleet.snapshot();
    let output = site.create_files().run().assert_status(1);
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: could not write `[temporary]/fleet/terraform/vms.tf`: Device or resource busy (os error 16)
    ");
    assert_eq!(site.fleet.snapshot(), before);
}

/// A file with a bind mount over itself.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn over(file: &std::path::Path) -> Option<Self> {
        rustix::mount::mount_bind(file, file).ok()?;
        Some(Self(file.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_name() == ".git" {
        } else if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn listing(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(listing(&entry.path()));
            found.push((entry.path(), Vec::new()));
        } else {
            found.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn git_ignores_drafts_of_killed_runs() {
    zts_testkit::require_bao!();
    let site = Site::without_server("not-added");
    let program = zts_testkit::require_program!("git");
    // the fleet has no `.gitignore` for drafts
    let excluded = site.path(".git/info/exclude");
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new(&program)
            .arg("-C")
            .arg(site.fleet.path())
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    fs::create_dir_all(excluded.parent().unwrap()).unwrap(); // git may have no template for it
    fs::write(&excluded, "# mine").unwrap(); // without a final newline
    site.create_files().succeed();
    let text = fs::read_to_string(&excluded).unwrap();
    assert_eq!(text, "# mine\n.create-host.*\n");
    for folder in ["", "terraform", "hosts/not-added"] {
        fs::write(site.path(folder).join(".create-host.AbCdEf"), "a token").unwrap();
    }
    let seen = git(&["status", "--porcelain", "--untracked-files=all"]);
    assert!(!seen.contains(".create-host"), "{seen}");
    site.create_files().succeed();
    assert_eq!(
        fs::read_to_string(&excluded).unwrap(),
        text,
        "once is enough"
    );
}

#[test]
fn drafts_of_a_killed_run_leave_no_folder() {
    let site = Site::without_server("killed");
    let before = listing(&site.path("hosts"));
    fs::create_dir(site.path("hosts/killed")).unwrap();
    fs::write(site.path("hosts/killed/.create-host.AbCdEf"), "").unwrap();
    let remove = ["--hostname", "killed", "--remove", "--skip-vault"];
    site.bare().args(remove).succeed();
    assert_eq!(listing(&site.path("hosts")), before);

    let host = |name: &str| format!("{{ networking.hostName = \"{name}\"; }}\n");
    let entry = |name: &str| {
        format!("{name} = nixpkgs.lib.nixosSystem {{ modules = [ ./machines/{name} ]; }};\n")
    };
    let (alpha, beta) = (host("alpha"), host("beta"));
    let entries = entry("alpha") + &entry("beta");
    let flake = format!(
        "{{ outputs = {{ nixpkgs, ... }}: {{ nixosConfigurations = {{\n{entries}}}; }}; }}\n"
    );
    let fleet = Fleet::from_files([
        ("flake.nix", flake.as_str()),
        ("machines/alpha/default.nix", &alpha),
        ("machines/beta/default.nix", &beta),
        ("machines/killed/.create-host.AbCdEf", ""),
    ]);
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .args(remove)
        .succeed();
    assert!(!fleet.path().join("machines/killed").exists());
}

#[test]
fn a_draft_with_a_token_is_private_even_if_git_tracks_the_file() {
    zts_testkit::require_bao!();
    let site = Site::new("private-draft");
    let vms = site.path("terraform/vms.tf");
    set_mode(&vms, 0o644);
    let folder = site.path("terraform");
    let ended = std::sync::atomic::AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = Vec::new();
            while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                for entry in fs::read_dir(&folder).unwrap().flatten() {
                    let is_draft = entry
                        .file_name()
                        .to_string_lossy()
                        .starts_with(".create-host.");
                    if let (true, Ok(data)) = (is_draft, entry.metadata()) {
                        seen.push(data.permissions().mode() & 0o777);
                    }
                }
            }
            seen
        });
        for _ in 0..5 {
            site.create().args(["--force"]).succeed();
        }
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
        watch.join().unwrap()
    });
    eprintln!("{} looks at a draft", seen.len());
    assert!(seen.iter().all(|mode| *mode == 0o600), "{seen:?}");
    assert_eq!(mode(&vms), "0644", "git has it as it is");
}

#[test]
fn the_access_control_list_of_an_edited_file_stays() {
    let site = Site::without_server("listed");
    let flake = site.path("flake.nix");
    let open = || fs::File::open(&flake).unwrap();
    if !zts_testkit::grant_by_acl(open(), zts_testkit::AclKind::Access) {
        zts_testkit::skip!("a file system without access control lists");
    }
    let before = zts_testkit::read_acl(open());
    site.create_files().succeed();
    assert!(site.fleet.read("flake.nix").contains("mkHost \"listed\""));
    assert!(before.is_some());
    assert_eq!(zts_testkit::read_acl(open()), before);
}

#[test]
fn with_a_umask_of_zero_nothing_is_writable_by_everybody() {
    let site = Site::without_server("umask-zero");
    Run::new("/bin/sh")
        .args([
            "-c",
            "umask 0; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_create-host"),
        ])
        .args([
            "--hostname",
            "umask-zero",
            "--ip",
            "10.0.0.11/24",
            "--skip-vault",
        ])
        .current_dir(site.fleet.path())
        .succeed();
    assert_eq!(mode(&site.path("hosts/umask-zero")), "0775");
    for name in ["default.nix", "networking.nix"] {
        assert_eq!(mode(&site.path(&site.host_file(name))), "0664", "{name}");
    }
}
