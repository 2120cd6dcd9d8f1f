//! What the program makes of policies, against what OpenBao itself says (`sys/capabilities`).

use std::collections::{BTreeMap, BTreeSet};

use openbao::{Method, Request, approle, sys};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testkit::Server;

use crate::site::{declarations, findings, plan, secret, shared_server};

const WORDS: [&str; 3] = ["a", "b", "ab"];

/// Every path of up to three words.
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

/// Below which the paths stand.
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

/// What a login with these policies may read and list, says OpenBao.
fn openbaos_word(
    server: &Server,
    policies: &[&str],
    asked: &[String],
) -> BTreeMap<String, Vec<String>> {
    let client = server.client();
    let request = Request::new(Method::Post, "auth/token/create");
    let request = request
        .json(&json!({ "policies": policies, "no_default_policy": true }))
        .unwrap();
    let reply = client.send::<Value>(&request).unwrap().unwrap();
    let token = reply.auth.unwrap().client_token;
    let body = json!({ "token": token.expose_secret(), "paths": asked });
    let request = Request::new(Method::Post, "sys/capabilities")
        .json(&body)
        .unwrap();
    let mut all: BTreeMap<String, Value> = client.data(&request).unwrap();
    all.retain(|path, _| asked.contains(path));
    all.into_iter()
        .map(|(path, list)| (path, serde_json::from_value(list).unwrap()))
        .collect()
}

/// Gives the role `host` these policies, and compares what a run says with what OpenBao says.
fn compare(server: &Server, host: &str, texts: &[&str]) -> Result<(), TestCaseError> {
    let client = server.client();
    let names: Vec<String> = (0..texts.len())
        .map(|number| format!("{host}-{number}"))
        .collect();
    for (name, text) in names.iter().zip(texts) {
        sys::write_policy(&client, name, text).unwrap();
    }
    let role = json!({ "token_policies": names, "token_no_default_policy": true });
    approle::write_role(&client, "approle", host, &role).unwrap();
    let paths = paths();
    let rotated = json!({ "rotation": "hourly" });
    let secrets: Vec<_> = paths
        .iter()
        .map(|path| (path.as_str(), secret(path, &rotated)))
        .collect();
    let found = findings(plan(server, &declarations(host, &secrets)));
    let told = |reason: &str| -> BTreeSet<String> {
        let of_reason = found.iter().filter(|finding| finding["reason"] == reason);
        of_reason
            .map(|finding| finding["path"].as_str().unwrap().to_owned())
            .collect()
    };
    prop_assert!(
        told("rule").is_empty() && told("policy").is_empty(),
        "{:?}",
        found
    );
    let data: Vec<String> = paths
        .iter()
        .map(|path| format!("secret/data/{path}"))
        .collect();
    let folders: Vec<String> = folders(&paths).into_iter().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (right, asked, unlike) in [
        ("read", data, told("read")),
        ("list", folders, told("list")),
    ] {
        let lacks = openbaos_word(server, &names, &asked);
        prop_assert_eq!(lacks.len(), asked.len());
        let lacks = lacks
            .into_iter()
            .filter(|(_, has)| !has.iter().any(|there| there == right));
        let lacks: BTreeSet<_> = lacks.map(|(path, _)| path).collect();
        prop_assert_eq!(unlike, lacks, "`{}` with {:#?}", right, texts);
    }
    Ok(())
}

#[test]
fn policies_as_people_write_them() {
    testkit::require_bao!();
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
fn made_up_policies() {
    testkit::require_bao!();
    let server = shared_server();
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&vec(policy(), 0..4), |texts| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        compare(&server, "made-up", &texts)
    });
    result.unwrap();
}
