//! The file into which cloud-init writes the token.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    time::Duration,
};

use secrecy::ExposeSecret;
use serde_json::json;
use zts_openbao::{AppRoleCredentials, Authentication, Client, Settings, approle, wrapping};
use zts_testkit::{Fault, Proxy, ReadOnlyDir, Running, Server, is_root, set_mode};

use crate::host::NewHost;

#[test]
fn the_line_is_removed_and_all_others_keep_every_byte() {
    zts_testkit::require_bao!();
    let cases: [(&[u8], &[u8]); 11] = [
        (b"VAULT_WRAPPED_TOKEN=@token@\n", b""),
        (b"VAULT_WRAPPED_TOKEN=@token@", b""),
        (b"A=1\nVAULT_WRAPPED_TOKEN=@token@\nB=2\n", b"A=1\nB=2\n"),
        (b"A=1\r\nVAULT_WRAPPED_TOKEN=@token@\r\nB=2\r\n", b"A=1\r\nB=2\r\n"),
        (b"A=1\nVAULT_WRAPPED_TOKEN=\"@token@\"\nB=\"x y\"", b"A=1\nB=\"x y\""),
        (b"export A=1\nexport VAULT_WRAPPED_TOKEN='@token@'\n", b"export A=1\n"),
        (b"export\tVAULT_WRAPPED_TOKEN=@token@\n", b""),
        (b"  VAULT_WRAPPED_TOKEN = @token@  \n\n\n# end\n", b"\n\n# end\n"),
        (b"VAULT_WRAPPED_TOKEN=old\nA=1\nVAULT_WRAPPED_TOKEN=@token@\n", b"A=1\n"),
        (
            b"# VAULT_WRAPPED_TOKEN=x\nMY_VAULT_WRAPPED_TOKEN=x\nVAULT_WRAPPED_TOKEN_2=x\nVAULT_WRAPPED_TOKEN=@token@\n",
            b"# VAULT_WRAPPED_TOKEN=x\nMY_VAULT_WRAPPED_TOKEN=x\nVAULT_WRAPPED_TOKEN_2=x\n",
        ),
        (b"A=\xff\xfe\0\nVAULT_WRAPPED_TOKEN=@token@\nB=\xc3\xbc", b"A=\xff\xfe\0\nB=\xc3\xbc"),
    ];
    let host = NewHost::new("environment");
    for (before, after) in cases {
        let token = host
            .server
            .wrap_credentials(&host.credentials, crate::host::LONG);
        let place = before
            .windows(7)
            .rposition(|part| part == b"@token@")
            .unwrap();
        let text = [&before[..place], token.as_bytes(), &before[place + 7..]].concat();
        fs::write(host.environment(), text).unwrap();
        let shown = String::from_utf8_lossy(before);
        host.without_token().succeed_silently();
        host.assert_has_its_credentials();
        let found = fs::read(host.environment()).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(after),
            "{shown}"
        );
        fs::remove_dir_all(host.approle()).unwrap();
    }
}

/// The file as people write it: with OpenBao's own names, and with comments after the values.
#[test]
fn variables_of_openbao_and_comments_are_parsed() {
    zts_testkit::require_bao!();
    let host = NewHost::new("bao-names");
    let address = host.server.address();
    for (prefix, comment) in [
        ("BAO", " # of the first boot"),
        ("VAULT", "\t# one use"),
        ("BAO", ""),
    ] {
        let token = host
            .server
            .wrap_credentials(&host.credentials, crate::host::LONG);
        fs::write(
            host.environment(),
            format!("{prefix}_ADDR={address}{comment}\n{prefix}_WRAPPED_TOKEN=\"{token}\"{comment}\nA=1\n"),
        )
        .unwrap();
        host.without_token().address("").succeed_silently();
        host.assert_has_its_credentials();
        let left = fs::read_to_string(host.environment()).unwrap();
        assert_eq!(left, format!("{prefix}_ADDR={address}{comment}\nA=1\n"));
        fs::remove_dir_all(host.approle()).unwrap();
    }
}

/// Returns a client of root in a namespace, which is created with AppRole and the role `name`.
fn create_namespace(server: &Server, namespace: &str, name: &str) -> Client {
    server.create_namespace(namespace);
    let approle = json!({ "type": "approle" });
    server.write(&format!("{namespace}/sys/auth/approle"), &approle);
    let role = json!({ "token_type": "batch" });
    server.write(&format!("{namespace}/auth/approle/role/{name}"), &role);
    let address = server.address().parse().expect("the address is valid");
    let mut settings = Settings::new(vec![address]);
    settings.namespace = Some(namespace.to_owned());
    let mut client = Client::new(settings).expect("the settings are valid");
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}

