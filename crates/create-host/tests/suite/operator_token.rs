//! The addresses to which the operator's token is sent.

use std::fs;

use zts_testkit::{Fault, Fleet, Proxy, Run, RunOutput, shared_server};

use crate::site::{IP, Site};

/// A checkout with an address in its `fleet.toml`, and the home of an operator with a saved token.
struct Checkout {
    fleet: Fleet,
    home: zts_testkit::ScratchDir,
}

impl Checkout {
    fn naming(address: &str) -> Self {
        let fleet = Fleet::copy_example();
        let toml = fleet.read("fleet.toml");
        let own = toml
            .lines()
            .find(|line| line.starts_with("address"))
            .expect("the fleet names an address");
        fleet.write(
            "fleet.toml",
            toml.replace(own, &format!("address = \"{address}\"")),
        );
        let home = zts_testkit::scratch_dir();
        fs::write(home.join(".vault-token"), shared_server().root_token()).unwrap();
        Self { fleet, home }
    }

    fn run(&self, host: &str, more: &[&str]) -> Run {
        Run::new(env!("CARGO_BIN_EXE_create-host"))
            .current_dir(self.fleet.path())
            .env("HOME", &*self.home)
            .args(["--hostname", host, "--ip", IP, "--apply", "api"])
            .args(more)
    }
}

#[test]
fn a_saved_token_is_not_sent_to_an_address_from_a_checkout() {
    zts_testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let checkout = Checkout::naming(&proxy.address());
    for more in [&[][..], &["--force"]] {
        let output = checkout.run("stray", more).run().assert_status(2);
        insta::allow_duplicates! {
            insta::assert_snapshot!(zts_testkit::normalize_output(&output.stderr), @"
            error: the token that `bao login` saved is not sent to `http://127.0.0.1:[port]`, which nobody but `fleet.toml` names; nothing was changed

            hint: if that is your OpenBao: `export BAO_ADDR=http://127.0.0.1:[port]`
            ");
        }
    }
    let dry = checkout.run("stray", &["--dry-run"]).run();
    let warning =
        "warning: OpenBao was not checked: the token that `bao login` saved is not sent to";
    dry.assert_reports(warning);
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(checkout.fleet.path())
        .env("HOME", &*checkout.home)
        .args(["--hostname", "stray", "--remove", "--apply", "api"])
        .run()
        .assert_status(2);
    assert_eq!(proxy.connections(), 0, "nothing was sent at all");
}

/// Runs a dry run at a terminal, at which `typed` is typed. Returns its output, which `script` has
/// on stdout, and whether anything was sent.
fn at_terminal(more: &[&str], typed: &str) -> (RunOutput, bool) {
    let server = shared_server();
    let proxy = Proxy::to(&server.address());
    let checkout = Checkout::naming(&proxy.address());
    let program = env!("CARGO_BIN_EXE_create-host");
    let more = more.join(" ");
    let command = format!("{program} --hostname asked --ip {IP} --apply api --dry-run {more}");
    let output = Run::new(zts_testkit::find_program("script").unwrap())
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(checkout.fleet.path())
        .env("HOME", &*checkout.home)
        .env("TERM", "dumb")
        .stdin(typed)
        .run();
    (output, proxy.connections() > 0)
}

#[test]
fn a_person_at_a_terminal_is_asked_for_a_saved_token() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("script");
    let question = "Type `yes` to send it the token that `bao login` saved:";
    let (output, is_sent) = at_terminal(&[], "yes\n");
    assert!(output.stdout.contains(question) && is_sent, "{output}");
    output.assert_lacks("was not checked");
    for typed in ["\n", "y\n", "no\n", "\u{4}"] {
        let (output, is_sent) = at_terminal(&[], typed);
        assert!(output.stdout.contains(question) && !is_sent, "{output}");
        output.assert_prints("is not sent to");
    }
}

/// A program that reads the result, or stderr, shows no question.
#[test]
fn a_program_is_not_asked_for_a_saved_token() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("script");
    for more in ["--json", "2>&1 | cat", "</dev/null"] {
        let (output, is_sent) = at_terminal(&[more], "yes\n");
        assert!(!output.stdout.contains("Type `yes`"), "{more}: {output}");
        assert!(output.stdout.contains("is not sent to"), "{more}: {output}");
        assert!(!is_sent, "{more}");
    }
}

#[test]
fn a_saved_token_is_sent_to_a_given_address() {
    zts_testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let checkout = Checkout::naming("https://bao.example.org:8200");
    let address = proxy.address();
    let dry = checkout.run("named-one", &["--dry-run"]);
    dry.env("BAO_ADDR", &address).succeed();
    checkout
        .run("named-two", &["--dry-run", "--address", &address])
        .succeed();
    assert!(!proxy.requests().is_empty());
}

