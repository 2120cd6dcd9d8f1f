//! The ways of a wrapping token to a machine that OpenTofu does not make.

use std::fs;

use zts_testkit::{ReadOnlyDir, RunOutput, mode, scratch_dir};

use crate::site::{IP, Site};

/// Creates a site whose fleet has no OpenTofu.
pub(crate) fn site(host: &str) -> Site {
    let site = Site::new(host);
    fs::remove_dir_all(site.path("terraform")).unwrap();
    site.fleet.commit("no OpenTofu");
    site
}

/// Returns the only line on stdout.
#[track_caller]
fn stdout_line(output: &RunOutput) -> String {
    let line = output.stdout.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{output}");
    line.to_owned()
}

/// Checks that the run failed, and changed neither the fleet nor OpenBao.
#[track_caller]
fn assert_refused(site: &Site, output: &RunOutput) {
    assert_eq!(output.code(), Some(2), "{output}");
    let shown = site.fleet.git(&["status", "--porcelain"]);
    assert_eq!(shown, "", "{output}");
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn without_a_way_no_token_is_issued_and_all_ways_are_named() {
    zts_testkit::require_bao!();
    let site = site("no-way-yet");
    let before = site.fleet.snapshot();
    let output = site.create().succeed();
    let mut lines = output.stderr.lines();
    let line = lines.find(|line| line.starts_with("no wrapping token yet"));
    insta::assert_snapshot!(line.unwrap(), @"no wrapping token yet, because nothing says how `no-way-yet` gets it. Run the same command again with one of these: `--token-out FILE` writes it to a file, `--token-out -` to stdout; `--deliver ssh root@HOST` hands it to a running host; `--deliver extra-files DIR` puts it where `nixos-anywhere --extra-files DIR` takes it; `--deliver credential FILE` writes a string for the SMBIOS of a QEMU or Incus machine");
    assert_eq!(site.accessors(), Vec::<String>::new());
    let token = stdout_line(&site.create().args(["--token-out", "-"]).succeed());
    assert!(site.login(&site.unwrap_token(token)).is_ok());
    site.create().succeed().assert_reports("nothing to change");
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_token_that_is_asked_for_needs_a_way() {
    zts_testkit::require_bao!();
    let site = site("no-way");
    let output = site.create().args(["--force"]).run();
    insta::assert_snapshot!(output, @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no way for the wrapping token of `no-way`: `terraform/vms.tf` does not exist

    hint: name a way: `--token-out FILE` writes it to a file, `--token-out -` to stdout; `--deliver ssh root@HOST` hands it to a running host; `--deliver extra-files DIR` puts it where `nixos-anywhere --extra-files DIR` takes it; `--deliver credential FILE` writes a string for the SMBIOS of a QEMU or Incus machine
    ");
    assert_refused(&site, &output);
}

#[test]
fn one_message_asks_for_everything_that_is_missing() {
    zts_testkit::require_bao!();
    let site = site("nothing");
    fs::remove_file(site.path("flake.nix")).unwrap();
    site.fleet.write("fleet.toml", "[paths]\nvms = \"\"\n");
    site.fleet.commit("less");
    let arguments = ["--hostname", "nothing", "--force"];
    let output = site.bare().args(arguments).run();
    for part in [
        "`nothing` lacks 3 things: `flake.nix` does not exist; `nothing` has no address, which \
         `hosts/template/networking.nix` needs; there is no way for the wrapping token of `nothing`: \
         the fleet has no machine map\n",
        "\n- set the file with",
        "\n- give it with `--ip ADDRESS/LENGTH`\n",
        "\n- name a way: `--token-out FILE`",
    ] {
        output.assert_reports(part);
    }
    assert_refused(&site, &output);
}

#[test]
fn a_fleet_without_opentofu_gets_no_file_of_it_and_is_as_before_after_removal() {
    zts_testkit::require_bao!();
    let site = site("bare-metal");
    let before = site.fleet.snapshot();
    let out = scratch_dir();
    let file = out.join("token");
    let create = || {
        site.create()
            .args(["--token-out".as_ref(), file.as_os_str()])
    };
    insta::assert_snapshot!(create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/bare-metal/configuration.nix`
    created `hosts/bare-metal/default.nix`
    created `hosts/bare-metal/networking.nix`
    created policy `host-bare-metal` in OpenBao, through its API
    created role `bare-metal` in OpenBao, through its API
    issued a wrapping token for `bare-metal`, in `[temporary]/token`: valid for one use within 24h
    next: `git add hosts/bare-metal`, because a flake sees only files that git tracks
    ");
    assert!(!site.path("terraform").exists());
    assert_eq!(mode(&file), "0600");
    let token = fs::read_to_string(&file).unwrap();
    let credentials = site.unwrap_token(token.clone());
    assert!(site.login(&credentials).is_ok());

    create().succeed().assert_reports("nothing to change");
    assert_eq!(fs::read_to_string(&file).unwrap(), token);
    create().args(["--force"]).succeed();
    assert!(
        site.login(&credentials).is_err(),
        "the old ones are destroyed"
    );
    let forced = fs::read_to_string(&file).unwrap();
    assert!(site.login(&site.unwrap_token(forced)).is_ok());

    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before, "every byte as before");
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn stdout_has_the_token_alone() {
    zts_testkit::require_bao!();
    let site = site("to-stdout");
    let output = site.create().args(["--token-out", "-"]).succeed();
    let first = stdout_line(&output);
    assert!(site.login(&site.unwrap_token(first)).is_ok());
    let output = site.create().args(["--token-out", "-", "--json"]).run();
    insta::assert_snapshot!(output.stderr, @r"
    error: the wrapping token and the result of `--json` cannot both be on stdout

    hint: name a file for the token, or leave `--json` out
    ");
    assert_eq!(output.code(), Some(2));
}

#[test]
fn a_credential_is_a_string_for_smbios() {
    zts_testkit::require_bao!();
    let site = site("smbios");
    let deliver = ["--deliver", "credential", "-"];
    let output = site.create().args(deliver).succeed();
    let line = stdout_line(&output);
    let token = line
        .strip_prefix("io.systemd.credential:vault.wrapped-token=")
        .unwrap();
    assert!(site.login(&site.unwrap_token(token.to_owned())).is_ok());
}

#[test]
fn extra_files_have_the_token_where_the_first_boot_reads_it() {
    zts_testkit::require_bao!();
    let site = site("anywhere");
    let extra = scratch_dir();
    let call = || {
        let deliver = [
            "--deliver".as_ref(),
            "extra-files".as_ref(),
            extra.as_os_str(),
        ];
        site.create().args(deliver)
    };
    call().succeed();
    let file = extra.join("var/lib/vault/bootstrap/token");
    let modes = ["var", "var/lib", "var/lib/vault", "var/lib/vault/bootstrap"];
    assert_eq!(
        modes.map(|folder| mode(&extra.join(folder))),
        ["0755", "0755", "0755", "0700"],
        "the machine gets the folders with their modes"
    );
    assert_eq!(mode(&file), "0600");
    let token = fs::read_to_string(&file).unwrap();
    assert!(site.login(&site.unwrap_token(token)).is_ok());
}

#[test]
fn a_place_that_others_read_is_refused_before_anything_is_changed() {
    zts_testkit::require_bao!();
    let site = site("bad-place");
    let refused = |path: &str| {
        let output = site.create().args(["--token-out", path]).run();
        assert_refused(&site, &output);
        output.stderr
    };
    insta::assert_snapshot!(refused("fleet.toml"), @r"
    error: the wrapping token cannot be written to `fleet.toml`: git tracks that file

    hint: name a file that git does not track, or one outside of the repository
    ");
    insta::assert_snapshot!(refused("no/such/folder/token"), @r"
    error: the wrapping token cannot be written to `no/such/folder/token`: there is no folder `no/such/folder`

    hint: create it with `mkdir -p no/such/folder`
    ");
    insta::assert_snapshot!(refused("hosts"), @r"
    error: the wrapping token cannot be written to `hosts`: it is a folder

    hint: name a file in it
    ");
    let socket = site.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let output = site.create().args(["--token-out", "socket"]).run();
    insta::assert_snapshot!(output.stderr, @r"
    error: the wrapping token cannot be written to `socket`: it is a device or a pipe, which a file would replace

    hint: `--token-out -` writes to stdout
    ");
}

#[test]
fn a_file_that_git_would_add_is_a_warning() {
    zts_testkit::require_bao!();
    let site = site("would-add");
    let output = site.create().args(["--token-out", "nas.token"]).succeed();
    output.assert_reports("warning: git does not ignore `nas.token`: `git add --all` would commit the wrapping token\n");
    site.fleet.write(".gitignore", "*.token\n");
    site.create()
        .args(["--force", "--token-out", "nas.token"])
        .succeed()
        .assert_lacks("warning");
}

#[test]
fn in_a_mixed_fleet_a_physical_host_gets_no_machine() {
    zts_testkit::require_bao!();
    let site = Site::new("physical");
    let out = scratch_dir();
    let token_out = || {
        let file = out.join("token");
        ["--token-out".into(), file.into_os_string()]
    };
    let vms = site.fleet.read("terraform/vms.tf");
    site.create().args(token_out()).succeed();
    assert_eq!(site.fleet.read("terraform/vms.tf"), vms);
    let generated = site.fleet.read("terraform/vault/hosts-generated.tf");
    assert!(generated.contains("hosts/physical/*"));
    site.create().succeed().assert_reports("nothing to change");
    site.create()
        .args(["--force"])
        .fail(2, "`terraform/vms.tf` does not have the host");
    assert_eq!(site.fleet.read("terraform/vms.tf"), vms);
}

#[test]
fn a_delivery_that_fails_leaves_no_secret_id() {
    zts_testkit::require_bao!();
    let site = site("full");
    let place = ReadOnlyDir::new(|_| ());
    let file = place.path().join("token");
    let arguments = ["--token-out".as_ref(), file.as_os_str()];
    let output = site
        .create()
        .args(arguments)
        .fail(1, "no wrapping token was issued: could not write `");
    assert_eq!(site.accessors(), Vec::<String>::new(), "{output}");
}

#[test]
fn the_address_may_be_in_the_fleet_or_missing() {
    zts_testkit::require_bao!();
    let site = Site::new("address");
    let call = || {
        site.bare()
            .args(["--hostname", "address", "--apply", "api"])
    };
    let output = call().run();
    insta::assert_snapshot!(output, @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `address` has no address, which `hosts/template/networking.nix` needs

    hint: give it with `--ip ADDRESS/LENGTH`
    ");
    site.create().succeed();
    let token = site.token();
    let output = call().args(["--force"]).succeed();
    output.assert_reports("issued a wrapping token");
    assert_ne!(site.token(), token);
    let skipped = site.bare().args(["--hostname", "address", "--skip-vault"]);
    skipped.succeed().assert_reports("nothing to change");
}

#[test]
fn a_host_of_dhcp_has_no_address() {
    zts_testkit::require_bao!();
    let site = site("dhcp");
    site.fleet.write(
        "hosts/template/networking.nix",
        "{ networking.hostName = \"@hostname@\"; networking.useDHCP = true; }\n",
    );
    site.fleet.commit("dhcp");
    let before = site.fleet.snapshot();
    let call = || {
        site.bare()
            .args(["--hostname", "dhcp", "--apply", "api", "--token-out", "-"])
    };
    let token = stdout_line(&call().succeed());
    assert!(site.login(&site.unwrap_token(token)).is_ok());
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);

    site.fleet
        .write("fleet.toml", "[openbao]\nbind_cidr = true\n");
    call().fail(
        2,
        "`dhcp` has no address, which `bind_cidr` under `[openbao]` in `fleet.toml` needs",
    );
    call().args(["--ip", IP]).succeed();
}

#[test]
fn the_token_of_another_host_is_not_replaced() {
    zts_testkit::require_bao!();
    let first = site("first-of-two");
    let file = first.path("../shared.token");
    let call = |host: &str, ip: &str| {
        let arguments = [
            "--hostname",
            host,
            "--ip",
            ip,
            "--apply",
            "api",
            "--token-out",
        ];
        first.bare().args(arguments).args([&file])
    };
    let second = || call("second-of-two", "10.0.0.22/24");
    call("first-of-two", "10.0.0.21/24").succeed();
    let token = fs::read_to_string(&file).unwrap();
    let before = first.fleet.snapshot();
    let refused = second().run().assert_status(2);
    let reason = "shared.token` exists, and `second-of-two` has no credentials yet: it may have the token of another host";
    refused.assert_reports(reason);
    assert_eq!(first.fleet.snapshot(), before);
    assert_eq!(fs::read_to_string(&file).unwrap(), token);
    second().args(["--force"]).succeed();
    assert_ne!(fs::read_to_string(&file).unwrap(), token);
}