#[test]
fn the_namespace_beside_the_address_is_used() {
    zts_testkit::require_bao!();
    let host = NewHost::new("namespaced");
    let client = create_namespace(&host.server, "unwrap-namespace", "namespaced");
    let role_id = approle::role_id(&client, "approle", "namespaced").unwrap();
    let metadata = [("host", "namespaced")].into();
    let issued = approle::issue_secret_id(&client, "approle", "namespaced", &metadata).unwrap();
    let credentials = AppRoleCredentials {
        role_id,
        secret_id: issued.secret_id,
    };
    let payload = json!({
        "role_id": credentials.role_id.expose_secret(),
        "secret_id": credentials.secret_id.expose_secret(),
    });
    let token = wrapping::wrap(&client, &payload, crate::host::LONG).unwrap();
    let address = host.server.address();
    let lines = format!("VAULT_ADDR={address}\nVAULT_NAMESPACE=unwrap-namespace\n");
    let token = token.token.expose_secret();
    let text = format!("{lines}VAULT_WRAPPED_TOKEN={token}\n");
    fs::write(host.environment(), text).unwrap();
    host.without_token().address("").succeed_silently();
    let (role_id, secret_id) = host.stored().expect("credentials");
    assert_eq!(role_id, credentials.role_id.expose_secret());
    assert_eq!(secret_id, credentials.secret_id.expose_secret());
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), lines);
    assert!(approle::login(&client, "approle", &credentials).is_ok());
    assert!(!host.can_log_in(), "the root namespace has no such role");
    // a second start logs in there before it trades
    let again = wrapping::wrap(&client, &payload, crate::host::LONG).unwrap();
    let again = again.token.expose_secret().to_owned();
    let text = format!("{lines}VAULT_WRAPPED_TOKEN={again}\n");
    fs::write(host.environment(), text).unwrap();
    let output = host.without_token().address("").run();
    output.assert_reports("this host has working credentials");
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), lines);
    // the trade itself needs no namespace
    fs::remove_dir_all(host.approle()).unwrap();
    let third = wrapping::wrap(&client, &payload, crate::host::LONG).unwrap();
    let token = third.token.expose_secret();
    let text = format!("VAULT_ADDR={address}\nVAULT_WRAPPED_TOKEN={token}\n");
    fs::write(host.environment(), text).unwrap();
    host.without_token().address("").succeed_silently();
    assert!(host.stored().is_some());
}

#[test]
fn mode_and_owner_are_kept() {
    zts_testkit::require_bao!();
    let host = NewHost::new("kept-mode");
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    set_mode(&host.environment(), 0o604);
    if is_root() {
        std::os::unix::fs::chown(host.environment(), Some(1234), Some(2345)).unwrap();
    }
    host.without_token().succeed_silently();
    let data = fs::metadata(host.environment()).unwrap();
    assert_eq!(data.mode() & 0o7777, 0o604);
    if is_root() {
        assert_eq!((data.uid(), data.gid()), (1234, 2345));
    }
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), "A=1\n");
}

#[test]
fn a_link_stays_a_link() {
    zts_testkit::require_bao!();
    let host = NewHost::new("link");
    host.write_environment("VAULT_WRAPPED_TOKEN=@token@\nA=1\n");
    fs::create_dir(host.path("elsewhere")).unwrap();
    fs::rename(host.environment(), host.path("elsewhere/real")).unwrap();
    symlink("elsewhere/real", host.environment()).unwrap();
    host.without_token().succeed_silently();
    assert!(host.environment().is_symlink());
    assert_eq!(
        fs::read_to_string(host.path("elsewhere/real")).unwrap(),
        "A=1\n"
    );
}

#[test]
fn a_file_that_cannot_be_changed_is_a_warning() {
    zts_testkit::require_bao!();
    let host = NewHost::new("fixed");
    let place = ReadOnlyDir::new(|place| {
        let line = format!("VAULT_WRAPPED_TOKEN={}\n", host.token);
        fs::write(place.join("environment"), line).unwrap();
    });
    let file = place.path().join("environment");
    symlink(&file, host.environment()).unwrap();
    let output = host.without_token().succeed();
    let expected = "warning: the credentials are stored, but the used token stays in the file";
    assert!(output.stderr.starts_with(expected), "{output}");
    host.assert_has_its_credentials();
}

