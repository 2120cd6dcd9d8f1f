//! Parses `fleet.toml`. An error names the line and the values that are allowed.

use std::{collections::BTreeSet, ops::Range};

use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, Value, de, ser};
use zts_cli::Failure;

use super::{
    checked::InvalidValue,
    settings::{ANY_NAME, SETTINGS_FILE, Settings},
};
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
    let allowed = allowed.as_table();
    Checker { text, allowed }.check_table(document.as_table(), allowed, "")?;
    let mut settings: Settings = de::from_str(text).map_err(|error| {
        let message = error.message();
        match InvalidValue::split(message) {
            Some((problem, allowed)) => located_failure(text, error.span(), problem).hint(allowed),
            None => located_failure(text, error.span(), message),
        }
    })?;
    check_grants(text, document.as_table(), &settings)?;
    settings.given = list_keys(&document);
    Ok(settings)
}

/// Refuses grants that begin with the KV mount: they are below it.
fn check_grants(text: &str, document: &dyn TableLike, settings: &Settings) -> Result<(), Failure> {
    let mount = &settings.openbao.kv_mount;
    let sections = ["hosts", "groups"].map(|section| document.get(section)?.as_table_like());
    let sections = sections.iter().flatten().flat_map(|section| section.iter());
    let grants = sections.filter_map(|(_, item)| item.as_table_like()?.get("grants")?.as_array());
    for grant in grants.flatten() {
        let path = grant
            .as_str()
            .and_then(|grant| grant.strip_prefix(mount.as_str()));
        let Some(path) = path.and_then(|path| path.strip_prefix('/')) else {
            continue;
        };
        let own = path.strip_prefix("data/").unwrap_or(path);
        let problem = format!("`{mount}/{path}` begins with the KV mount `{mount}`");
        return Err(located_failure(text, grant.span(), &problem)
            .hint(format!("grants are below the mount: write `{own}`")));
    }
    Ok(())
}

/// Checks the value of a setting such as `paths.hosts`, written as plain text, and returns it. A
/// list has commas between its texts.
pub(crate) fn check_setting(key: &str, text: &str) -> Result<Value, Failure> {
    let allowed = ser::to_document(&Settings::with_all_keys())
        .map_err(|error| Failure::failed(format_args!("the default settings: {error}")))?;
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let model = allowed.get(section).and_then(|section| section.get(name));
    let Some(model) = model.and_then(Item::as_value) else {
        return Err(unknown_setting(key, allowed.as_table()));
    };
    let value: Value = match model {
        Value::Boolean(_) => match text {
            "true" => true.into(),
            "false" => false.into(),
            _ => {
                return Err(invalid_setting(
                    key,
                    &format!("`{text}` is not `true` or `false`"),
                ));
            }
        },
        Value::Array(_) => {
            let texts = text.split(',').map(str::trim);
            texts.filter(|text| !text.is_empty()).collect()
        }
        _ => text.into(),
    };
    let mut document = DocumentMut::new();
    document[section] = Item::Table(Table::from_iter([(name, value.clone())]));
    match parse_settings(&document.to_string()) {
        Ok(_) => Ok(value),
        Err(failure) => {
            let (_, problem) = failure.message().split_once(": ").unwrap_or_default();
            let invalid = invalid_setting(key, problem);
            Err(match failure.hint_text() {
                Some(hint) => invalid.hint(hint),
                None => invalid,
            })
        }
    }
}

fn invalid_setting(key: &str, problem: &str) -> Failure {
    Failure::usage(format_args!("`{key}`: {problem}"))
}

