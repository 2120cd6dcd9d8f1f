//! `vault-certs` through the binary. Replacements under load are a scenario: `cluster-authorities`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use testkit::{Output, Run, ScratchDir};

/// 90 days.
const PERIOD: u64 = 7_776_000;
/// The middle of a period.
const NOW: u64 = PERIOD * 230 + PERIOD / 2;
const DAY: u64 = 86_400;

struct Fleet {
    folder: ScratchDir,
}

impl Fleet {
    /// An authority file, and nothing made of it yet.
    fn new() -> Self {
        let fleet = Self {
            folder: testkit::scratch_dir(),
        };
        let file = fleet.path("authority");
        assert_eq!(
            run(&["authority", "--output", file.to_str().unwrap()]).code(),
            Some(0)
        );
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn renew(&self, node: &str, at: u64, more: &[&str]) -> Output {
        let (authority, directory) = (self.path("authority"), self.path(node));
        let at = at.to_string();
        let mut arguments = vec!["renew", "--cluster", "main", "--name", node, "--at", &at];
        arguments.extend(["--authority", authority.to_str().unwrap()]);
        arguments.extend(["--directory", directory.to_str().unwrap()]);
        arguments.extend(more);
        run(&arguments)
    }

    /// Whether OpenSSL takes a node's chain at this moment with that bundle.
    fn trusts(&self, bundle: &str, node: &str, at: u64) -> bool {
        let (bundle, chain) = (self.path(bundle), self.path(&format!("{node}/chain.pem")));
        let mut command = Command::new("openssl");
        command.args([
            "verify",
            "-partial_chain",
            "-attime",
            &at.to_string(),
            "-CAfile",
        ]);
        command
            .arg(bundle)
            .arg(chain)
            .output()
            .unwrap()
            .status
            .success()
    }
}

fn run(arguments: &[&str]) -> Output {
    Run::new(env!("CARGO_BIN_EXE_vault-certs"))
        .args(arguments)
        .run()
}

#[track_caller]
fn said(output: &Output, word: &str) {
    assert_eq!(
        (output.code(), output.stdout.trim()),
        (Some(0), word),
        "{output}"
    );
}

#[test]
fn nodes_that_never_spoke_have_the_same_cas_byte_for_byte() {
    let fleet = Fleet::new();
    said(&fleet.renew("a", NOW, &[]), "changed");
    said(&fleet.renew("b", NOW + DAY, &[]), "changed");
    assert_eq!(fleet.text("a/ca.pem"), fleet.text("b/ca.pem"));
    assert_ne!(fleet.text("a/key.pem"), fleet.text("b/key.pem"));
    let links = |node: &str| {
        fleet
            .text(&format!("{node}/chain.pem"))
            .split_once("-----END")
            .unwrap()
            .1
            .split_once("-----BEGIN")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(links("a"), links("b"));
    let mode = |name: &str| fs::metadata(fleet.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a/key.pem"), mode("authority")), (0o640, 0o600));
}

#[test]
fn what_is_due_is_replaced_and_nothing_else() {
    let fleet = Fleet::new();
    said(&fleet.renew("a", NOW, &[]), "changed");
    said(&fleet.renew("a", NOW, &[]), "unchanged");
    said(&fleet.renew("a", NOW + 9 * DAY, &[]), "unchanged");
    let other_names = fleet.renew("a", NOW + 9 * DAY, &["--address", "10.0.0.1"]);
    said(&other_names, "changed");
    said(
        &fleet.renew("a", NOW + 9 * DAY, &["--address", "10.0.0.1"]),
        "unchanged",
    );
    said(
        &fleet.renew("a", NOW + 20 * DAY, &["--address", "10.0.0.1"]),
        "changed",
    );
    // A clock that was a year ahead, and is right again.
    said(&fleet.renew("a", NOW + 365 * DAY, &[]), "changed");
    said(&fleet.renew("a", NOW, &[]), "changed");
    // What a crash between two files leaves, and a file that is damaged.
    let key = fleet.text("a/key.pem");
    said(&fleet.renew("b", NOW, &[]), "changed");
    fs::copy(fleet.path("b/key.pem"), fleet.path("a/key.pem")).unwrap();
    said(&fleet.renew("a", NOW, &[]), "changed");
    assert_ne!(fleet.text("a/key.pem"), key);
    for damage in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "x\0",
    ] {
        fs::write(fleet.path("a/chain.pem"), damage).unwrap();
        said(&fleet.renew("a", NOW, &[]), "changed");
    }
    assert!(fleet.trusts("a/ca.pem", "a", NOW));
}

#[test]
fn a_bundle_that_is_a_whole_period_old_is_good_and_an_older_one_is_not() {
    let fleet = Fleet::new();
    said(&fleet.renew("client", NOW, &[]), "changed");
    for days in [1, 44, 46, 89, 90] {
        let at = NOW + days * DAY;
        fleet.renew("node", at, &[]);
        assert!(
            fleet.trusts("client/ca.pem", "node", at),
            "after {days} days"
        );
    }
    fleet.renew("node", NOW + 4 * PERIOD, &[]);
    assert!(!fleet.trusts("client/ca.pem", "node", NOW + 4 * PERIOD));
}

#[test]
fn another_authority_takes_over_by_a_line_first_second_and_gone() {
    let fleet = Fleet::new();
    let old = fleet.text("authority");
    let new = run(&["authority", "--period", "30days"]).stdout;
    fleet.renew("before", NOW, &[]);
    let lines = |text: String| fs::write(fleet.path("authority"), text).unwrap();
    lines(format!("# the second is trusted only\n{old}{new}"));
    fleet.renew("both", NOW, &[]);
    lines(format!("{new}{old}"));
    fleet.renew("swapped", NOW, &[]);
    assert!(fleet.trusts("both/ca.pem", "swapped", NOW));
    assert!(!fleet.trusts("before/ca.pem", "swapped", NOW));
    lines(new);
    fleet.renew("after", NOW, &[]);
    assert!(fleet.trusts("swapped/ca.pem", "after", NOW));
}

#[test]
fn authority_files_that_are_none() {
    let fleet = Fleet::new();
    let file = fleet.path("authority");
    let again = run(&["authority", "--output", file.to_str().unwrap()]);
    assert_eq!(again.code(), Some(1), "{again}");
    let good = fleet.text("authority");
    for (text, what) in [
        (String::new(), "is empty"),
        ("# nothing\n".to_owned(), "is empty"),
        (good.replace("-1:", "-2:"), "secret 1 is none"),
        (good[..good.len() - 8].to_owned(), "secret 1 is none"),
        (
            format!("{good}vault-certs-authority-1:0:AAAA"),
            "secret 2 is none",
        ),
    ] {
        fs::write(&file, &text).unwrap();
        let output = fleet.renew("a", NOW, &[]);
        assert_eq!(output.code(), Some(2), "{output}");
        assert!(output.stderr.contains(what), "{output}");
        assert!(!fleet.path("a/key.pem").exists());
    }
    fs::write(&file, &good).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = fleet.renew("a", NOW, &[]);
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("mode 644"), "{output}");
    fs::remove_file(&file).unwrap();
    assert_eq!(fleet.renew("a", NOW, &[]).code(), Some(2));
    said(
        &fleet.renew("a", NOW, &["--create-authority", "90days"]),
        "changed",
    );
}

#[test]
fn a_client_begins_with_a_ca_and_loses_none_when_nobody_answers() {
    let fleet = Fleet::new();
    fleet.renew("a", NOW, &[]);
    let (ca, output) = (fleet.path("a/ca.pem"), fleet.path("bundle.pem"));
    let (ca, output) = (ca.to_str().unwrap(), output.to_str().unwrap());
    let nobody = testkit::refused_address();
    let address = nobody.address().replace("http:", "https:");
    let none = run(&["fetch", "--address", &address, "--output", output]);
    assert_eq!(none.code(), Some(2), "{none}");
    let refused = run(&[
        "fetch",
        "--address",
        &address,
        "--output",
        output,
        "--initial",
        ca,
    ]);
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(!fleet.path("bundle.pem").exists());
    fs::copy(ca, output).unwrap();
    let kept = run(&["fetch", "--address", &address, "--output", output]);
    assert_eq!(kept.code(), Some(1), "{kept}");
    assert_eq!(fleet.text("bundle.pem"), fleet.text("a/ca.pem"));
}

#[test]
fn manifests_for_kubernetes() {
    let fleet = Fleet::new();
    fleet.renew("a", NOW, &[]);
    let ca = fleet.path("a/ca.pem");
    let arguments = ["kubernetes", "--ca", ca.to_str().unwrap(), "--namespace"];
    let output = run(&[&arguments[..], &["web", "--namespace", "default"]].concat());
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(output.stdout.matches("name: vault-tls").count(), 2);
    let lines = output.stdout.lines();
    let held: Vec<_> = lines.filter_map(|line| line.strip_prefix("    ")).collect();
    let held = held.join("\n");
    assert!(held.contains(fleet.text("a/ca.pem").trim_end()), "{output}");
    for name in ["", "Web", "a\nb", "-a", "a_b"] {
        assert_eq!(
            run(&[&arguments[..], &[name]].concat()).code(),
            Some(2),
            "{name}"
        );
    }
}
