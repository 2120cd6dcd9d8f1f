//! Credentials that are there already.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;
use testkit::{HostCredentials, Proxy, Server};

use crate::host::{NewHost, entries};

fn pair(role_id: &str, secret_id: &str) -> HostCredentials {
    HostCredentials {
        role_id: role_id.to_owned(),
        secret_id: secret_id.to_owned(),
        accessor: String::new(),
    }
}

/// Notes that the host used `token`.
fn note_tried(host: &NewHost, token: &str) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let fingerprint = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let noted = host.approle().join("tried-token");
    fs::write(noted, BASE64_STANDARD.encode(fingerprint)).unwrap();
}

/// A host that was set up before and is given a new token all the same.
fn set_up(name: &str) -> NewHost {
    let host = NewHost::new(name);
    let credentials = host.credentials.clone();
    host.with_credentials(&credentials)
}

#[test]
fn without_a_token_there_is_nothing_to_do_and_nobody_is_asked() {
    testkit::require_bao!();
    let host = set_up("nothing-to-do");
    let proxy = Proxy::to(&host.server.address());
    host.without_token().through(&proxy).succeed();
    host.without_token().address("").succeed();
    assert_eq!(proxy.connections(), 0);
    host.assert_has_its_credentials();
}

#[test]
fn credentials_that_work_stay_and_the_token_is_not_used() {
    testkit::require_bao!();
    let host = set_up("keep");
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    note_tried(&host, &host.token); // as by a run that could not take it out of the file
    host.without_token().succeed();
    host.assert_has_its_credentials();
    assert!(host.token_is_unused());
    assert_eq!(
        fs::read_to_string(host.environment()).unwrap(),
        "A=1\n",
        "it is not needed"
    );
}

#[test]
fn credentials_that_are_refused_are_replaced() {
    testkit::require_bao!();
    let host = NewHost::new("replace").with_credentials(&pair("old-role", "old-secret"));
    insta::assert_snapshot!(host.unwrap().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    the credentials of this host are refused; the wrapping token is going to replace them
    ");
    host.assert_has_its_credentials();
}

#[test]
fn credentials_that_are_refused_stay_when_the_token_gives_nothing() {
    testkit::require_bao!();
    let host = NewHost::new("stay").with_credentials(&pair("old-role", "old-secret"));
    insta::assert_snapshot!(host.with_token("s.w2EcqJLUZWb6HNYTeK0NorZq").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    the credentials of this host are refused; the wrapping token is going to replace them
    error: OpenBao does not know the wrapping token (any more): it has expired, or it was used; this host never used it, so if it is younger than its lifetime, somebody else did and has this host's credentials

    hint: `create-host --force` now: it destroys the credentials that were taken and issues new ones; then look for `sys/wrapping/unwrap` in OpenBao's audit log
    ");
    let (role_id, secret_id) = host.stored().unwrap();
    assert_eq!(
        (role_id.as_str(), secret_id.as_str()),
        ("old-role", "old-secret")
    );
}

#[test]
fn with_openbao_down_credentials_and_token_stay() {
    testkit::require_bao!();
    let host = set_up("down");
    host.write_environment("VAULT_WRAPPED_TOKEN=@token@\n");
    let refused = testkit::refused_address();
    host.without_token().address(refused.address()).succeed();
    host.assert_has_its_credentials();
    assert!(host.token_is_unused());
    let text = fs::read_to_string(host.environment()).unwrap();
    assert!(text.contains(&host.token), "for the next start");
}

#[test]
fn half_a_pair_is_none() {
    testkit::require_bao!();
    for missing in ["role-id", "secret-id"] {
        let host = NewHost::new(&format!("half-{missing}")).with_credentials(&pair("old", "old"));
        fs::remove_file(host.approle().join(missing)).unwrap();
        let output = host.without_token().run();
        assert_eq!(output.code(), Some(1), "{output}");
        host.unwrap().succeed();
        host.assert_has_its_credentials();
    }
}

#[test]
fn empty_credentials_are_none() {
    testkit::require_bao!();
    let host = NewHost::new("empty").with_credentials(&pair("old", " \n"));
    host.unwrap().succeed();
    host.assert_has_its_credentials();
}

#[test]
fn a_run_that_was_interrupted_half_way_is_finished_without_openbao() {
    testkit::require_bao!();
    let host = NewHost::new("interrupted");
    let HostCredentials {
        role_id, secret_id, ..
    } = &host.credentials;
    fs::create_dir(host.approle()).unwrap();
    let journal = json!({ "role_id": role_id, "secret_id": secret_id }).to_string();
    fs::write(host.approle().join("unwrapped.json"), journal).unwrap();
    fs::write(host.approle().join("role-id"), role_id).unwrap();
    host.without_token().address("").succeed();
    host.assert_has_its_credentials();
    assert_eq!(entries(&host.approle()), ["role-id", "secret-id"]);
}

#[test]
fn a_journal_that_is_garbage_is_none() {
    testkit::require_bao!();
    let host = NewHost::new("journal");
    fs::create_dir(host.approle()).unwrap();
    for garbage in ["", "{", "{}", r#"{"role_id":"x"}"#] {
        fs::write(host.approle().join("unwrapped.json"), garbage).unwrap();
        let output = host.without_token().run();
        assert_eq!(output.code(), Some(1), "{garbage}: {output}");
    }
    host.unwrap().succeed();
    host.assert_has_its_credentials();
}

#[test]
fn what_a_killed_run_left_in_the_folder_is_cleaned_up() {
    testkit::require_bao!();
    let host = NewHost::new("litter");
    fs::create_dir(host.approle()).unwrap();
    fs::write(host.approle().join(".secret-id.new"), "half a secret").unwrap();
    host.unwrap().succeed();
    let left = entries(&host.approle());
    assert_eq!(left, ["role-id", "secret-id", "tried-token"]);
}

#[test]
fn files_and_folder_that_were_too_open_are_closed() {
    testkit::require_bao!();
    let host = NewHost::new("too-open").with_credentials(&pair("old-role", "old-secret"));
    let open = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&host.approle(), 0o755);
    open(&host.approle().join("secret-id"), 0o644);
    assert_eq!(host.unwrap().run().code(), Some(0));
    assert_eq!(crate::host::mode(&host.approle()), "0700");
    assert_eq!(crate::host::mode(&host.approle().join("secret-id")), "0600");
}

/// Credentials that OpenBao refuses, and a token that cannot replace them: however often the unit starts.
#[test]
fn refused_credentials_never_lock_the_role() {
    testkit::require_bao!();
    let server = Server::dev();
    server.lock_out();
    let host = NewHost::on(server, "never-locked");
    let good = host.credentials.clone();
    let host = host.with_credentials(&pair(&good.role_id, "wrong"));
    for _ in 0..8 {
        let output = host.with_token("s.used").deadline("1s").run();
        assert_eq!(output.code(), Some(1), "{output}");
    }
    good.write_to(&host.approle());
    assert!(host.can_log_in());
}

/// The server says nothing of the credentials, and somebody gave the host a token.
#[test]
fn a_locked_role_does_not_keep_a_new_token_from_its_use() {
    testkit::require_bao!();
    let server = Server::dev();
    server.lock_out();
    let host = NewHost::on(server, "locked-role");
    let good = host.credentials.clone();
    let host = host.with_credentials(&pair(&good.role_id, "old"));
    host.server.lock_role(&good.role_id);
    let output = host.unwrap().run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stderr.contains("has locked this host's role"),
        "{output}"
    );
    assert_eq!(host.stored().unwrap().1, good.secret_id);
}

