//! Findings about policies, compared with the answers that a host with them gets.

use std::collections::BTreeSet;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use zts_openbao::{
    AppRoleCredentials, Authentication, Client, Error, Method, Request, approle, sys,
};
use zts_testkit::Server;

use crate::site::{declarations, findings, plan, secret, shared_server};

const WORDS: [&str; 3] = ["a", "b", "ab"];

/// Returns all paths of up to three words.
fn paths() -> Vec<String> {
    let one = WORDS.map(str::to_owned).to_vec();
    let longer = |shorter: &[String]| -> Vec<String> {
        let each = |path: &String| WORDS.map(|word| format!("{path}/{word}"));
        shorter.iter().flat_map(each).collect()
    };
    let two = longer(&one);
    let three = longer(&two);
    [one, two, three].concat()
}

/// Returns the folders of the paths.
fn folders(paths: &[String]) -> BTreeSet<String> {
    let parent = |path: &String| match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/"),
        None => String::new(),
    };
    let folders = paths.iter().map(parent);
    folders
        .map(|folder| format!("secret/detailed-metadata/{folder}"))
        .collect()
}

/// Returns the paths that the host is refused after a login.
fn refused(
    client: &Client,
    method: Method,
    paths: impl Iterator<Item = String>,
) -> BTreeSet<String> {
    let refuses = |path: &String| {
        let answer = client.send::<Value>(&Request::new(method, path));
        matches!(answer, Err(Error::Denied { .. }))
    };
    paths.filter(refuses).collect()
}

