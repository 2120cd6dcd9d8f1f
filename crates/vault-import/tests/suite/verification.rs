//! The comparison on the host.

use std::{fs, os::unix::fs::symlink};

use zts_testkit::{Run, ScratchDir, scratch_dir, write_program};

const MODULE: &str = "\
{ config, ... }:
{
  sops.defaultSopsFile = ./x.yaml;
  sops.secrets.\"app/password\" = { };
  sops.secrets.\"it's\" = { };
  sops.templates.\"app.env\".content = \"P=${config.sops.placeholder.\"app/password\"}\";
  sops.templates.constant.content = \"x\";
}
";
/// A stand-in for ssh, which runs the command on a machine whose `/run` is another one.
const SSH: &str = "\
#!/bin/sh
[ \"$1 $2\" = '-- root@web01' ] || exit 255
shift 2
sed \"s#/run/#$DISK/#g\" | exec \"$@\"
";

/// A host whose `/run` is a folder, with the old and the new files of two secrets and a template.
fn disk() -> ScratchDir {
    let disk = scratch_dir();
    for (path, text) in [
        ("secrets/app/password", "hunter2\n"),
        ("secrets/it's", "x"),
        ("secrets/rendered/app.env", "P=1"),
        ("vault-secrets/app/password", "hunter2\n"),
        ("vault-secrets/it-s/value", "x"),
        ("vault-templates/app.env/app.env", "P=1"),
        ("web01.nix", MODULE),
    ] {
        let path = disk.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(disk.join("bin")).unwrap();
    write_program(&disk.join("bin"), "ssh", SSH);
    symlink("/bin/sh", disk.join("bin/sh")).unwrap();
    disk
}

fn verify(disk: &ScratchDir, flag: &str) -> Run {
    let path = std::env::var("PATH").unwrap();
    Run::new(env!("CARGO_BIN_EXE_vault-import"))
        .args(["web01", flag, "--file", "web01.nix"])
        .env("PATH", format!("{}:{path}", disk.join("bin").display()))
        .env("DISK", &**disk)
        .current_dir(disk)
}

#[test]
fn files_are_compared_byte_by_byte_on_the_host() {
    let disk = disk();
    let output = verify(&disk, "--verify=root@web01").succeed();
    insta::assert_snapshot!(output, @r"
    exit status: 0
    ----- stdout -----
          OLD                            NEW
    same  /run/secrets/app/password      /run/vault-secrets/app/password
    same  /run/secrets/it's              /run/vault-secrets/it-s/value
    same  /run/secrets/rendered/app.env  /run/vault-templates/app.env/app.env
    ----- stderr -----
    ");

    fs::write(disk.join("vault-secrets/app/password"), "hunter2").unwrap();
    fs::remove_file(disk.join("vault-secrets/it-s/value")).unwrap();
    fs::remove_file(disk.join("secrets/rendered/app.env")).unwrap();
    let output = verify(&disk, "--verify=root@web01").run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
                      OLD                            NEW
    differs           /run/secrets/app/password      /run/vault-secrets/app/password
    new file missing  /run/secrets/it's              /run/vault-secrets/it-s/value
    old file missing  /run/secrets/rendered/app.env  /run/vault-templates/app.env/app.env
    ----- stderr -----
    error: web01: 3 of 3 files not the same

    hint: keep the old declarations until all are the same; compare as root
    ");
}

#[test]
fn a_host_that_is_not_reached_proves_nothing() {
    let disk = disk();
    verify(&disk, "--verify=root@other").fail(1, "`ssh` failed: exit status: 255");
    // this machine has none of the files
    verify(&disk, "--verify").fail(1, "3 of 3 files not the same");
}
