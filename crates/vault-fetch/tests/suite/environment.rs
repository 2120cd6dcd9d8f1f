//! Flags, variables, and wrong usage.

use serde_json::json;
use zts_testkit::{Proxy, Run, RunOutput};

use crate::host::{Host, files};

fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.put(&json!({ "password": "hunter2" }));
    host
}

/// Runs the program without any variable.
fn bare(arguments: &[&str]) -> RunOutput {
    Run::new(env!("CARGO_BIN_EXE_vault-fetch"))
        .args(arguments)
        .run()
}

#[test]
fn a_flag_beats_bao_beats_vault_and_empty_is_unset() {
    zts_testkit::require_bao!();
    let host = host("precedence");
    let (right, wrong) = (host.server.address(), "http://127.0.0.1:1".to_owned());
    for (flag, bao, vault) in [
        (Some(&right), &wrong, &wrong),
        (None, &right, &wrong),
        (None, &String::new(), &right),
    ] {
        let fetch = host.fetch().env("BAO_ADDR", bao).env("VAULT_ADDR", vault);
        let flags = flag.map(|address| ["--address", address]);
        fetch.args(flags.into_iter().flatten()).succeed_silently();
        assert_eq!(host.files(), files([("password", "hunter2")]));
        std::fs::remove_dir_all(host.output()).unwrap();
    }
}

#[test]
fn namespaces_come_from_the_variables_too() {
    zts_testkit::require_bao!();
    let host = host("namespaces");
    let proxy = Proxy::to(&host.server.address());
    let asked = |fetch: crate::host::Fetch<'_>| {
        fetch.through(&proxy).run();
        let hit = proxy.requests().pop().unwrap();
        let header = hit
            .headers
            .into_iter()
            .find(|(name, _)| name == "x-vault-namespace");
        header.map(|(_, value)| value)
    };
    assert_eq!(asked(host.fetch()), None);
    assert_eq!(asked(host.fetch().env("BAO_NAMESPACE", "")), None);
    let vault = || host.fetch().env("VAULT_NAMESPACE", "three");
    assert_eq!(asked(vault()).as_deref(), Some("three"));
    let bao = || vault().env("BAO_NAMESPACE", "two");
    assert_eq!(asked(bao()).as_deref(), Some("two"));
    let flag = bao().args(["--namespace", "one"]);
    assert_eq!(asked(flag).as_deref(), Some("one"));
}

#[test]
fn a_namespace_that_http_cannot_say_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = host("bad-namespace");
    insta::assert_snapshot!(host.fetch().args(["--namespace", "a\r\nX-Vault-Token: b"]).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/bad-namespace/db` was not written: the request for `secret/data/hosts/bad-namespace/db` cannot be sent: the value for the header `X-Vault-Namespace` has a character that HTTP does not allow
    ");
}

#[test]
fn a_boolean_that_is_none_is_wrong_configuration() {
    zts_testkit::require_bao!();
    let host = host("booleans");
    for right in ["1", "true", "T", "0", "false", "F", ""] {
        host.fetch()
            .env("BAO_SKIP_VERIFY", right)
            .succeed_silently();
    }
    insta::assert_snapshot!(host.fetch().env("BAO_SKIP_VERIFY", "maybe").run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `BAO_SKIP_VERIFY` (or `VAULT_SKIP_VERIFY`) is `maybe`, which is no boolean

    hint: write `true` or `false`
    ");
    host.fetch()
        .env("VAULT_SKIP_VERIFY", "yes")
        .run()
        .assert_status(2);
}

#[test]
fn an_address_that_is_none_is_wrong_configuration() {
    zts_testkit::require_bao!();
    let host = host("bad-address");
    let mut said = String::new();
    for address in [
        "127.0.0.1:8200",
        "ftp://127.0.0.1",
        "https://",
        "https://user:pw@127.0.0.1:8200",
        "https://127.0.0.1:8200/v1",
        "https://127.0.0.1:99999",
        "https://a b",
        ",",
        "https://127.0.0.1:8200,nonsense",
    ] {
        let output = host.fetch().address(address).run();
        assert_eq!(output.code(), Some(2), "{address}: {output}");
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
    }
    insta::assert_snapshot!(said, @"
    error: `127.0.0.1:8200` is not the address of an OpenBao server: `http://` or `https://` is missing
    error: `ftp://127.0.0.1` is not the address of an OpenBao server: only `http://` and `https://` are supported
    error: `https://` is not the address of an OpenBao server: it is not a URL
    error: `https://…@127.0.0.1:8200` is not the address of an OpenBao server: it must not have a user or a password
    error: `https://127.0.0.1:8200/v1` is not the address of an OpenBao server: nothing may follow the host and the port
    error: `https://127.0.0.1:99999` is not the address of an OpenBao server: its port is not a number up to 65535
    error: `https://a b` is not the address of an OpenBao server: it is not a URL
    error: `,` is not the address of an OpenBao server: it is empty
    error: `nonsense` is not the address of an OpenBao server: `http://` or `https://` is missing
    ");
}

