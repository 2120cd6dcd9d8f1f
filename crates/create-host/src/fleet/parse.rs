//! Parses `fleet.toml`. An error names the line and the values that are allowed.

use std::ops::Range;

use toml_edit::{Array, Document, Item, TableLike, de, ser};
use zts_cli::Failure;

use super::settings::{InvalidValue, SETTINGS_FILE, Settings};
use crate::placeholders::closest_name;

/// Parses the settings in `text`.
pub(crate) fn parse_settings(text: &str) -> Result<Settings, Failure> {
    let document = Document::parse(text).map_err(|error| {
        located_failure(
            text,
            error.span(),
            &format!("not valid TOML: {}", join_lines(error.message())),
        )
    })?;
    // these have every key, so they are the list of the allowed ones
    let allowed = ser::to_document(&Settings::with_all_keys())
        .map_err(|error| Failure::failed(format_args!("the default settings: {error}")))?;
    check_table(text, document.as_table(), allowed.as_table(), "")?;
    de::from_str(text).map_err(|error| {
        let message = error.message();
        match InvalidValue::split(message) {
            Some((problem, allowed)) => located_failure(text, error.span(), problem).hint(allowed),
            None => located_failure(text, error.span(), message),
        }
    })
}

/// Checks that every key of `table` is one of `allowed`, and of its type.
fn check_table(
    text: &str,
    table: &dyn TableLike,
    allowed: &dyn TableLike,
    section: &str,
) -> Result<(), Failure> {
    for (name, item) in table.iter() {
        let span = table.key(name).and_then(toml_edit::Key::span);
        let full = if section.is_empty() {
            name.to_owned()
        } else {
            format!("{section}.{name}")
        };
        let Some(expected) = allowed.get(name) else {
            return Err(unknown_key(text, span, &full, name, allowed));
        };
        if describe_type(expected) != describe_type(item) {
            let problem = format!(
                "`{full}` is {}, not {}",
                describe_type(item),
                describe_type(expected)
            );
            let hint = format!("write it like the default: `{}`", example(name, expected));
            return Err(located_failure(text, item.span().or(span), &problem).hint(hint));
        }
        // all lists of the settings are lists of strings
        let other = |list: &Array| list.iter().find(|value| !value.is_str()).cloned();
        if let Some(other) = item.as_array().and_then(other) {
            let problem = format!(
                "`{full}` has an element of type {}, not only strings",
                other.type_name()
            );
            let hint = format!("write it like the default: `{}`", example(name, expected));
            return Err(located_failure(text, other.span().or(span), &problem).hint(hint));
        }
        if let (Some(inner), Some(allowed)) = (item.as_table_like(), expected.as_table_like()) {
            check_table(text, inner, allowed, &full)?;
        }
    }
    Ok(())
}

fn unknown_key(
    text: &str,
    span: Option<Range<usize>>,
    full: &str,
    name: &str,
    allowed: &dyn TableLike,
) -> Failure {
    let names: Vec<&str> = allowed.iter().map(|(name, _)| name).collect();
    let list = format!("allowed here are `{}`", names.join("`, `"));
    let hint = match closest_name(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    };
    located_failure(text, span, &format!("`{full}` is not a setting")).hint(hint)
}

fn describe_type(item: &Item) -> &'static str {
    if item.as_table_like().is_some() {
        return "a table";
    }
    match item.type_name() {
        "string" => "a string",
        "boolean" => "a boolean",
        "array" | "array of tables" => "a list",
        "integer" | "float" => "a number",
        _ => "a date or time",
    }
}

fn example(name: &str, item: &Item) -> String {
    match item.as_value() {
        Some(value) if item.as_table_like().is_none() => {
            format!("{name} = {}", value.to_string().trim())
        }
        _ => format!("[{name}]"),
    }
}

/// Returns the failure of a problem at `span`, with its line.
fn located_failure(text: &str, span: Option<Range<usize>>, problem: &str) -> Failure {
    let place = span.map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        format!(", line {}", before.matches('\n').count() + 1)
    });
    Failure::usage(format_args!("`{SETTINGS_FILE}`{place}: {problem}"))
}

