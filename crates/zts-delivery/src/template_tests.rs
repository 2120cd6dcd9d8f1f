//! Tests of placeholders and filters.

use proptest::prelude::*;

use super::*;

fn values(json: &str) -> SecretMap {
    serde_json::from_str(json).unwrap()
}

fn rendered(text: &str, json: &str) -> String {
    let template = Template::parse("t", text).unwrap();
    let file = template.render("s", &values(json)).unwrap();
    String::from_utf8(file.to_vec()).unwrap()
}

fn refused(text: &str) -> String {
    Template::parse("app.conf", text).unwrap_err().to_string()
}

#[test]
fn placeholders_become_values() {
    const SECRET: &str = r#"{
        "key": "a\"b &ü\n", "tls.crt": "CERT", "api-key": "K", "my key": "M", "port": 5432,
        "big": 12345678901234567890.10, "list": [1, "x"], "none": null, "Ключ": "да", "braces": "}} {{ key }}"
    }"#;
    for (text, expected) in [
        ("", ""),
        ("no placeholder } { }} \" {", "no placeholder } { }} \" {"),
        ("{{ api-key }}", "K"),
        ("{{api-key}}", "K"),
        ("{{\tapi-key  }}", "K"),
        ("{{ tls.crt }}|{{ my key }}|{{ Ключ }}", "CERT|M|да"),
        ("<{{ key }}>", "<a\"b &ü\n>"),
        ("{{ key | json }}", r#""a\"b &ü\n""#),
        ("{{key|json}}", r#""a\"b &ü\n""#),
        ("{{ key | url }}", "a%22b%20%26%C3%BC%0A"),
        ("{{ key | base64 }}", "YSJiICbDvAo="),
        (
            "{{ port }} {{ port | json }} {{ port | url }}",
            "5432 5432 5432",
        ),
        (
            "{{ big }} {{ big | json }}",
            "12345678901234567890.10 12345678901234567890.10",
        ),
        ("{{ list }} {{ list | json }}", r#"[1, "x"] [1, "x"]"#),
        ("{{ none }}", "null"),
        ("{{ \"{{\" }} x {{ \"}}\" }}", "{{ x }}"),
        ("{{\"a\\n\\\"b\\u00fc\"}}", "a\n\"bü"),
        ("{{ \"\" }}", ""),
        ("{\"port\":{{ port }}}", "{\"port\":5432}"),
        ("a\r\n{{ port }}\r\n", "a\r\n5432\r\n"),
        ("\u{feff}{{ port }}", "\u{feff}5432"),
        ("{{ port }}{{ port }}", "54325432"),
        ("{{ braces }}", "}} {{ key }}"), // a value is not parsed
    ] {
        assert_eq!(rendered(text, SECRET), expected, "{text}");
    }
}

#[test]
fn a_mistake_is_reported_with_its_line() {
    let said = [
        "{{ key",
        "one\r\ntwo {{ key\nthree }}",
        "{{",
        "{{}}",
        "{{ }}",
        "{{ | json }}",
        "\n\n{{ key | upper }}",
        "{{ key | }}",
        "{{ key | json | base64 }}",
        "{{{ key }}",
        "{{ a {{ b }}",
        "{{ \"{{ }}",
        "{{ \"a\" b }}",
        "{{ \"a\" | json }}",
        "{{ \"a\"",
        "{{ \"\\q\" }}",
    ]
    .map(refused)
    .join("\n");
    assert_eq!(
        said,
        "\
line 1 of the template `app.conf`: `{{` without `}}` on the same line
line 2 of the template `app.conf`: `{{` without `}}` on the same line
line 1 of the template `app.conf`: `{{` without `}}` on the same line
line 1 of the template `app.conf`: the placeholder names no key
line 1 of the template `app.conf`: the placeholder names no key
line 1 of the template `app.conf`: the placeholder names no key
line 3 of the template `app.conf`: `upper` is not a filter; there are `json`, `url`, `base64` and `base64decode`, one for a placeholder
line 1 of the template `app.conf`: `|` is followed by no filter
line 1 of the template `app.conf`: `json | base64` is not a filter; there are `json`, `url`, `base64` and `base64decode`, one for a placeholder
line 1 of the template `app.conf`: `{ key` has a brace, which no key can have here; braces as text are written `{{ \"{{\" }}`
line 1 of the template `app.conf`: `a {{ b` has a brace, which no key can have here; braces as text are written `{{ \"{{\" }}`
line 1 of the template `app.conf`: the literal text is no JSON string, such as `{{ \"{{\" }}`
line 1 of the template `app.conf`: `}}` must follow the literal text
line 1 of the template `app.conf`: `}}` must follow the literal text
line 1 of the template `app.conf`: `}}` must follow the literal text
line 1 of the template `app.conf`: the literal text is no JSON string, such as `{{ \"{{\" }}`"
    );
}

#[test]
fn its_keys_are_known_without_rendering() {
    let template = Template::parse("t", "{{ b }} {{ a | json }} {{ \"c\" }} {{ b }}").unwrap();
    assert_eq!(template.keys().collect::<Vec<_>>(), ["b", "a", "b"]);
}

#[test]
fn ten_megabytes_are_fast() {
    let text = "{{ key }} and more text\n".repeat(420_000);
    let start = std::time::Instant::now();
    assert_eq!(rendered(&text, r#"{"key":"v"}"#).len(), 420_000 * 16);
    let most = zts_testkit::scale_timeout(std::time::Duration::from_secs(10));
    assert!(start.elapsed() < most, "{:?}", start.elapsed());
    let broken = format!("{text}{{{{");
    assert!(refused(&broken).starts_with("line 420001 of"));
}

proptest! {
    /// Text outside of placeholders is unchanged, and so is a literal text.
    #[test]
    fn any_text_is_unchanged(text in "\\PC*", around in "[a-z\r\n {}]*") {
        let quoted = serde_json::to_string(&text).unwrap();
        let mut around = around;
        while around.contains("{{") {
            around = around.replace("{{", "{ {"); // of three braces, once leaves two
        }
        let around = around.trim_end_matches('{');
        let template = format!("{around}{{{{ {quoted} }}}}");
        prop_assert_eq!(rendered(&template, "{}"), format!("{around}{text}"));
    }

    #[test]
    fn any_value_is_unchanged(value in any::<String>()) {
        let secret = serde_json::to_string(&[("k", &value)].into_iter().collect::<BTreeMap<_, _>>()).unwrap();
        prop_assert_eq!(&rendered("{{ k }}", &secret), &value);
        let json: String = serde_json::from_str(&rendered("{{ k | json }}", &secret)).unwrap();
        prop_assert_eq!(&json, &value);
        let url = rendered("{{ k | url }}", &secret);
        prop_assert!(url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        let decoded = percent_encoding::percent_decode_str(&url).decode_utf8().unwrap();
        prop_assert_eq!(decoded.as_ref(), value.as_str());
        let base64 = rendered("{{ k | base64 }}", &secret);
        prop_assert_eq!(BASE64_STANDARD.decode(&base64).unwrap(), value.as_bytes());
        let encoded = format!(r#"{{"k":"{base64}"}}"#);
        prop_assert_eq!(&rendered("{{ k | base64decode }}", &encoded), &value);
    }

    /// Any template is parsed or refused.
    #[test]
    fn no_template_causes_a_panic(text in "[{}|\"\\\\ a\n\u{e9}]{0,40}") {
        let _ = Template::parse("t", &text);
    }
}