#[test]
fn no_address_at_all_is_wrong_configuration() {
    insta::assert_snapshot!(bare(&["hosts/a/db", "/nonexistent/db"]), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: OpenBao's address is not known

    hint: give it with `--address` or `BAO_ADDR`
    ");
}

#[test]
fn wrong_usage_ends_with_status_2() {
    insta::assert_snapshot!(bare(&[]), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      <SECRET_PATH>
      <OUTPUT_DIR>

    Usage: vault-fetch <SECRET_PATH> <OUTPUT_DIR>

    For more information, try '--help'.
    ");
    for arguments in [
        &["a", "b", "c"][..],
        &["a", "b", "--nonsense"],
        &["../a", "b"],
        &["/a", "b"],
        &["a//b", "b"],
        &["a/", "b"],
        &["", "b"],
        &["a\nb", "b"],
        &["a", "b", "--deadline", "30"],
        &["a", "b", "--deadline", "-1s"],
        &["a", "b", "--deadline", "soon"],
        &["a", "b", "--kv-mount", "../sys"],
        &["a", "b", "--approle-mount", "a b/../c"],
        &["a", "b", "--authentication", "magic"],
    ] {
        let output = bare(arguments);
        assert_eq!(output.code(), Some(2), "{arguments:?}: {output}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output}");
    }
    insta::assert_snapshot!(bare(&["hosts/../other", "b"]), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'hosts/../other' for '<SECRET_PATH>': a path reads `hosts/web01/db`: no empty segment, no `.` and no `..`

    For more information, try '--help'.
    ");
}

#[test]
fn deadlines_of_any_length_are_taken() {
    zts_testkit::require_bao!();
    let host = host("deadlines");
    for deadline in ["1s", "1h 30m", "18446744073709551615s", "500000000000years"] {
        let output = host.fetch().deadline(deadline).run();
        assert!(matches!(output.code(), Some(0 | 2)), "{deadline}: {output}");
    }
    host.fetch()
        .deadline("18446744073709551615s")
        .succeed_silently();
    let refused = zts_testkit::closed_port();
    host.fetch()
        .address(refused.address())
        .deadline("2s")
        .run()
        .assert_status(1);
}

#[test]
fn a_path_with_odd_characters_is_one_path() {
    zts_testkit::require_bao!();
    let host = Host::new("odd-secret");
    for name in [
        "a b", "ü", "50%", "q?x=1", "a#b", "a+b", "a&b", "a;b", "...",
    ] {
        let path = format!("hosts/odd-secret/{name}");
        host.server.put_secret(&path, &json!({ "key": name }));
        host.fetch_of(&path).succeed_silently();
        assert_eq!(host.files(), files([("key", name)]));
    }
}