/// Joins the lines of the parser's message.
fn join_lines(message: &str) -> String {
    message
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn render_failure(text: &str) -> String {
        let failure = parse_settings(text).expect_err("the text is wrong");
        assert_eq!(failure.status(), zts_cli::Status::Usage);
        match failure.hint_text() {
            Some(hint) => format!("{}\nhint: {hint}", failure.message()),
            None => failure.message().to_owned(),
        }
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let settings = parse_settings("").unwrap();
        assert_eq!(settings.openbao.wrap_ttl.duration().as_secs(), 86_400);
        assert_eq!(settings.paths.vms.as_str(), "terraform/vms.tf");
        assert!(!settings.openbao.bind_cidr);
    }

    #[test]
    fn missing_keys_have_their_default() {
        let settings = parse_settings("[openbao]\r\nkv_mount = \"teams/kv\"\r\n").unwrap();
        assert_eq!(settings.openbao.kv_mount.as_str(), "teams/kv");
        assert_eq!(settings.openbao.approle_mount.as_str(), "approle");
    }

    #[test]
    fn tables_may_be_inline_or_dotted() {
        let settings =
            parse_settings("openbao = { wrap_ttl = \"90m\" }\nnetwork.gateway = \"fd00::1\"")
                .unwrap();
        assert_eq!(settings.openbao.wrap_ttl.duration().as_secs(), 5_400);
        assert_eq!(settings.network.gateway.as_str(), "fd00::1");
    }

    #[test]
    fn the_example_of_this_repository_is_valid_and_names_every_key() {
        let text = include_str!("../../../../example/fleet.toml");
        parse_settings(text).unwrap();
        let defaults = ser::to_document(&Settings::with_all_keys()).unwrap();
        let document = Document::parse(text).unwrap();
        for (section, item) in defaults.as_table() {
            for (name, _) in item.as_table_like().unwrap().iter() {
                assert!(
                    document
                        .get(section)
                        .and_then(|item| item.get(name))
                        .is_some(),
                    "{section}.{name}"
                );
            }
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_allowed_keys() {
        assert_snapshot!(render_failure("[openbao]\nadress = \"x\""), @r"
        `fleet.toml`, line 2: `openbao.adress` is not a setting
        hint: did you mean `address`? allowed here are `address`, `kv_mount`, `approle_mount`, `wrap_ttl`, `bind_cidr`
        ");
        assert_snapshot!(render_failure("# fleet\n\n[vault]\n"), @r"
        `fleet.toml`, line 3: `vault` is not a setting
        hint: allowed here are `openbao`, `network`, `paths`, `text`
        ");
        assert_snapshot!(render_failure("zebra = 1"), @r"
        `fleet.toml`, line 1: `zebra` is not a setting
        hint: allowed here are `openbao`, `network`, `paths`, `text`
        ");
    }

    #[test]
    fn a_wrong_type_is_refused_with_an_example() {
        assert_snapshot!(render_failure("[openbao]\nbind_cidr = \"yes\""), @r"
        `fleet.toml`, line 2: `openbao.bind_cidr` is a string, not a boolean
        hint: write it like the default: `bind_cidr = false`
        ");
        assert_snapshot!(render_failure("[network]\nnameservers = \"10.0.0.1\""), @r#"
        `fleet.toml`, line 2: `network.nameservers` is a string, not a list
        hint: write it like the default: `nameservers = ["10.0.0.1"]`
        "#);
        assert_snapshot!(render_failure("openbao = 3"), @r"
        `fleet.toml`, line 1: `openbao` is a number, not a table
        hint: write it like the default: `[openbao]`
        ");
        assert_snapshot!(render_failure("[network]\nnameservers = [10]"), @r#"
        `fleet.toml`, line 2: `network.nameservers` has an element of type integer, not only strings
        hint: write it like the default: `nameservers = ["10.0.0.1"]`
        "#);
    }

    #[test]
    fn an_invalid_value_is_refused_with_its_line_and_the_allowed_values() {
        assert_snapshot!(render_failure("[openbao]\naddress = \"10.0.0.5\""), @r"
        `fleet.toml`, line 2: `10.0.0.5` is not the address of an OpenBao server: `http://` or `https://` is missing
        hint: write it like `https://10.0.0.5:8200`
        ");
        assert_snapshot!(render_failure("[openbao]\nkv_mount = \"/secret\""), @r"
        `fleet.toml`, line 2: `/secret` is not the path of a mount
        hint: allowed are ASCII letters, digits, `-`, `_` and `.`, and single `/` between the parts
        ");
        assert_snapshot!(render_failure("[openbao]\n\nwrap_ttl = \"1 fortnight\""), @r"
        `fleet.toml`, line 3: `1 fortnight` is not a time between one second and ten years
        hint: write a number with `s`, `m` or `h`, such as `24h`
        ");
        assert_snapshot!(render_failure("[openbao]\nwrap_ttl = \"300y\""), @r"
        `fleet.toml`, line 2: `300y` is not a time between one second and ten years
        hint: write a number with `s`, `m` or `h`, such as `24h`
        ");
        assert_snapshot!(render_failure("[openbao]\nwrap_ttl = \"0s\""), @r"
        `fleet.toml`, line 2: `0s` is not a time between one second and ten years
        hint: write a number with `s`, `m` or `h`, such as `24h`
        ");
        assert_snapshot!(render_failure("[network]\ngateway = \"10.0.0.1/24\""), @r"
        `fleet.toml`, line 2: `10.0.0.1/24` is not an IP address
        hint: write it like `10.0.0.1` or `fd00::1`, without a prefix length
        ");
        assert_snapshot!(render_failure("[network]\nnameservers = [\n  \"10.0.0.1\",\n  \"dns\",\n]"), @r"
        `fleet.toml`, line 2: `dns` is not an IP address
        hint: write it like `10.0.0.1` or `fd00::1`, without a prefix length
        ");
        assert_snapshot!(render_failure("[network]\ndomain = \"Example Internal\""), @r"
        `fleet.toml`, line 2: `Example Internal` is not a domain
        hint: allowed are lower-case letters, digits and hyphens, separated by dots, such as `example.internal`
        ");
        assert_snapshot!(render_failure("[paths]\nvms = \"../vms.tf\""), @r"
        `fleet.toml`, line 2: `../vms.tf` is not a path inside the fleet
        hint: write a path relative to `fleet.toml`, without `.` and `..`
        ");
        assert_snapshot!(render_failure("[text]\nflake_entry = '''\nmkHost \"{host_name}\"'''"), @r"
        `fleet.toml`, line 2: `{host_name}` is not a placeholder, did you mean `{hostname}`?
        hint: allowed are `{hostname}`, `{ip}`, `{address}`, `{prefix_length}`, `{gateway}`, `{domain}`, `{nameservers}`
        ");
    }

    #[test]
    fn invalid_toml_is_refused_with_its_line() {
        assert_snapshot!(render_failure("[openbao]\naddress = \n"), @"`fleet.toml`, line 2: not valid TOML: string values must be quoted, expected literal string");
        assert_snapshot!(render_failure("[openbao]\nkv_mount = \"a\"\nkv_mount = \"b\""), @"`fleet.toml`, line 3: not valid TOML: duplicate key");
    }

    proptest::proptest! {
        /// Any text is parsed or refused, without a panic.
        #[test]
        fn any_text(
            lines in proptest::collection::vec("(\\[(openbao|network|paths|text|a)\\]|[a-z_.]{0,12} = [0-9\"\\[{}\\],'ü.:/-]{0,20}|\\PC{0,20})", 0..12),
            depth in 0..5000_usize,
        ) {
            let _ = parse_settings(&lines.join("\n"));
            let _ = parse_settings(&format!("{}\na = {}", lines.join("\n"), "[".repeat(depth)));
        }
    }
}
