//! A whole secret as one JSON file.

use serde_json::json;

use zts_testkit::mode;

use crate::host::{Host, files};

#[test]
fn all_keys_stand_in_one_object_beside_their_files() {
    zts_testkit::require_bao!();
    let host = Host::new("json-file");
    host.put(
        &json!({ "user": "app", "port": 5432, "hosts": ["a", {"b": null}], "pass": "p\"w\n" }),
    );
    host.fetch()
        .args(["--json-file", "all.json"])
        .succeed_silently();
    let expected = files([
        (
            "all.json",
            r#"{"hosts":["a",{"b":null}],"pass":"p\"w\n","port":5432,"user":"app"}"#,
        ),
        ("hosts", r#"["a",{"b":null}]"#),
        ("pass", "p\"w\n"),
        ("port", "5432"),
        ("user", "app"),
    ]);
    assert_eq!(host.files(), expected);
    assert_eq!(mode(&host.output().join("all.json")), "0400");
}

#[test]
fn it_comes_from_the_copy_to_the_letter_as_well() {
    zts_testkit::require_bao!();
    let host = Host::new("json-cached").with_cached(&json!({ "n": 12_345_678_901_u64, "t": "x" }));
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().cached().address(refused.address());
    fetch.args(["--json-file", "all.json"]).succeed();
    assert_eq!(host.files()["all.json"], r#"{"n":12345678901,"t":"x"}"#);
}

#[test]
fn a_key_of_its_name_refuses_the_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("json-taken");
    host.put(&json!({ "all.json": "x" }));
    host.fetch()
        .args(["--json-file", "all.json"])
        .fail(1, "the JSON file");
    assert!(!host.output().exists());
}

#[test]
fn a_name_that_another_file_has_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = Host::new("json-named");
    for (name, other) in [("env", "env"), ("a/b", "env"), ("..", "env"), ("", "env")] {
        let flags = [
            format!("--json-file={name}"),
            format!("--environment-file={other}"),
        ];
        let output = host.fetch().args(flags).run();
        assert_eq!(output.code(), Some(2), "{name}: {output}");
        output.assert_reports("the JSON file cannot be named");
    }
}
