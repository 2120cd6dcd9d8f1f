//! Where the operator's token goes, and where not.

use std::fs;

use testkit::{Fleet, Proxy, Run, Trouble, shared_server};

use crate::site::{IP, Site};

/// A checkout whose `fleet.toml` names `address`, and an operator who has logged in somewhere.
struct Checkout {
    fleet: Fleet,
    home: testkit::ScratchDir,
}

impl Checkout {
    fn naming(address: &str) -> Self {
        let fleet = Fleet::scratch();
        let toml = fleet.text("fleet.toml");
        let own = toml
            .lines()
            .find(|line| line.starts_with("address"))
            .expect("the fleet names an address");
        fleet.write(
            "fleet.toml",
            &toml.replace(own, &format!("address = \"{address}\"")),
        );
        let home = testkit::scratch_dir();
        fs::write(home.join(".vault-token"), shared_server().root_token()).unwrap();
        Self { fleet, home }
    }

    fn run(&self, host: &str, more: &[&str]) -> Run {
        Run::new(env!("CARGO_BIN_EXE_create-host"))
            .folder(self.fleet.path())
            .env("HOME", &*self.home)
            .args(["--hostname", host, "--ip", IP, "--apply", "api"])
            .args(more)
    }
}

#[test]
fn a_saved_token_does_not_go_where_only_a_checkout_says() {
    testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let checkout = Checkout::naming(&proxy.address());
    for more in [&[][..], &["--force"]] {
        let output = checkout.run("stray", more).run();
        assert_eq!(output.code(), Some(2), "{output}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(testkit::steady(&output.stderr), @"
            error: the token that `bao login` saved is not sent to `http://127.0.0.1:[port]`, which nobody but `fleet.toml` names; nothing was changed

            hint: if that is your OpenBao: `export BAO_ADDR=http://127.0.0.1:[port]`
            ");
        }
    }
    let dry = checkout.run("stray", &["--dry-run"]).run();
    let told = "warning: OpenBao was not asked: the token that `bao login` saved is not sent to";
    assert!(dry.stderr.contains(told), "{dry}");
    let remove = Run::new(env!("CARGO_BIN_EXE_create-host"))
        .folder(checkout.fleet.path())
        .env("HOME", &*checkout.home)
        .args(["--hostname", "stray", "--remove", "--apply", "api"])
        .run();
    assert_eq!(remove.code(), Some(2), "{remove}");
    assert_eq!(proxy.connections(), 0, "nothing was sent at all");
}

#[test]
fn a_saved_token_goes_where_the_person_says() {
    testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let checkout = Checkout::naming("https://bao.example.org:8200");
    let address = proxy.address();
    let dry = checkout.run("named-one", &["--dry-run"]);
    let output = dry.env("BAO_ADDR", &address).run();
    assert_eq!(output.code(), Some(0), "{output}");
    let output = checkout
        .run("named-two", &["--dry-run", "--address", &address])
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(!proxy.requests().is_empty());
}

/// A token that was given to this very command goes to the fleet's own address.
#[test]
fn a_given_token_goes_where_the_fleet_says() {
    testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let checkout = Checkout::naming(&proxy.address());
    let run = checkout.run("given", &["--dry-run"]);
    let output = run.env("BAO_TOKEN", shared_server().root_token()).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(!proxy.requests().is_empty());
}

/// `192.0.2.1` is nobody's: where it was asked, that would take a while.
#[test]
fn no_token_goes_unencrypted_to_another_machine() {
    let token = "s.only-for-this-test-0123456789";
    let checkout = Checkout::naming("http://192.0.2.1:8200");
    let output = checkout.run("open", &[]).env("BAO_TOKEN", token).run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(
        output.stderr.contains("could be read on the way"),
        "{output}"
    );
    assert!(
        output.stderr.contains("`--address http://192.0.2.1:8200`"),
        "{output}"
    );
    let named = checkout
        .run("open", &[])
        .env("BAO_ADDR", "http://192.0.2.1:8200");
    let output = named.run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(
        output
            .stderr
            .contains("the token that `bao login` saved is not sent to"),
        "{output}"
    );
}

#[test]
fn a_server_whose_inline_authentication_has_holes_is_told_once() {
    testkit::require_bao!();
    let site = Site::new("old-server");
    let proxy = Proxy::to(&site.server().address());
    proxy.on(
        "sys/seal-status",
        Trouble::Body(
            r#"{"type":"shamir","sealed":false,"initialized":true,"t":1,"progress":0,"version":"2.5.3"}"#
                .to_owned(),
        ),
    );
    let output = site
        .create()
        .args(["--dry-run", "--address", &proxy.address()])
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    let told = output.stderr.matches("is version 2.5.3").count();
    assert_eq!(told, 1, "{output}");
    let output = site.create().args(["--dry-run"]).run();
    assert!(!output.stderr.contains("inline authentication"), "{output}");
}

#[test]
fn an_error_that_repeats_the_request_shows_no_token() {
    testkit::require_bao!();
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
        proxy.on(path, Trouble::Echo(400));
        let output = site.create().args(["--address", &proxy.address()]).run();
        assert_ne!(output.code(), Some(0), "{path}: {output}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(testkit::shown_of(&token, &said), None, "{path}: {said}");
    }
}
