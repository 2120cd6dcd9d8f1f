//! Tests of the files that a version becomes.

use super::*;

fn values(json: &str) -> SecretMap {
    serde_json::from_str(json).unwrap()
}

fn contents(required: &[&str], templates: &[(&str, &str)], environment: Option<&str>) -> Contents {
    let parsed =
        |(name, text): &(&str, &str)| ((*name).to_owned(), Template::parse(name, text).unwrap());
    Contents {
        required_keys: required.iter().map(|key| (*key).to_owned()).collect(),
        templates: templates.iter().map(parsed).collect(),
        environment_file: environment.map(ToOwned::to_owned),
        ..Contents::default()
    }
}

fn as_credential(contents: Contents) -> Contents {
    Contents {
        credential: Some("db".to_owned()),
        ..contents
    }
}

#[test]
fn names_that_are_no_credentials_are_refused() {
    let contents = as_credential(contents(&[], &[], None));
    for key in [".env", "schlüssel", "a:b", &"x".repeat(253)] {
        let secret = values(&format!(r#"{{"{key}":"hunter2"}}"#));
        let error = contents.files("s", &secret).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (templates, environment) in [(&[(".conf", "")][..], None), (&[], Some(".env"))] {
        let contents = as_credential(self::contents(&[], templates, environment));
        let error = contents.check().unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
    }
}

#[test]
fn credentials_and_their_names_have_one_mebibyte() {
    let contents = as_credential(contents(&[], &[], None));
    let secret = |length: usize| values(&format!(r#"{{"k":"{}"}}"#, "x".repeat(length)));
    let most = MAX_CREDENTIALS_SIZE - "db_k".len();
    assert!(contents.files("s", &secret(most)).is_ok());
    let error = contents.files("s", &secret(most + 1)).unwrap_err();
    assert!(
        matches!(error, Error::CredentialsTooLarge { .. }),
        "{error}"
    );
}

#[test]
fn keys_templates_and_the_environment_become_files() {
    let contents = contents(
        &["user"],
        &[("conf", "{{ user }}:{{ password }}")],
        Some("env"),
    );
    assert_eq!(
        contents.keys().into_iter().collect::<Vec<_>>(),
        ["password", "user"]
    );
    let secret = values(r#"{"user":"u","password":"p"}"#);
    let files = contents.files("s", &secret).unwrap();
    let expected: [(&str, &[u8]); 4] = [
        ("conf", b"u:p"),
        ("env", b"password=\"p\"\nuser=\"u\"\n"),
        ("password", b"p"),
        ("user", b"u"),
    ];
    assert_eq!(files.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_json_file_has_the_values_as_they_were_sent() {
    let contents = Contents {
        json_file: Some("all.json".to_owned()),
        ..contents(&[], &[], None)
    };
    let text = r#"{"big":12345678901234567890.10,"list":[1, {"b":null}],"text":"a\"b\n"}"#;
    let files = contents.files("s", &values(text)).unwrap();
    assert_eq!(files.get("all.json"), Some(text.as_bytes()));
    assert_eq!(files.get("text"), Some(b"a\"b\n".as_slice()));
}

#[test]
fn the_json_file_has_a_name_of_its_own() {
    let named = |contents| Contents {
        json_file: Some("all".to_owned()),
        ..contents
    };
    let template = named(contents(&[], &[("all", "")], None));
    let environment = named(contents(&[], &[], Some("all")));
    for (contents, reason) in [
        (template, "a template has that name"),
        (environment, "the environment file has that name"),
    ] {
        let error = contents.check().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let error = named(contents(&[], &[], None)).files("s", &values(r#"{"all":"x"}"#));
    assert!(matches!(error, Err(Error::NameTaken { .. })));
}

#[test]
fn all_missing_and_empty_keys_are_reported() {
    let contents = contents(
        &["a", "b", "c", "zero"],
        &[("t", "{{ d }} {{ e }} {{ f }}")],
        None,
    );
    let secret = values(r#"{"b":"","c":null,"e":"","f":"null","zero":0}"#);
    let error = contents.files("hosts/web01/db", &secret).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`hosts/web01/db` has no key `a`, `d`, and has nothing in its key `b`, `c`, `e`"
    );
}

#[test]
fn names_are_checked_without_a_secret() {
    for (templates, environment) in [
        (&[("a/b", "")][..], None),
        (&[("", "")], None),
        (&[("..", "")], None),
        (&[], Some("../env")),
        (&[], Some("")),
        (&[("env", "")], Some("env")),
    ] {
        let error = contents(&[], templates, environment).check().unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
    }
}

#[test]
fn a_key_with_the_name_of_another_file_is_refused() {
    let secret = values(r#"{"conf":"x"}"#);
    for contents in [
        contents(&[], &[("conf", "y")], None),
        contents(&[], &[], Some("conf")),
    ] {
        let error = contents.files("s", &secret).unwrap_err();
        assert!(matches!(error, Error::NameTaken { .. }), "{error}");
    }
}
