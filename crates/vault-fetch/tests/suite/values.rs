//! The files of values.

use std::fs;

use serde_json::{json, value::RawValue};

use zts_testkit::{Fault, Proxy};

use crate::host::{Host, files};

#[test]
fn strings_are_written_as_they_are() {
    zts_testkit::require_bao!();
    let host = Host::new("strings");
    let pem = "-----BEGIN X-----\r\nabc\n\n-----END X-----";
    let values = [
        ("empty", ""),
        ("newline", "\n"),
        ("no-newline", "hunter2"),
        ("pem", pem),
        ("nul", "a\0b"),
        ("binary", "AAECAwT/+/3+"),
        ("unicode", "\u{feff}pässwörd 密码 🔑 \u{7f}"),
        ("quotes", r#""quoted" 'and' \escaped\n"#),
        ("html", "<a href=\"x\">&amp;</a>"),
        ("looks-like-json", r#"{"a": 1}"#),
        ("looks-like-null", "null"),
    ];
    host.put(&values.iter().copied().collect());
    host.fetch().succeed_silently();
    assert_eq!(host.files(), files(values));
}

/// Numbers of every kind, and other JSON around strings.
const JSON: &str = r#"{"data":{
    "big": 123456789012345678901234567890,
    "decimal": 3.10,
    "exponent": 1E+400,
    "negative": -0.0,
    "number": 5432,
    "yes": true,
    "nothing": null,
    "list": [1, "two", null],
    "object": {"host": "db", "id": 12345678901234567890, "html": "<&>"}
}"#;

#[test]
fn other_json_is_written_as_json_to_the_letter() {
    zts_testkit::require_bao!();
    let host = Host::new("to-the-letter");
    let proxy = Proxy::to(&host.server.address());
    let metadata = r#""metadata":{"version":1,"created_time":"2026-11-24T00:00:00Z"}"#;
    proxy.always(Fault::Body(format!("{{\"data\":{JSON},{metadata}}}}}")));
    host.fetch().through(&proxy).succeed_silently();
    insta::assert_debug_snapshot!(host.files(), @r#"
    {
        "big": "123456789012345678901234567890",
        "decimal": "3.10",
        "exponent": "1E+400",
        "list": "[1, \"two\", null]",
        "negative": "-0.0",
        "nothing": "null",
        "number": "5432",
        "object": "{\"host\": \"db\", \"id\": 12345678901234567890, \"html\": \"<&>\"}",
        "yes": "true",
    }
    "#);
}

#[test]
fn openbao_itself_keeps_numbers_as_doubles() {
    zts_testkit::require_bao!();
    let host = Host::new("json");
    let body = format!("{JSON}}}").replace("1E+400", "1E+40");
    let body: Box<RawValue> = serde_json::from_str(&body).unwrap();
    host.server
        .write(&format!("secret/data/{}", host.secret()), &body);
    host.fetch().succeed_silently();
    insta::assert_debug_snapshot!(host.files(), @r#"
    {
        "big": "1.2345678901234568e+29",
        "decimal": "3.1",
        "exponent": "1e+40",
        "list": "[1,\"two\",null]",
        "negative": "-0",
        "nothing": "null",
        "number": "5432",
        "object": "{\"host\":\"db\",\"html\":\"\\u003c\\u0026\\u003e\",\"id\":12345678901234567000}",
        "yes": "true",
    }
    "#);
}

#[test]
fn a_value_of_a_megabyte_arrives_whole() {
    zts_testkit::require_bao!();
    let host = Host::new("megabyte");
    let large: String = ('a'..='z').cycle().take(1 << 20).collect();
    host.put(&json!({ "small": "beside it", "large": large }));
    host.fetch().cached().succeed_silently();
    assert_eq!(
        host.files(),
        files([("large", &large), ("small", "beside it")])
    );
    fs::remove_dir_all(host.output()).unwrap();
    let refused = zts_testkit::closed_port();
    host.fetch().cached().address(refused.address()).succeed();
    assert_eq!(host.files()["large"], large, "from the cache, too");
}

#[test]
fn two_hundred_keys_arrive() {
    zts_testkit::require_bao!();
    let host = Host::new("many-keys");
    let values = (0..200).map(|number| (format!("key-{number}"), json!(format!("value-{number}"))));
    host.put(&values.collect::<serde_json::Map<_, _>>().into());
    host.fetch().succeed_silently();
    assert_eq!(host.files().len(), 200);
    assert_eq!(host.files()["key-199"], "value-199");
}
