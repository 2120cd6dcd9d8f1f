//! Reads `fleet.toml`; what is wrong in it is told with its line and with what is allowed.

use std::ops::Range;

use cli::Failure;
use toml_edit::{Array, Document, Item, TableLike, de, ser};

use super::{SETTINGS, Settings};
use crate::similar_name::closest;

/// The settings in `text`.
pub(crate) fn read(text: &str) -> Result<Settings, Failure> {
    let document = Document::parse(text).map_err(|error| {
        wrong(
            text,
            error.span(),
            &format!("not valid TOML: {}", one_line(error.message())),
        )
    })?;
    // the defaults hold every key that there is: one list of keys, not two
    let allowed = ser::to_document(&Settings::default())
        .map_err(|error| Failure::failed(format_args!("the default settings: {error}")))?;
    check(text, document.as_table(), allowed.as_table(), "")?;
    de::from_str(text).map_err(|error| {
        let message = error.message();
        match message.split_once('\n') {
            Some((what, allowed)) => wrong(text, error.span(), what).hint(allowed),
            None => wrong(text, error.span(), message),
        }
    })
}

/// Every key of `table` must be one of `allowed`, and of its type.
fn check(
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
            return Err(unknown(text, span, &full, name, allowed));
        };
        if kind(expected) != kind(item) {
            let what = format!("`{full}` is {}, not {}", kind(item), kind(expected));
            let hint = format!("write it like the default: `{}`", example(name, expected));
            return Err(wrong(text, item.span().or(span), &what).hint(hint));
        }
        // every list here is one of strings
        let other = |list: &Array| list.iter().find(|value| !value.is_str()).cloned();
        if let Some(other) = item.as_array().and_then(other) {
            let what = format!("`{full}` holds {}, not only strings", other.type_name());
            let hint = format!("write it like the default: `{}`", example(name, expected));
            return Err(wrong(text, other.span().or(span), &what).hint(hint));
        }
        if let (Some(inner), Some(allowed)) = (item.as_table_like(), expected.as_table_like()) {
            check(text, inner, allowed, &full)?;
        }
    }
    Ok(())
}

fn unknown(
    text: &str,
    span: Option<Range<usize>>,
    full: &str,
    name: &str,
    allowed: &dyn TableLike,
) -> Failure {
    let names: Vec<&str> = allowed.iter().map(|(name, _)| name).collect();
    let list = format!("allowed here are `{}`", names.join("`, `"));
    let hint = match closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    };
    wrong(text, span, &format!("`{full}` is not a setting")).hint(hint)
}

fn kind(item: &Item) -> &'static str {
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

fn wrong(text: &str, span: Option<Range<usize>>, what: &str) -> Failure {
    let place = span.map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        format!(", line {}", before.matches('\n').count() + 1)
    });
    Failure::usage(format_args!("`{SETTINGS}`{place}: {what}"))
}

