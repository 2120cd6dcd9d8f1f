//! The evaluation of a new host, with a program `nix` that answers as Nix does.

use std::fs;

use zts_testkit::{RunOutput, ScratchDir, Signal, path_with, scratch_dir, wait_for, write_program};

use crate::site::{Call, IP, Site, error_of};

/// An error in a host's file, as Nix 2.28 reports it.
const UNDEFINED: &str = "warning: Git tree '/fleet' is dirty
error:
       … while calling the 'head' builtin
         at /nix/store/5r6kgzhnmcs9m532j2b0wwq69n79r90s-source/lib/attrsets.nix:1575:11:
         1574|         || pred here (elemAt values 1) (head values) then
         1575|           head values
             |           ^
         1576|         else

       … while evaluating the option `networking.hostName':

       (stack trace truncated; use '--show-trace' to show the full, detailed trace)

       error: undefined variable 'hostname'
       at /nix/store/jzbrxi44g3z3320b6k60nvp3kfw01ja1-source/hosts/web01/default.nix:2:25:
            1| {
            2|   networking.hostName = hostname;
             |                         ^
            3| }
";

/// An input that cannot be fetched, as Nix 2.28 reports it.
const NO_NETWORK: &str = "warning: error: unable to download 'https://api.github.com/repos/NixOS/nixpkgs/commits/nixos-25.05': Could not resolve hostname (6) Could not resolve host: api.github.com; retrying in 298 ms
error:
       … while updating the flake input 'nixpkgs'

       … while fetching the input 'github:NixOS/nixpkgs/nixos-25.05'

       error: unable to download 'https://api.github.com/repos/NixOS/nixpkgs/commits/nixos-25.05': Could not resolve hostname (6) Could not resolve host: api.github.com
";

/// A program `nix`. It records its arguments, and the state of the fleet at that time.
pub(crate) struct Nix(ScratchDir);

impl Nix {
    /// Creates a program that finds this host name.
    pub(crate) fn new(host_name: &str) -> Self {
        let nix = Self(scratch_dir());
        nix.write_script(
            "case \"$*\" in
               *\"$(cat \"$here/only\" 2>/dev/null)\"*) ;;
               *) echo '{\"hostName\":\"another\"}'; exit 0 ;;
             esac
             printf '%s\\n' \"$@\" > \"$here/arguments\"
             printf '%s' \"$BAO_TOKEN$VAULT_TOKEN\" > \"$here/environment\"
             git ls-files hosts > \"$here/tracked\"
             cat terraform/vms.tf > \"$here/vms\"
             cat \"$here/stderr\" >&2
             cat \"$here/stdout\"
             exit \"$(cat \"$here/status\")\"",
        );
        nix.answer(&format!("{{\"hostName\":\"{host_name}\"}}\n"), "", 0);
        nix
    }

    fn write_script(&self, body: &str) {
        let text = format!("#!/bin/sh\nhere='{}'\n{body}\n", self.0.display());
        write_program(&self.0, "nix", &text);
    }

    /// Sets the answer of later runs.
    fn answer(&self, stdout: &str, stderr: &str, status: i32) {
        fs::write(self.0.join("stdout"), stdout).unwrap();
        fs::write(self.0.join("stderr"), stderr).unwrap();
        fs::write(self.0.join("status"), status.to_string()).unwrap();
    }

    /// Gives this answer for one host only.
    fn answer_for(&self, host: &str, stdout: &str, stderr: &str, status: i32) {
        fs::write(self.0.join("only"), host).unwrap();
        self.answer(stdout, stderr, status);
    }

    /// Returns a record of the last run, and removes it; `None` without a run.
    pub(crate) fn take(&self, record: &str) -> Option<String> {
        let path = self.0.join(record);
        // A record that was not read yet stays: the script may write it between the two calls.
        let text = fs::read_to_string(&path).ok()?;
        let _ = fs::remove_file(path);
        Some(text)
    }

    pub(crate) fn is_called(&self) -> bool {
        self.take("arguments").is_some()
    }

    /// Puts it on the `PATH` of a call.
    pub(crate) fn on_path<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.env("PATH", path_with(&*self.0))
    }
}

#[test]
fn a_host_is_evaluated_before_it_gets_credentials() {
    zts_testkit::require_bao!();
    let site = Site::new("evaluated");
    let nix = Nix::new("evaluated");
    let output = nix.on_path(site.create()).succeed();
    output.assert_reports(
        "`git add --intent-to-add hosts/evaluated` is done, because a flake sees only files that git tracks\n\
         evaluated `nixosConfigurations.evaluated`: its host name is `evaluated`\n\
         created policy `host-evaluated` in OpenBao, through its API\n",
    );
    site.assert_complete();
    let root = fs::canonicalize(site.fleet.path()).unwrap();
    let arguments = nix.take("arguments").unwrap();
    insta::assert_snapshot!(arguments.replace(root.to_str().unwrap(), "[fleet]"), @r#"
    --extra-experimental-features
    nix-command flakes
    eval
    --json
    --no-write-lock-file
    --apply
    configurations:
    if configurations ? "evaluated" then
      { hostName = configurations."evaluated".config.networking.hostName; }
    else
      { names = builtins.attrNames configurations; }
    --
    git+file://[fleet]#nixosConfigurations
    "#);
    assert_eq!(nix.take("environment").unwrap(), "");
    assert!(
        nix.take("tracked")
            .unwrap()
            .contains("hosts/evaluated/default.nix")
    );
    let vms = nix.take("vms").unwrap();
    assert!(vms.contains("evaluated") && !vms.contains("eyJ"), "{vms}");
    let status = site.fleet.git(&["status", "--porcelain", "hosts"]);
    assert_eq!(status.matches(" A hosts/evaluated/").count(), 3, "{status}");
}

#[test]
fn a_host_that_does_not_evaluate_gets_no_credentials() {
    zts_testkit::require_bao!();
    let site = Site::new("not-evaluated");
    let nix = Nix::new("not-evaluated");
    nix.answer_for("not-evaluated", "", UNDEFINED, 1);
    let output = nix.on_path(site.create()).run();
    insta::assert_snapshot!(error_of(&output), @r"
    error: `nixosConfigurations.not-evaluated` does not evaluate; done before that: the files are written

        error: undefined variable 'hostname'
        at /nix/store/jzbrxi44g3z3320b6k60nvp3kfw01ja1-source/hosts/web01/default.nix:2:25:
             1| {
             2|   networking.hostName = hostname;
              |                         ^
             3| }

    hint: mend it, then run the same command again, which evaluates it again; `--no-check` leaves the evaluation out
    ");
    assert_eq!(
        (site.role(), site.policy(), site.token()),
        (None, None, None)
    );

    nix.answer("{\"hostName\":\"not-evaluated\"}", "", 0);
    let again = nix.on_path(site.create()).succeed();
    again.assert_reports("its host name is `not-evaluated`");
    site.assert_complete();
}

#[test]
fn a_fleet_that_does_not_evaluate_is_told_from_its_host() {
    let site = Site::without_server("web01");
    let nix = Nix::new("web01");
    nix.answer("", UNDEFINED, 1);
    let output = nix.on_path(site.create_files()).run();
    let error = "error: the fleet does not evaluate: neither does `nixosConfigurations.db01`, which was there before \
                 `web01`; done before that: the files are written\n";
    output.assert_reports(error);
}

#[test]
fn a_host_that_the_flake_does_not_have() {
    let site = Site::without_server("web01");
    let nix = Nix::new("web01");
    nix.answer("{\"names\":[\"mail\",\"template\"]}", "", 0);
    insta::assert_snapshot!(error_of(&nix.on_path(site.create_files()).run()), @r"
    error: `nixosConfigurations` of the flake does not have `web01`: it has `mail`, `template`; done before that: the files are written

    hint: mend it, then run the same command again, which evaluates it again; `--no-check` leaves the evaluation out
    ");
    let json = nix
        .on_path(site.create_files())
        .args(["--json"])
        .run()
        .assert_status(1);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["evaluation"], "failed", "{json}");
}

#[test]
fn an_input_that_cannot_be_fetched_is_a_warning() {
    zts_testkit::require_bao!();
    let site = Site::new("no-network");
    let nix = Nix::new("no-network");
    nix.answer("", NO_NETWORK, 1);
    let output = nix.on_path(site.create()).succeed();
    let warning = "warning: `no-network` was not evaluated, because Nix could not fetch what the flake needs: unable to \
                   download 'https://api.github.com/repos/NixOS/nixpkgs/commits/nixos-25.05': Could not resolve hostname \
                   (6) Could not resolve host: api.github.com\n";
    output.assert_reports(warning);
    site.assert_complete();
}

#[test]
fn a_nix_that_does_not_work_is_a_warning() {
    let site = Site::without_server("web01");
    let nix = Nix::new("web01");
    let socket = "error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused\n";
    nix.answer("", socket, 1);
    let output = nix.on_path(site.create_files()).args(["--json"]).succeed();
    let warning = "`web01` was not evaluated, because Nix does not work here: cannot connect to socket at \
                   '/nix/var/nix/daemon-socket/socket': Connection refused";
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["warnings"], serde_json::json!([warning]), "{output}");
    assert_eq!(report["evaluation"], "unavailable", "{output}");
}

#[test]
fn another_host_name_is_a_warning() {
    let site = Site::without_server("web01");
    let nix = Nix::new("nixos");
    let output = nix.on_path(site.create_files()).succeed();
    let warning = "warning: `web01` has the host name `nixos`, whose secrets it would read: set \
                   `networking.hostName = \"web01\";`, or `vault.hostName = \"web01\";`\n";
    output.assert_reports(warning);
}

