//! The delivery of a wrapping token over ssh to a running host.

use std::{
    fs,
    path::{Path, PathBuf},
};

use zts_testkit::{ScratchDir, mode, scratch_dir, write_program};

use crate::deliver::site;

/// A stand-in for ssh, which runs the command on a machine of its own: another `/run`, and a
/// `systemctl` that keeps the token that it finds.
struct Machine {
    folder: ScratchDir,
}

impl Machine {
    fn new() -> Option<Self> {
        zts_testkit::find_program("unshare").filter(|_| Path::new("/run").is_dir())?;
        let machine = Self {
            folder: scratch_dir(),
        };
        fs::create_dir(machine.path("run")).unwrap();
        write_program(
            &machine.folder,
            "ssh",
            "#!/bin/sh\n[ \"$1\" = -- ] && [ \"$2\" = root@nas ] || exit 255\n\
             export ME=$(dirname \"$0\") COMMAND=\"$3\"\n\
             exec unshare --map-root-user --mount /bin/sh -c 'mount --bind \"$ME/run\" /run && exec /bin/sh -c \"$COMMAND\"'\n",
        );
        machine.write_systemctl("mv /run/vault-bootstrap/token \"$ME/traded\"");
        Some(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write_systemctl(&self, restart: &str) {
        let text = format!(
            "#!/bin/sh\ncase \"$1 $2\" in\n\"cat vault-bootstrap.service\") exit 0;;\n\
             \"restart vault-bootstrap.service\") {restart};;\n*) exit 9;;\nesac\n"
        );
        write_program(&self.folder, "systemctl", &text);
    }
}

#[test]
fn a_running_host_gets_the_token_over_ssh() {
    zts_testkit::require_bao!();
    let Some(machine) = Machine::new() else {
        zts_testkit::skip!("no /run to mount over on this machine");
    };
    let site = site("over-ssh");
    let call = || {
        site.create()
            .env("PATH", zts_testkit::path_with(machine.path("")))
            .args(["--deliver", "ssh", "root@nas"])
    };
    let output = call().succeed();
    output.assert_reports("issued a wrapping token for `over-ssh`, on the host, over ssh to `root@nas`: valid for one use within 24h");
    assert_eq!(mode(&machine.path("traded")), "0600");
    assert_eq!(mode(&machine.path("run/vault-bootstrap")), "0700");
    let traded = fs::read_to_string(machine.path("traded")).unwrap();
    output.assert_lacks(&traded);
    let credentials = site.unwrap_token(traded);
    assert!(site.login(&credentials).is_ok());

    insta::assert_snapshot!(call().succeed().stderr, @r"
    `over-ssh` has credentials already, so no wrapping token was issued: `--force` replaces them
    nothing to change: `over-ssh` is up to date
    ");
    for (restart, message) in [
        ("exit 1", "`root@nas` did not take the wrapping token"),
        // as where OpenBao cannot be asked, and the host goes on with what it has
        (
            "exit 0",
            "`root@nas` did not trade the wrapping token, and goes on with what it has",
        ),
    ] {
        machine.write_systemctl(restart);
        call().args(["--force"]).fail(1, message);
        let left = machine.path("run/vault-bootstrap/token");
        assert!(!left.exists(), "its secret id is destroyed");
    }
    assert_eq!(site.accessors().len(), 1, "the new secret id is destroyed");
    assert!(site.login(&credentials).is_ok(), "the old one stays");
}

#[test]
fn a_host_without_the_unit_is_refused_before_anything_is_changed() {
    zts_testkit::require_bao!();
    let Some(machine) = Machine::new() else {
        zts_testkit::skip!("no /run to mount over on this machine");
    };
    let site = site("no-unit");
    let deliver = |destination: &str| {
        site.create()
            .env("PATH", zts_testkit::path_with(machine.path("")))
            .args(["--deliver", "ssh", destination])
            .run()
    };
    assert_eq!(deliver("-oProxyCommand=x").code(), Some(2));
    let output = deliver("root@elsewhere");
    output.assert_reports("no connection over ssh to `root@elsewhere`");
    write_program(&machine.folder, "systemctl", "#!/bin/sh\nexit 1\n");
    let output = deliver("root@nas");
    output.assert_reports("`root@nas` has no `vault-bootstrap.service`");
    assert_eq!(site.fleet.git(&["status", "--porcelain"]), "");
    assert_eq!((site.role(), site.policy()), (None, None));
}