/// The parser spreads what it says over several lines.
fn one_line(message: &str) -> String {
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

    fn refused(text: &str) -> String {
        let failure = read(text).expect_err("the text is wrong");
        assert_eq!(failure.status(), cli::Status::Usage);
        match failure.hint_text() {
            Some(hint) => format!("{}\nhint: {hint}", failure.message()),
            None => failure.message().to_owned(),
        }
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let settings = read("").unwrap();
        assert_eq!(settings.openbao.wrap_ttl.duration().as_secs(), 86_400);
        assert_eq!(settings.paths.vms.as_str(), "terraform/vms.tf");
        assert!(!settings.openbao.bind_cidr);
    }

    #[test]
    fn what_is_left_out_keeps_its_default() {
        let settings = read("[openbao]\r\nkv_mount = \"teams/kv\"\r\n").unwrap();
        assert_eq!(settings.openbao.kv_mount.as_str(), "teams/kv");
        assert_eq!(settings.openbao.approle_mount.as_str(), "approle");
    }

    #[test]
    fn tables_may_be_inline_or_dotted() {
        let settings =
            read("openbao = { wrap_ttl = \"90m\" }\nnetwork.gateway = \"fd00::1\"").unwrap();
        assert_eq!(settings.openbao.wrap_ttl.duration().as_secs(), 5_400);
        assert_eq!(settings.network.gateway.as_str(), "fd00::1");
    }

    #[test]
    fn the_example_of_this_repository_is_valid_and_names_every_key() {
        let text = include_str!("../../../../fleet.toml");
        read(text).unwrap();
        let defaults = ser::to_document(&Settings::default()).unwrap();
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
    fn a_wrong_key_is_told_with_its_line_and_what_is_allowed() {
        assert_snapshot!(refused("[openbao]\nadress = \"x\""), @r"
        `fleet.toml`, line 2: `openbao.adress` is not a setting
        hint: did you mean `address`? allowed here are `address`, `kv_mount`, `approle_mount`, `wrap_ttl`, `bind_cidr`
        ");
        assert_snapshot!(refused("# fleet\n\n[vault]\n"), @r"
        `fleet.toml`, line 3: `vault` is not a setting
        hint: allowed here are `openbao`, `network`, `paths`, `text`
        ");
        assert_snapshot!(refused("zebra = 1"), @r"
        `fleet.toml`, line 1: `zebra` is not a setting
        hint: allowed here are `openbao`, `network`, `paths`, `text`
        ");
    }

    #[test]
    fn a_wrong_type_is_told_with_an_example() {
        assert_snapshot!(refused("[openbao]\nbind_cidr = \"yes\""), @r"
        `fleet.toml`, line 2: `openbao.bind_cidr` is a string, not a boolean
        hint: write it like the default: `bind_cidr = false`
        ");
        assert_snapshot!(refused("[network]\nnameservers = \"10.0.0.1\""), @r#"
        `fleet.toml`, line 2: `network.nameservers` is a string, not a list
        hint: write it like the default: `nameservers = ["10.0.0.1"]`
        "#);
        assert_snapshot!(refused("openbao = 3"), @r"
        `fleet.toml`, line 1: `openbao` is a number, not a table
        hint: write it like the default: `[openbao]`
        ");
        assert_snapshot!(refused("[network]\nnameservers = [10]"), @r#"
        `fleet.toml`, line 2: `network.nameservers` holds integer, not only strings
        hint: write it like the default: `nameservers = ["10.0.0.1"]`
        "#);
    }

    #[test]
    fn a_wrong_value_is_told_with_its_line_and_what_is_allowed() {
        assert_snapshot!(refused("[openbao]\naddress = \"10.0.0.5\""), @r"
        `fleet.toml`, line 2: `10.0.0.5` is not the address of an OpenBao server: `http://` or `https://` is missing
        hint: an address reads `https://10.0.0.5:8200`
        ");
        assert_snapshot!(refused("[openbao]\nkv_mount = \"/secret\""), @r"
        `fleet.toml`, line 2: `/secret` is not the path of a mount
        hint: ASCII letters, digits, `-`, `_` and `.`, with `/` between the parts only
        ");
        assert_snapshot!(refused("[openbao]\n\nwrap_ttl = \"1 fortnight\""), @r"
        `fleet.toml`, line 3: `1 fortnight` is not a time between one second and ten years
        hint: a number with `s`, `m` or `h`, such as `24h`
        ");
        assert_snapshot!(refused("[openbao]\nwrap_ttl = \"300y\""), @r"
        `fleet.toml`, line 2: `300y` is not a time between one second and ten years
        hint: a number with `s`, `m` or `h`, such as `24h`
        ");
        assert_snapshot!(refused("[openbao]\nwrap_ttl = \"0s\""), @r"
        `fleet.toml`, line 2: `0s` is not a time between one second and ten years
        hint: a number with `s`, `m` or `h`, such as `24h`
        ");
        assert_snapshot!(refused("[network]\ngateway = \"10.0.0.1/24\""), @r"
        `fleet.toml`, line 2: `10.0.0.1/24` is not an IP address
        hint: `10.0.0.1` or `fd00::1`, without a prefix length
        ");
        assert_snapshot!(refused("[network]\nnameservers = [\n  \"10.0.0.1\",\n  \"dns\",\n]"), @r"
        `fleet.toml`, line 2: `dns` is not an IP address
        hint: `10.0.0.1` or `fd00::1`, without a prefix length
        ");
        assert_snapshot!(refused("[network]\ndomain = \"Example Internal\""), @r"
        `fleet.toml`, line 2: `Example Internal` is not a domain
        hint: lower-case letters, digits and hyphens, with dots between, such as `example.internal`
        ");
        assert_snapshot!(refused("[paths]\nvms = \"../vms.tf\""), @r"
        `fleet.toml`, line 2: `../vms.tf` is not a path inside the fleet
        hint: a path relative to `fleet.toml`, without `.` and `..`
        ");
        assert_snapshot!(refused("[text]\nflake_entry = '''\nmkHost \"{host_name}\"'''"), @r"
        `fleet.toml`, line 2: `{host_name}` is not a placeholder, did you mean `{hostname}`?
        hint: allowed are `{hostname}`, `{ip}`, `{address}`, `{prefix_length}`, `{gateway}`, `{domain}`, `{nameservers}`
        ");
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        assert_snapshot!(refused("[openbao]\naddress = \n"), @"`fleet.toml`, line 2: not valid TOML: string values must be quoted, expected literal string");
        assert_snapshot!(refused("[openbao]\nkv_mount = \"a\"\nkv_mount = \"b\""), @"`fleet.toml`, line 3: not valid TOML: duplicate key");
    }

    proptest::proptest! {
        /// Whatever the file holds, it is understood or refused.
        #[test]
        fn any_text(
            lines in proptest::collection::vec("(\\[(openbao|network|paths|text|a)\\]|[a-z_.]{0,12} = [0-9\"\\[{}\\],'ü.:/-]{0,20}|\\PC{0,20})", 0..12),
            depth in 0..5000_usize,
        ) {
            let _ = read(&lines.join("\n"));
            let _ = read(&format!("{}\na = {}", lines.join("\n"), "[".repeat(depth)));
        }
    }
}
