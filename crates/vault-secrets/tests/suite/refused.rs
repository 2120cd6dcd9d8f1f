//! Versions that cannot be used, and secrets that are gone.

use std::{fs, thread, time::Duration};

use serde_json::json;
use zts_testkit::{Fault, Proxy, Server, names};

use crate::host::{Host, on_both};

#[test]
fn a_version_that_lacks_a_key_changes_nothing_and_is_read_once() {
    zts_testkit::require_bao!();
    on_both("lacking", |host| {
        host.declare("db", &json!({ "required_keys": ["password"] }))
            .put("db", "one");
        host.rotate("db").assert_success();
        let path = host.secret("db");
        host.server.put_secret(&path, &json!({ "user": "u" }));
        let output = host.rotate("db").assert_status(1);
        insta::assert_snapshot!(output, @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `db`: version 2 is not used: `hosts/lacking/db` has no key `password`

    hint: add the keys with `bao kv patch`; they are asked for by `--require`, `--encoding` and the templates
    ");
        assert_eq!(
            (host.value("db"), host.copied("db")),
            ("one".to_owned(), Some(1))
        );
        let read = host.asked("data");
        host.rotate("db")
            .assert_failure(1, "version 2 is not used, it was rejected");
        assert_eq!(host.asked("data"), read);
        host.put("db", "three");
        host.rotate("db").assert_success();
        assert_eq!(
            (host.value("db"), host.copied("db")),
            ("three".to_owned(), Some(3))
        );
        assert!(!host.metrics().contains("vault_secret_rejected_version{"));
    });
}

#[test]
fn without_a_cached_copy_a_rejection_lasts_until_the_next_boot() {
    zts_testkit::require_bao!();
    let host = Host::new("lacking-uncached");
    host.declare(
        "db",
        &json!({ "required_keys": ["password"], "cache_directory": null }),
    )
    .put("db", "one");
    host.rotate("db").assert_success();
    host.server
        .put_secret(&host.secret("db"), &json!({ "user": "u" }));
    host.rotate("db").assert_failure(1, "has no key `password`");
    let read = host.asked("data");
    host.rotate("db").assert_failure(1, "it was rejected");
    assert_eq!(
        (host.value("db"), host.asked("data")),
        ("one".to_owned(), read)
    );
    // a reboot empties `/run`
    fs::remove_dir_all(host.path("secrets")).unwrap();
    host.rotate("db").assert_failure(1, "has no key `password`");
    assert!(!host.output("db").exists(), "there is no earlier version");
    assert!(host.asked("data") > read);
}

#[test]
fn a_version_of_null_is_one_secrets_failure_and_the_others_are_rotated() {
    zts_testkit::require_bao!();
    on_both("null", |host| {
        for name in ["a", "b", "c"] {
            host.declare(name, &json!({})).put(name, "one");
        }
        host.rotate("a").assert_success();
        host.server.put_secret(&host.secret("b"), &json!(null));
        host.put("a", "two").put("c", "two");
        insta::assert_snapshot!(host.rotate("b"), @"
        exit status: 1
        ----- stdout -----
        ----- stderr -----
        `a`: version 2 is in place
        `c`: version 2 is in place
        error: `b`: version 2 is not used: `hosts/null/b` has no keys: version 2 of it is `null`

        hint: `bao kv put … -` makes such a version of `null`, which `jq` prints for a name that is not there; put the keys again, or version 1 as it was: `bao kv rollback -version=1 -mount=secret hosts/null/b`
        ");
        let values = ["a", "b", "c"].map(|name| host.value(name));
        assert_eq!(values, ["two", "one", "two"]);
        host.rotate("c").assert_success();
        host.put("b", "three");
        host.rotate("b").assert_success();
        assert_eq!(host.value("b"), "three");
    });
}

/// A proxy sends data that no present server sends.
#[test]
fn an_odd_answer_fails_that_secret_alone() {
    zts_testkit::require_bao!();
    let host = Host::new("odd-answer");
    for name in ["a", "b", "c"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    let proxy = Proxy::to(&host.server.address());
    for body in [
        r#"{"data":{"data":[1],"metadata":{"version":1,"created_time":""}}}"#,
        "{}",
        "<html>",
    ] {
        proxy
            .clear_faults()
            .on("/data/hosts/odd-answer/b", Fault::Body(body.to_owned()));
        let output = host.rotate_at("b", &proxy.address());
        assert_eq!(output.code(), Some(1), "{body}: {output}");
        let values = ["a", "b", "c"].map(|name| host.value(name));
        assert_eq!(values, ["one", "", "one"], "{body}: {output}");
    }
}

#[test]
fn again_tries_a_rejected_version_once_more() {
    zts_testkit::require_bao!();
    let host = Host::new("again");
    host.declare("db", &json!({ "required_keys": ["user"] }))
        .put("db", "one");
    host.rotate("db").assert_failure(1, "has no key `user`");
    host.declare("db", &json!({}));
    host.rotate("db").assert_failure(1, "--again");
    host.rotate_again("db").assert_success();
    assert_eq!(host.value("db"), "one");
    host.rotate("db").assert_success();
}

/// Returns a host whose secrets `a` and `b` were rejected, and could be deployed now.
fn host_with_two_rejected_secrets(name: &str) -> Host {
    let host = Host::new(name);
    for name in ["a", "b"] {
        host.declare(name, &json!({ "required_keys": ["user"] }))
            .put(name, "one");
    }
    host.rotate("a").assert_failure(1, "has no key `user`");
    for name in ["a", "b"] {
        host.declare(name, &json!({}));
    }
    host
}

#[test]
fn again_forgets_the_rejection_of_the_named_secret_alone() {
    zts_testkit::require_bao!();
    let host = host_with_two_rejected_secrets("again-one");
    let output = host.rotate_again("a").assert_success();
    assert_eq!(
        (host.value("a"), host.value("b")),
        ("one".into(), String::new())
    );
    output.assert_reports("`b`: version 1 is not used, it was rejected");
    host.rotate_again("b").assert_success();
    assert_eq!(host.value("b"), "one");
}

#[test]
fn again_forgets_the_rejections_of_all_named_secrets() {
    zts_testkit::require_bao!();
    let host = host_with_two_rejected_secrets("again-two");
    let run = host.rotation("a").args(["b", "--again"]);
    run.succeed();
    assert_eq!(
        (host.value("a"), host.value("b")),
        ("one".into(), "one".into())
    );
}

#[test]
fn an_empty_key_of_a_template_refuses_the_version_too() {
    zts_testkit::require_bao!();
    let host = Host::new("template");
    let templates = json!({ "templates": { "conf": "p={{ password }}" } });
    host.declare("db", &templates).put("db", "one");
    host.rotate("db").assert_success();
    host.put("db", "");
    host.rotate("db")
        .assert_failure(1, "has nothing in its key `password`");
    assert_eq!(names(&host.output("db")), ["conf", "password"]);
}

#[test]
fn a_deleted_secret_leaves_the_host_and_the_others_go_on() {
    zts_testkit::require_bao!();
    on_both("deleted", |host| {
        host.declare("db", &json!({})).put("db", "one");
        host.declare("tls", &json!({})).put("tls", "one");
        host.rotate("db").assert_success();
        host.server.delete_version(&host.secret("db"));
        host.put("tls", "two");
        host.rotate("db")
            .assert_failure(1, "was deleted on the server");
        assert_eq!(
            (host.output("db").exists(), host.copied("db")),
            (false, None)
        );
        assert_eq!(host.value("tls"), "two");
        let output = host.rotate("tls").assert_success();
        assert!(
            output.stderr.contains("`db`"),
            "it is reported all the same: {output}"
        );
    });
}

#[test]
fn a_deleted_secret_with_an_unknown_owner_leaves_the_host_too() {
    zts_testkit::require_bao!();
    on_both("deleted-owner", |host| {
        host.declare("db", &json!({})).put("db", "one");
        host.rotate("db").assert_success();
        host.declare("db", &json!({ "owner": "nobody-of-this-name" }));
        assert_eq!(host.rotate("db").code(), Some(2));
        assert_eq!(host.value("db"), "one", "it is not deleted");
        host.server.delete_version(&host.secret("db"));
        host.rotate("db")
            .assert_failure(1, "was deleted on the server");
        assert_eq!(
            (host.output("db").exists(), host.copied("db")),
            (false, None)
        );
    });
}

#[test]
fn a_deleted_secret_that_exists_again_before_its_removal_stays() {
    zts_testkit::require_bao!();
    let host = Host::new("exists-again");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    host.server.delete_version(&host.secret("db"));
    let proxy = Proxy::to(&host.server.address());
    proxy.once_on("/data/", Fault::Trickle(Duration::from_millis(10)));
    let run = host.start_rotation_at("db", &proxy.address());
    zts_testkit::wait_for("the rotation has read the secret", || {
        let requests = proxy.requests();
        let mut reads = requests.iter().filter(|hit| hit.path.contains("/data/"));
        reads.next().map(drop)
    });
    thread::sleep(Duration::from_millis(300)); // the answer is on its way
    host.put("db", "two");
    host.fetch("db").succeed();
    run.finish().assert_success();
    assert_eq!(
        (host.value("db"), host.copied("db")),
        ("two".into(), Some(2))
    );
}

#[test]
fn a_destroyed_or_absent_secret_leaves_the_host_too() {
    zts_testkit::require_bao!();
    on_both("destroyed", |host| {
        for name in ["db", "tls"] {
            host.declare(name, &json!({})).put(name, "one");
        }
        host.rotate("db").assert_success();
        host.server.destroy_version(&host.secret("db"), 1);
        host.server.delete_metadata(&host.secret("tls"));
        host.rotate("db")
            .assert_failure(1, "was destroyed on the server");
        host.rotate("tls")
            .assert_failure(1, "OpenBao has nothing at");
        for name in ["db", "tls"] {
            assert_eq!(
                (host.output(name).exists(), host.copied(name)),
                (false, None)
            );
        }
    });
}

#[test]
fn a_denied_secret_stays_as_it_is() {
    zts_testkit::require_bao!();
    on_both("denied", |host| {
        host.declare("db", &json!({})).put("db", "one");
        host.rotate("db").assert_success();
        host.server.write_policy(
            "host-denied",
            "path \"secret/data/none\" { capabilities = [\"read\"] }",
        );
        host.rotate("db").assert_failure(1, "OpenBao denied");
        assert_eq!(
            (host.value("db"), host.copied("db")),
            ("one".to_owned(), Some(1))
        );
    });
}

/// The number of secrets and of rotations does not change that.
#[test]
fn refused_credentials_are_tried_twice_and_no_more() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::dev(), "locked-out");
    host.server.enable_user_lockout();
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.rotate("a").assert_success();
    let old = host.replace_credentials();
    for _ in 0..4 {
        host.rotate("a")
            .assert_failure(1, "invalid role or secret ID");
    }
    assert_eq!(host.value("g"), "one");
    host.put("g", "two");
    let anew = host.server.issue_secret_id("locked-out");
    anew.write_to(&host.path("approle"));
    assert_ne!(anew, old);
    host.rotate("a").assert_success();
    assert_eq!(host.value("g"), "two");
}