#[test]
fn runs_that_evaluate_nothing() {
    zts_testkit::require_bao!();
    let site = Site::new("unchecked");
    let nix = Nix::new("unchecked");
    let created = nix.on_path(site.create()).args(["--no-check"]).succeed();
    let next = "next: `git add hosts/unchecked`, because a flake sees only files that git tracks\n";
    created.assert_reports(next);
    assert_eq!(
        site.fleet.git(&["status", "--porcelain", "hosts"]),
        "?? hosts/unchecked/\n"
    );
    nix.on_path(site.create()).args(["--dry-run"]).succeed();
    nix.on_path(site.create()).args(["--force"]).succeed();
    nix.on_path(site.remove()).succeed();
    assert!(!nix.is_called());
}

/// Nix copies what it evaluates to its store.
#[test]
fn no_token_comes_to_the_store() {
    zts_testkit::require_bao!();
    let site = Site::new("in-the-map");
    site.create().succeed();
    let nix = Nix::new("in-the-map");
    let again = nix.on_path(site.create()).succeed();
    let reason = "`in-the-map` was not evaluated: git tracks `terraform/vms.tf`, which has wrapping tokens, and Nix \
                  would copy it to its store\n";
    again.assert_reports(reason);
    assert!(!nix.is_called());
    // the variables are a file that git ignores
    let site = Site::with_token_variables("in-variables");
    site.create().succeed();
    nix.answer("{\"hostName\":\"in-variables\"}", "", 0);
    nix.on_path(site.create()).succeed();
    let arguments = nix.take("arguments").unwrap();
    assert!(
        arguments.contains("\ngit+file:///") && !arguments.contains("path:"),
        "{arguments}"
    );
    // without git, Nix would copy all files
    fs::remove_dir_all(site.path(".git")).unwrap();
    let output = nix.on_path(site.create()).succeed();
    let reason = "`in-variables` was not evaluated: outside of a git repository, Nix would copy all files of the fleet \
                  to its store\n";
    output.assert_reports(reason);
    assert!(!nix.is_called());
}