#[test]
fn a_clone_with_a_token_of_its_own_becomes_the_host_that_the_token_is_for() {
    testkit::require_bao!();
    let original = NewHost::new("original");
    let host = NewHost::new("clone").with_credentials(&original.credentials);
    note_tried(&host, &original.token);
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    insta::assert_snapshot!(host.without_token().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    this host has credentials that work, and a wrapping token that it never tried: the token is newer, and is traded
    ");
    host.assert_has_its_credentials();
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), "A=1\n");
    host.without_token().succeed(); // and nothing more on the next start
}

#[test]
fn a_clone_whose_token_gives_nothing_stays_and_says_so_at_each_start() {
    testkit::require_bao!();
    let host = set_up("clone-no-token");
    let used = "s.w2EcqJLUZWb6HNYTeK0NorZq";
    fs::write(host.environment(), format!("VAULT_WRAPPED_TOKEN={used}\n")).unwrap();
    for _ in 0..2 {
        let output = host.without_token().run();
        assert_eq!(output.code(), Some(0), "{output}");
        let said = "warning: the credentials of this host stay, and the wrapping token where it is: OpenBao does not know";
        assert!(output.stderr.contains(said), "{output}");
        assert!(output.stderr.contains("hint: "), "{output}");
        host.assert_has_its_credentials();
    }
    assert!(
        fs::read_to_string(host.environment())
            .unwrap()
            .contains(used)
    );
}

#[test]
fn working_credentials_are_not_replaced_by_some_that_are_refused() {
    testkit::require_bao!();
    let host = set_up("clone-refused");
    let worthless = pair(&host.credentials.role_id, "not-a-secret-id");
    let token = host.server.wrap_credentials(&worthless, crate::host::LONG);
    let output = host.with_token(&token).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stderr.contains("what it wrapped is refused"),
        "{output}"
    );
    host.assert_has_its_credentials();
    let left = entries(&host.approle());
    assert!(!left.iter().any(|name| name.contains(".new")), "{left:?}");
}