/// Starts a run that uses the token in the environment file when this returns.
fn start_slow_unwrap(host: &NewHost) -> (Running, Proxy) {
    let proxy = Proxy::to(&host.server.address());
    proxy.on("unwrap", Fault::Delay(Duration::from_millis(200)));
    let running = host.without_token().through(&proxy).start();
    zts_testkit::wait_for("the token is being used", || {
        let mut requests = proxy.requests().into_iter();
        requests.find(|hit| hit.path.ends_with("unwrap"))
    });
    (running, proxy)
}

#[test]
fn a_line_that_is_added_meanwhile_is_not_lost() {
    zts_testkit::require_bao!();
    let host = NewHost::new("meanwhile");
    host.write_environment("VAULT_WRAPPED_TOKEN=@token@\n");
    let (running, _proxy) = start_slow_unwrap(&host);
    host.write_environment("VAULT_WRAPPED_TOKEN=@token@\nADDED=meanwhile\n");
    running.finish().assert_success();
    assert_eq!(
        fs::read_to_string(host.environment()).unwrap(),
        "ADDED=meanwhile\n"
    );
}

#[test]
fn another_token_that_is_added_meanwhile_stays_for_the_next_start() {
    zts_testkit::require_bao!();
    let host = NewHost::new("next-token");
    host.write_environment("VAULT_WRAPPED_TOKEN=@token@\n");
    let (running, _proxy) = start_slow_unwrap(&host);
    host.write_environment("VAULT_WRAPPED_TOKEN=a-new-one\n");
    running.finish().assert_success();
    let text = fs::read_to_string(host.environment()).unwrap();
    assert_eq!(text, "VAULT_WRAPPED_TOKEN=a-new-one\n");
}

#[test]
fn a_token_from_another_source_leaves_the_file_unchanged() {
    zts_testkit::require_bao!();
    let host = NewHost::new("two-tokens");
    host.write_environment("VAULT_WRAPPED_TOKEN=another\n");
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
    let text = fs::read_to_string(host.environment()).unwrap();
    assert_eq!(text, "VAULT_WRAPPED_TOKEN=another\n");
}

#[test]
fn a_failure_leaves_the_file_unchanged() {
    zts_testkit::require_bao!();
    let host = NewHost::new("failed");
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    let before = fs::metadata(host.environment()).unwrap();
    let refused = zts_testkit::closed_port();
    host.without_token()
        .address(refused.address())
        .deadline("0s")
        .run()
        .assert_status(1);
    let after = fs::metadata(host.environment()).unwrap();
    assert_eq!(
        (after.ino(), after.mtime_nsec()),
        (before.ino(), before.mtime_nsec())
    );
}

#[test]
fn the_access_control_list_is_kept() {
    zts_testkit::require_bao!();
    let host = NewHost::new("listed");
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    let file = fs::File::open(host.environment()).unwrap();
    if !zts_testkit::grant_by_acl(&file, zts_testkit::AclKind::Access) {
        zts_testkit::skip!("a file system without access control lists");
    }
    let before = zts_testkit::read_acl(&file);
    host.without_token().succeed_silently();
    let after = zts_testkit::read_acl(fs::File::open(host.environment()).unwrap());
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), "A=1\n");
    assert!(before.is_some());
    assert_eq!(after, before);
}

#[test]
fn the_draft_of_a_killed_run_is_removed() {
    zts_testkit::require_bao!();
    let host = NewHost::new("swept");
    let draft = host.path(".environment.vault-unwrap");
    host.unwrap().succeed_silently();
    fs::write(&draft, "A=1\n").unwrap();
    host.write_environment("A=1\n");
    host.without_token().succeed_silently();
    assert!(!draft.exists());
    fs::write(&draft, "A=1\n").unwrap();
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    host.without_token().succeed_silently();
    assert!(!draft.exists());
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), "A=1\n");
}

/// systemd passes the line of `/etc/environment` with the comment.
#[test]
fn a_comment_after_the_token_in_a_variable_is_ignored() {
    zts_testkit::require_bao!();
    let host = NewHost::new("comment");
    let text = format!("{} # from cloud-init", host.token);
    host.without_token()
        .env("BAO_WRAPPED_TOKEN", text)
        .succeed_silently();
    host.assert_has_its_credentials();
}