fn end_while_nix_works(signal: Signal) -> RunOutput {
    let site = Site::without_server("web01");
    let nix = Nix::new("web01");
    nix.write_script(
        "trap 'echo ended > \"$here/ended\"; exit 1' TERM INT
         echo begun > \"$here/begun\"
         while :; do sleep 0.1; done",
    );
    let mut running = nix.on_path(site.create_files()).start();
    wait_for("Nix runs", || nix.take("begun"));
    running.wait_for_stderr("evaluating `web01` with Nix: this can take minutes; Ctrl-C ends it");
    running.signal(signal);
    let output = running.finish();
    wait_for("Nix has ended", || nix.take("ended"));
    let arguments = ["--hostname", "web01", "--ip", IP, "--skip-vault"];
    let again = site.bare().args(arguments).succeed();
    again.assert_reports("nothing to change");
    output
}

#[test]
fn a_signal_ends_nix_too() {
    let output = end_while_nix_works(Signal::TERM);
    assert_eq!(output.code(), None, "{output}");
}

#[test]
fn hosts_of_colmena_alone_are_not_evaluated() {
    let site = Site::without_server("web01");
    let flake = "{\n  outputs = { nixpkgs, ... }: {\n    colmena = {\n      meta.nixpkgs = import nixpkgs { };\n      \
                 ns1 = { imports = [ ./hosts/ns1 ]; };\n    };\n  };\n}\n";
    site.fleet.write("flake.nix", flake);
    site.fleet.write("fleet.toml", "");
    site.fleet.commit("colmena");
    let nix = Nix::new("web01");
    let output = nix.on_path(site.create_files()).succeed();
    let reason =
        "`web01` was not evaluated: the flake has hosts of colmena, and no `nixosConfigurations`\n";
    output.assert_reports(reason);
    assert!(!nix.is_called());
}

#[test]
fn without_nix_only_verbose_runs_say_so() {
    let site = Site::without_server("web01");
    let reason = "the host is not evaluated: there is no `nix` on `PATH`\n";
    let output = site.create_files().args(["--verbose"]).succeed();
    output.assert_reports(reason);
    site.create_files().succeed().assert_lacks(reason);
}

#[test]
fn messages_of_nix_are_bounded_and_show_no_token() {
    let site = Site::without_server("web01");
    let nix = Nix::new("web01");
    let token = "hvs.CAESIJlU9JMYEhQXYv4igdhm9QzZDrabYTobQ4Ymnlq1qY";
    let (before, after) = ("  1 | x\n".repeat(5_000), "  2 | y\n".repeat(50));
    let error = format!("{before}error: cannot coerce '{token}'\n{after}");
    nix.answer("", &error, 1);
    let output = nix.on_path(site.create_files()).run().assert_status(1);
    let stderr = &output.stderr;
    let shown = "    error: cannot coerce '<hidden>'\n";
    assert!(
        stderr.contains(shown) && !stderr.contains(token),
        "{output}"
    );
    assert!(stderr.lines().count() < 30, "{output}");
}
