//! The index of git around the evaluation of a new host and its removal.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use zts_testkit::{path_with, scratch_dir, write_program};

use crate::{evaluation::Nix, site::Site};

/// Creates and removes the host, with Nix, in a repository with staged changes of its owner.
/// Returns the output of the flake that Nix evaluated.
#[track_caller]
fn create_and_remove(site: &Site, repository: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(arguments)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    fs::write(repository.join("staged.md"), "staged\n").unwrap();
    git(&["add", "staged.md"]);
    fs::write(repository.join("staged.md"), "changed again\n").unwrap();
    let state = || {
        (
            git(&["status", "--porcelain"]),
            git(&["ls-files", "--stage"]),
        )
    };
    let before = state();
    let nix = Nix::new("web01");
    let below = repository.join("fleet");
    let start = if below.is_dir() { &below } else { repository };
    nix.on_path(site.create_files())
        .current_dir(start)
        .succeed();
    let status = git(&["status", "--porcelain"]);
    assert!(status.contains(" A "), "{status}");
    let remove = ["--hostname", "web01", "--remove", "--skip-vault"];
    site.bare().args(remove).current_dir(start).succeed();
    assert_eq!(state(), before);
    let arguments = nix.take("arguments").unwrap();
    let installable = arguments.lines().last().unwrap();
    let root = fs::canonicalize(repository).unwrap();
    installable.replace(root.to_str().unwrap(), "[repository]")
}

#[test]
fn the_index_of_git_is_as_before_after_a_removal() {
    let git = zts_testkit::require_program!("git");
    let site = Site::without_server("web01");
    let plain = create_and_remove(&site, site.fleet.path());
    assert_eq!(plain, "git+file://[repository]#nixosConfigurations");

    // a worktree
    let scratch = scratch_dir();
    let worktree = scratch.join("work tree");
    site.fleet.git(&[
        "worktree",
        "add",
        "--quiet",
        "--detach",
        worktree.to_str().unwrap(),
    ]);
    let installable = create_and_remove(&site, &worktree);
    assert!(
        installable.ends_with("/work%20tree#nixosConfigurations"),
        "{installable}"
    );
    site.fleet
        .git(&["worktree", "remove", "--force", worktree.to_str().unwrap()]);

    // a folder of a repository, and a submodule
    let run = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new(&git);
        command.args([
            "-c",
            "user.name=A test",
            "-c",
            "user.email=test@example.org",
        ]);
        command.args(["-c", "protocol.file.allow=always"]).arg("-C");
        let output = command.arg(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    let outer: PathBuf = scratch.join("outer");
    fs::create_dir(&outer).unwrap();
    run(&outer, &["init", "--quiet"]);
    let fleet = site.fleet.path().to_str().unwrap();
    run(&outer, &["submodule", "add", "--quiet", fleet, "module"]);
    run(&outer, &["commit", "--quiet", "--message", "A module"]);
    let installable = create_and_remove(&site, &outer.join("module"));
    assert_eq!(installable, "git+file://[repository]#nixosConfigurations");

    run(&outer, &["clone", "--quiet", fleet, "fleet"]);
    fs::remove_dir_all(outer.join("fleet/.git")).unwrap();
    run(&outer, &["add", "fleet"]);
    run(&outer, &["commit", "--quiet", "--message", "A folder"]);
    let installable = create_and_remove(&site, &outer);
    assert_eq!(
        installable,
        "git+file://[repository]?dir=fleet#nixosConfigurations"
    );
}

#[test]
fn a_removal_that_is_killed_in_git_is_continued() {
    let git = zts_testkit::require_program!("git");
    let site = Site::without_server("web01");
    let before = site.fleet.snapshot();
    let programs = scratch_dir();
    let remove = || {
        site.bare()
            .args(["--hostname", "web01", "--remove", "--skip-vault"])
    };
    for index_is_changed in [false, true] {
        let nix = Nix::new("web01");
        nix.on_path(site.create_files()).succeed();
        let first = if index_is_changed { git.to_str() } else { None };
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *update-index*) {} \"$@\"; kill -KILL $PPID; exit ;; esac\nexec {} \"$@\"\n",
            first.unwrap_or(":"),
            git.display()
        );
        write_program(&programs, "git", &script);
        let killed = remove().env("PATH", path_with(&*programs)).run();
        assert_eq!(killed.code(), None, "{killed}");
        remove().succeed();
        assert_eq!(site.fleet.git(&["status", "--porcelain"]), "");
        assert_eq!(site.fleet.snapshot(), before);
    }
}

#[test]
fn a_locked_index_is_a_warning() {
    zts_testkit::require_program!("git");
    let site = Site::without_server("web01");
    let nix = Nix::new("web01");
    let lock = site.path(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let output = nix.on_path(site.create_files()).succeed();
    let warning = "warning: `web01` was not evaluated, because `git add --intent-to-add hosts/web01` failed: fatal: \
                   Unable to create '";
    output.assert_reports(warning);
    output.assert_reports("next: `git add hosts/web01`");
    assert!(!nix.is_called());

    fs::remove_file(&lock).unwrap();
    nix.on_path(site.create_files()).succeed();
    assert!(nix.is_called());
    fs::write(&lock, "").unwrap();
    let remove = ["--hostname", "web01", "--remove", "--skip-vault"];
    let output = site.bare().args(remove).succeed();
    output.assert_reports("warning: git still lists the removed files: fatal: Unable to create '");
    fs::remove_file(&lock).unwrap();
    let command = output
        .stderr
        .split('`')
        .find(|text| text.starts_with("git rm"))
        .unwrap();
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    site.fleet.git(&arguments);
    assert_eq!(site.fleet.git(&["status", "--porcelain"]), "");
}

#[test]
fn ignored_files_are_named() {
    zts_testkit::require_program!("git");
    let site = Site::without_server("web01");
    site.fleet.write(".gitignore", "networking.nix\n");
    site.fleet.commit("ignored");
    let nix = Nix::new("web01");
    let output = nix.on_path(site.create_files()).succeed();
    let warning = "warning: git ignores `hosts/web01/networking.nix`: the flake does not see it\n";
    output.assert_reports(warning);
    let tracked = nix.take("tracked").unwrap();
    assert!(!tracked.contains("hosts/web01/networking.nix"), "{tracked}");
}