/// Gives the role `host` these policies, and compares a run's findings with the answers that the
/// host gets.
fn compare(server: &Server, host: &str, texts: &[&str]) -> Result<(), TestCaseError> {
    let client = server.client();
    let names: Vec<String> = (0..texts.len())
        .map(|number| format!("host-{host}-{number}"))
        .collect();
    for (name, text) in names.iter().zip(texts) {
        sys::write_policy(&client, name, text).unwrap();
    }
    let role = json!({
        "token_policies": names, "token_no_default_policy": true, "token_type": "batch",
    });
    approle::write_role(&client, "approle", host, &role).unwrap();
    let credentials = server.issue_secret_id(host);
    let paths = paths();
    let rotated = json!({ "rotation": "hourly" });
    let secrets: Vec<_> = paths
        .iter()
        .map(|path| (path.as_str(), secret(path, &rotated)))
        .collect();
    let found = findings(plan(server, &declarations(host, &secrets)));
    let paths_with = |reason: &str| -> BTreeSet<String> {
        let of_reason = found.iter().filter(|finding| finding["reason"] == reason);
        of_reason
            .map(|finding| finding["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut client = server.anonymous_client();
    let credentials = AppRoleCredentials {
        role_id: credentials.role_id.into(),
        secret_id: credentials.secret_id.into(),
    };
    let token = approle::login(&client, "approle", &credentials).unwrap();
    client.authenticate(Authentication::Token(token));
    let data = paths.iter().map(|path| format!("secret/data/{path}"));
    prop_assert_eq!(
        paths_with("read"),
        refused(&client, Method::Get, data),
        "{:#?}",
        texts
    );
    // rotation does without a folder's list where it may read the metadata of each secret
    let metadata = paths.iter().map(|path| format!("secret/metadata/{path}"));
    let without_metadata: Vec<String> = refused(&client, Method::Get, metadata)
        .iter()
        .map(|path| path.replacen("secret/metadata/", "", 1))
        .collect();
    let mut lists = refused(&client, Method::List, folders(&paths).into_iter());
    let needed = folders(&without_metadata);
    lists.retain(|folder| needed.contains(folder));
    prop_assert_eq!(paths_with("list"), lists, "{:#?}", texts);
    Ok(())
}

#[test]
fn handwritten_policies() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let rule =
        |path: &str, rights: &str| format!("path \"{path}\" {{\n  capabilities = [{rights}]\n}}\n");
    let both = |one: &str, other: &str| rule(one, r#""read""#) + &rule(other, r#""deny""#);
    let cases: Vec<Vec<String>> = vec![
        vec![],
        vec!["# nothing\n".to_owned()],
        vec![rule("secret/data/a", r#""read""#)],
        vec![rule("/secret/data/a", r#""read""#)],
        vec![rule("secret/data/a/", r#""read""#)],
        vec![rule("secret/data/a*", r#""read", "list""#)],
        vec![rule("*", r#""read", "list""#)],
        vec![rule("+/+/+", r#""read", "list""#)],
        vec![rule("secret/data/*/b", r#""read""#)],
        vec![rule("secret/data/a+", r#""read""#)],
        vec![rule("secret/detailed-metadata/a", r#""list""#)],
        vec![rule("secret/detailed-metadata/a/", r#""list""#)],
        vec![rule("secret/detailed-metadata/+/", r#""list""#)],
        vec![rule("secret/detailed-metadata/a/*", r#""list""#), rule("secret/detailed-metadata/a*", r#""deny""#)],
        vec![rule("secret/data/a/*", r#""update", "create", "patch", "delete", "sudo", "scan""#)],
        vec![rule("secret/data/a/b", "")],
        vec![both("secret/data/*", "secret/data/a/*")],
        vec![both("secret/data/a/*", "secret/data/*")],
        vec![both("secret/data/+/b", "secret/data/a/*")],
        vec![both("secret/data/a/*", "secret/data/+/b")],
        vec![both("secret/data/a/b", "secret/data/a/b")],
        vec![rule("secret/data/a/b", r#""read""#), rule("secret/data/a/b", r#""list", "deny""#)],
        vec![rule("secret/data/a/b", r#""list""#), rule("secret/data/a/b", r#""read""#)],
        vec![r#"{"path": {"secret/data/+": {"capabilities": ["read"]}, "secret/data/a": {"policy": "deny"}}}"#.to_owned()],
        vec![r#"{"path": [{"secret/data/+": {"capabilities": ["read"]}}]}"#.to_owned()],
        vec!["path secret {\n  policy = \"write\"\n}\npath \"secret/*\" {\n  policy = \"read\"\n}\n".to_owned()],
        vec!["name = \"old\"\n// a comment\npath \"secret/data/a*\" { capabilities = [\"read\",] } # one more\n".to_owned()],
        vec!["path \"secret/*\" {\n  capabilities = [\"read\"]\n  denied_parameters = {\n    \"x\" = []\n  }\n  allowed_parameters {\n    y = [1, true]\n  }\n}\n".to_owned()],
    ];
    for texts in cases {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        compare(&server, "by-people", &texts).unwrap_or_else(|error| panic!("{texts:#?}: {error}"));
    }
}

/// A path with words, free segments, and perhaps a star at the end.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => prop::sample::select(WORDS.to_vec()),
        2 => Just("+"),
        1 => prop::sample::select(vec!["a+", "+b"]),
    ];
    let kind = prop::sample::select(vec![
        "secret/data",
        "secret/detailed-metadata",
        "+/data",
        "secret/+",
    ]);
    let end = prop::sample::select(vec!["", "*", "/*", "/"]);
    (kind, vec(part, 1..4), end).prop_map(|(kind, parts, end)| {
        let path = format!("{kind}/{}{end}", parts.join("/"));
        path.replace("+*", "+/*") // OpenBao refuses these
    })
}

fn policy() -> impl Strategy<Value = String> {
    let capability = prop::sample::select(vec!["read", "read", "list", "update", "deny"]);
    let rule = (pattern(), vec(capability, 0..3)).prop_map(|(path, rights)| {
        format!("path \"{path}\" {{\n  capabilities = {rights:?}\n}}\n")
    });
    vec(rule, 0..6).prop_map(|rules| format!("# made up\n{}", rules.concat()))
}

#[test]
fn random_policies() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&vec(policy(), 0..4), |texts| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        compare(&server, "made-up", &texts)
    });
    result.unwrap();
}