/// A token given to the command is sent to the address in `fleet.toml`.
#[test]
fn a_given_token_is_sent_to_the_address_of_the_fleet() {
    zts_testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let checkout = Checkout::naming(&proxy.address());
    let run = checkout.run("given", &["--dry-run"]);
    run.env("BAO_TOKEN", shared_server().root_token()).succeed();
    assert!(!proxy.requests().is_empty());
}

/// No machine has the address `192.0.2.1`: a connection attempt would take long.
#[test]
fn no_token_is_sent_unencrypted_to_another_machine() {
    let token = "s.only-for-this-test-0123456789";
    let checkout = Checkout::naming("http://192.0.2.1:8200");
    let output = checkout
        .run("open", &[])
        .env("BAO_TOKEN", token)
        .fail(2, "could be read on the way");
    output.assert_reports("`--address http://192.0.2.1:8200`");
    let named = checkout
        .run("open", &[])
        .env("BAO_ADDR", "http://192.0.2.1:8200");
    named.fail(2, "the token that `bao login` saved is not sent to");
}

#[test]
fn a_vulnerable_server_is_reported_once() {
    zts_testkit::require_bao!();
    let site = Site::new("old-server");
    let proxy = Proxy::to(&site.server().address());
    proxy.on(
        "sys/seal-status",
        Fault::Body(
            r#"{"type":"shamir","sealed":false,"initialized":true,"t":1,"progress":0,"version":"2.5.3"}"#
                .to_owned(),
        ),
    );
    let output = site
        .create()
        .args(["--dry-run", "--address", &proxy.address()])
        .succeed();
    let count = output.stderr.matches("is version 2.5.3").count();
    assert_eq!(count, 1, "{output}");
    let output = site.create().args(["--dry-run"]).run();
    output.assert_lacks("inline authentication");
}

#[test]
fn a_token_repeated_in_an_error_is_redacted() {
    zts_testkit::require_bao!();
    let site = Site::new("echoed");
    let token = site.server().root_token().to_owned();
    for path in [
        "lookup-self",
        "capabilities-self",
        "role/echoed",
        "/secret-id",
        "wrapping/wrap",
    ] {
        let proxy = Proxy::to(&site.server().address());
        proxy.on(path, Fault::Echo(400));
        let output = site.create().args(["--address", &proxy.address()]).run();
        assert_ne!(output.code(), Some(0), "{path}: {output}");
        let shown = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(
            zts_testkit::find_leak(&token, &shown),
            None,
            "{path}: {shown}"
        );
    }
}

/// The server repeats the body of the request, which contains the secret id to wrap.
#[test]
fn a_secret_id_repeated_in_an_error_is_redacted() {
    zts_testkit::require_bao!();
    let site = Site::new("echoed-body");
    let proxy = Proxy::to(&site.server().address());
    proxy.on("wrapping/wrap", Fault::EchoBody(400));
    let output = site
        .create()
        .args(["--address", &proxy.address()])
        .fail(1, "[redacted]");
    for shown in ["secret_id", "c2VjcmV0X2lk", "7365637265745f6964"] {
        let behind = output.stderr.split(shown).nth(1).unwrap_or_default();
        let behind: String = behind.chars().take(12).collect();
        assert!(!behind.contains('-'), "part of an id is shown: {output}");
    }
}

/// Messages show commands to paste, with parts from a checkout or from a server's response.
#[test]
fn commands_in_messages_are_safe_to_paste() {
    zts_testkit::require_bao!();
    for address in [
        "https://$(id)",
        "https://bao.example;id",
        "http://127.0.0.1:$(id)",
    ] {
        let output = Checkout::naming(address)
            .run("pasted", &[])
            .run()
            .assert_status(2);
        output.assert_reports("is not the address of an OpenBao server");
        output.assert_lacks("BAO_ADDR=");
    }
    let site = Site::new("pasted");
    let proxy = Proxy::to(&site.server().address());
    let issued = r#"{"data":{"secret_id":"x","secret_id_accessor":"$(id)"}}"#;
    proxy
        .on(
            "POST /v1/auth/approle/role/pasted/secret-id",
            Fault::Body(issued.to_owned()),
        )
        .on("wrapping/wrap", Fault::EchoBody(400))
        .on("secret-id-accessor/destroy", Fault::EchoBody(400));
    site.create()
        .args(["--address", &proxy.address()])
        .fail(1, "secret_id_accessor='$(id)'");
}