fn unknown_setting(key: &str, allowed: &Table) -> Failure {
    let first = allowed.get(key.split('.').next().unwrap_or(key));
    let has_values = |item: &Item| {
        let table = item.as_table_like().into_iter();
        let mut items = table.flat_map(|table| table.iter());
        items.any(|(_, item)| item.as_table_like().is_none())
    };
    // types, environments, hosts and groups have names of the user's choice
    if first.is_some_and(|item| !has_values(item)) {
        return Failure::usage(format_args!("`{key}` is a setting that `--set` does not write")).hint(
            "run `create-host init` without it, then add it to `fleet.toml`, whose comments show its place",
        );
    }
    let sections = allowed.iter().filter_map(|(section, item)| {
        let table = item.as_table_like()?;
        let keys = table
            .iter()
            .filter(|(_, item)| item.as_table_like().is_none());
        Some(keys.map(move |(name, _)| format!("{section}.{name}")))
    });
    let keys: Vec<String> = sections.flatten().collect();
    let list = format!("the settings are `{}`", keys.join("`, `"));
    let hint = match closest_name(key, keys.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    };
    Failure::usage(format_args!("`{key}` is not a setting")).hint(hint)
}

/// Lists the keys that have a value, with their sections, such as `paths.hosts`. An empty `vms_map`
/// is none: it is inferred.
fn list_keys(document: &Document<&str>) -> BTreeSet<String> {
    let sections = document.iter();
    let keys = sections.flat_map(|(section, item)| {
        let table = item.as_table_like().into_iter();
        let names = table.flat_map(|table| table.iter());
        let is_set = |(name, item): &(&str, &Item)| *name != "vms_map" || item.as_str() != Some("");
        let names = names.filter(is_set);
        names.map(move |(name, _)| format!("{section}.{name}"))
    });
    keys.collect()
}

/// The text, and the keys that are allowed in it.
struct Checker<'a> {
    text: &'a str,
    allowed: &'a dyn TableLike,
}

impl Checker<'_> {
    /// Checks that every key of `table` is one of `allowed`, and of its type. Sections whose names
    /// the user chooses have [`ANY_NAME`] there.
    fn check_table(
        &self,
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
            let Some(expected) = allowed.get(name).or_else(|| allowed.get(ANY_NAME)) else {
                return Err(self.unknown_key(span, &full, name, allowed));
            };
            self.check_type(item, span.as_ref(), expected, &full)?;
            if let (Some(inner), Some(allowed)) = (item.as_table_like(), expected.as_table_like()) {
                self.check_table(inner, allowed, &full)?;
            }
        }
        Ok(())
    }

    fn check_type(
        &self,
        item: &Item,
        key: Option<&Range<usize>>,
        expected: &Item,
        full: &str,
    ) -> Result<(), Failure> {
        let fail = |span: Option<Range<usize>>, problem: String| {
            let hint = format!("write it like `{}`", example(full, expected));
            Err(located_failure(self.text, span.or(key.cloned()), &problem).hint(hint))
        };
        if describe_type(expected) != describe_type(item) {
            let (actual, wanted) = (describe_type(item), describe_type(expected));
            return fail(item.span(), format!("`{full}` is {actual}, not {wanted}"));
        }
        // all lists of the settings are lists of strings
        let other = |list: &Array| list.iter().find(|value| !value.is_str()).cloned();
        if let Some(other) = item.as_array().and_then(other) {
            let kind = other.type_name();
            let problem = format!("`{full}` has an element of type {kind}, not only strings");
            return fail(other.span(), problem);
        }
        Ok(())
    }

    fn unknown_key(
        &self,
        span: Option<Range<usize>>,
        full: &str,
        name: &str,
        allowed: &dyn TableLike,
    ) -> Failure {
        let names: Vec<&str> = allowed.iter().map(|(name, _)| name).collect();
        let list = format!("allowed here are `{}`", names.join("`, `"));
        let is_value = |item: &Item| item.as_table_like().is_none();
        let hint = match closest_name(name, names.iter().copied()) {
            // a key after the header of a section is a part of it
            _ if self.allowed.get(name).is_some_and(is_value) => {
                format!("write `{name}` at the top, before the first `[section]`")
            }
            Some(near) => format!("did you mean `{near}`? {list}"),
            None => list,
        };
        located_failure(self.text, span, &format!("`{full}` is not a setting")).hint(hint)
    }
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

fn example(full: &str, item: &Item) -> String {
    let name = full.rsplit('.').next().unwrap_or(full);
    match item.as_value() {
        Some(value) if item.as_table_like().is_none() => {
            format!("{name} = {}", value.to_string().trim())
        }
        _ => format!("[{full}]"),
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
#[path = "parse_tests.rs"]
mod tests;
