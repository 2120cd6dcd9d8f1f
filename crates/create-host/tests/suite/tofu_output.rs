//! The output of OpenTofu in runs of the program.

use std::fs;

use zts_testkit::{RunOutput, write_program};

use crate::{
    site::{Call, IP, Site},
    tofu::initialised,
};

#[test]
fn the_output_of_a_failed_opentofu_is_shown() {
    let (tofu, site) = initialised!("tofu-fails");
    let approle = site.fleet.read("terraform/vault/approle.tf");
    site.fleet.write(
        "terraform/vault/approle.tf",
        approle.replace("type = \"approle\"", "type = var.no_such_variable"),
    );
    let output = tofu.create(&site).run().assert_status(1);
    insta::assert_snapshot!(end_of(&output), @r"
    error: policy and role are not both in OpenBao: `tofu apply` in `terraform/vault` failed (exit status: 1); done before that: the files are written

    hint: see its output above; then run the same command again: it continues from there
    ");
    assert!(
        output.stderr.contains("no_such_variable"),
        "its own words: {output}"
    );
    assert_eq!((site.role(), site.token()), (None, None));
    site.fleet.write("terraform/vault/approle.tf", &approle);
    tofu.create(&site).succeed();
    site.assert_complete();
}

#[test]
fn verbose_shows_the_output() {
    let (tofu, site) = initialised!("tofu-verbose");
    let quiet = tofu.create(&site).args(["--dry-run"]).succeed();
    assert_eq!(site.role(), None);
    quiet.assert_lacks("vault_policy");
    let output = tofu.create(&site).args(["--verbose"]).succeed();
    output.assert_reports("vault_policy.generated_host_policies[\"tofu-verbose\"]");
}

/// Returns a run that finds a shell script in place of OpenTofu. The script prints its token, as an
/// error of the provider may, and ends with `status`.
fn create_with_stand_in(site: &Site, status: u8) -> Call<'_> {
    let folder = site.path("bin");
    fs::create_dir_all(site.path("terraform/vault/.terraform")).unwrap();
    let script = format!(
        "#!/bin/sh\n\
         echo \"to stdout: $VAULT_TOKEN\"\n\
         echo \"to stderr: $VAULT_TOKEN\" >&2\n\
         printf 'no line end'\n\
         exit {status}\n"
    );
    write_program(&folder, "tofu", &script);
    site.bare()
        .args(["--hostname", &site.host, "--ip", IP, "--apply", "tofu"])
        .env("PATH", zts_testkit::path_with(folder))
}

#[test]
fn no_output_of_opentofu_shows_the_token() {
    zts_testkit::require_bao!();
    let site = Site::new("tofu-token");
    for (flags, status) in [
        (&["--verbose"][..], 0),
        (&["--verbose"], 1),
        (&["-vv"], 1),
        (&[], 1),
    ] {
        let output = create_with_stand_in(&site, status)
            .args(flags)
            .run()
            .assert_status(1);
        for words in ["to stdout: <", "to stderr: <", "no line end\n"] {
            output.assert_reports(words);
        }
        let leak = zts_testkit::find_leak(site.server().root_token(), &output.stderr);
        assert_eq!(leak, None, "{output}");
    }
}

#[test]
fn only_the_flag_shows_the_output_of_a_successful_opentofu() {
    zts_testkit::require_bao!();
    let site = Site::new("tofu-level");
    for level in ["debug", "trace"] {
        let run = create_with_stand_in(&site, 0).env("BAO_LOG_LEVEL", level);
        let output = run.run();
        output.assert_reports("DEBUG");
        output.assert_lacks("to std");
    }
}

/// OpenTofu that takes two seconds, and does nothing.
#[test]
fn a_terminal_shows_the_progress() {
    zts_testkit::require_bao!();
    let script = zts_testkit::require_program!("script");
    let site = Site::new("tofu-terminal");
    let folder = site.path("bin");
    fs::create_dir_all(site.path("terraform/vault/.terraform")).unwrap();
    write_program(&folder, "tofu", "#!/bin/sh\nsleep 2\nexit 1\n");
    let run = || {
        zts_testkit::Run::new(env!("CARGO_BIN_EXE_create-host"))
            .args(["--hostname", "tofu-terminal", "--ip", IP, "--apply", "tofu"])
            .current_dir(site.fleet.path())
            .server(site.server())
            .env("BAO_TOKEN", site.server().root_token())
            .env("PATH", zts_testkit::path_with(&folder))
            .env("HOME", site.fleet.path())
    };
    let shown = run().on_terminal(&script).run().assert_status(1);
    shown.assert_prints("OpenTofu applies `terraform/vault` (1 s)");
    let piped = run().run().assert_status(1);
    piped.assert_lacks("OpenTofu applies");
}

/// Returns the program's own message after OpenTofu's output.
fn end_of(output: &RunOutput) -> String {
    let shown = output.to_string();
    let start = shown.find("error: policy").unwrap_or(0);
    shown[start..].to_owned()
}
