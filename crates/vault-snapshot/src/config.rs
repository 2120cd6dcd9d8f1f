//! The settings file: values of flags in JSON, such as NixOS writes them for the units.
//!
//! Each setting becomes the default of a flag, so that flags on the command line override it. A
//! flag on the command line also drops the settings that it conflicts with, and a place all places.

use std::{ffi::OsString, path::Path};

use clap::{ArgMatches, Command, FromArgMatches, Id, ValueEnum, parser::ValueSource};
use serde_json::Value;
use zts_cli::{Failure, read_text, unusable};

use crate::{
    cli::{Arguments, AuthMethod, parse_canary},
    encryption::Recipients,
    store::Location,
};

/// Converts the value of a setting into values of its flag.
type Convert = fn(&Value) -> Result<Vec<String>, String>;

/// A setting: its field, the id of its flag, and the conversion of its value.
type Setting = (&'static str, &'static str, Convert);

/// The settings at the top, which all commands with these flags have.
const SHARED: &[Setting] = &[
    ("directories", "dir", paths),
    ("s3", "s3", buckets),
    ("s3_timeout", "s3_timeout", duration),
    ("work_directory", "work", path),
    ("verification_key_files", "verification_key", paths),
    ("age_identity_files", "age_identity", paths),
];

/// The settings of one command each, in an object with the command's name.
const SECTIONS: &[(&str, &[Setting])] = &[
    (
        "save",
        &[
            ("auth_method", "auth", auth_method),
            ("auth_mount", "auth_mount", text),
            ("approle_directory", "approle_dir", path),
            ("role", "role", text),
            ("jwt_file", "jwt_file", path),
            ("age_recipients", "age_recipient", recipients),
            ("signing_key_file", "signing_key", path),
            ("canary", "canary", canary),
            ("cluster_storage_directory", "cluster_storage", path),
            ("same_disk", "same_disk", flag),
            ("retry_timeout", "retry_timeout", duration),
            ("idle_timeout", "idle_timeout", duration),
            ("metrics_file", "metrics_file", path),
        ],
    ),
    (
        "prune",
        &[
            ("keep_last", "keep_last", count),
            ("keep_hourly", "keep_hourly", count),
            ("keep_daily", "keep_daily", count),
            ("keep_weekly", "keep_weekly", count),
            ("keep_monthly", "keep_monthly", count),
        ],
    ),
    (
        "drill",
        &[
            ("unseal_key_files", "unseal_key_file", paths),
            ("allow_readable_key_files", "allow_readable_key_files", flag),
            ("seal_config_file", "seal_config", path),
            ("without_canary", "without_canary", flag),
            ("with_network", "with_network", flag),
            ("hidden_directories", "hide", hidden_directories),
            ("bao_program", "bao_program", path),
            ("step_timeout", "step_timeout", duration),
            ("metrics_file", "metrics_file", path),
            ("approle_directory", "approle_dir", path),
            ("approle_mount", "auth_mount", text),
        ],
    ),
];

/// The flags with places of snapshots. One of them on the command line replaces both.
const PLACES: [&str; 2] = ["dir", "s3"];

/// The values of a flag, of one command or of all that have it.
struct FlagValues {
    /// The name of the setting in the file, such as `save.canary`.
    field: String,
    command: Option<&'static str>,
    flag: &'static str,
    values: Vec<String>,
}

impl FlagValues {
    fn is_flag_of(&self, command: &Command) -> bool {
        self.command.is_none_or(|name| name == command.get_name())
            && command
                .get_arguments()
                .any(|argument| argument.get_id() == self.flag)
    }
}

/// Checks a settings file.
///
/// # Errors
/// The file cannot be read, a setting is unknown or invalid, or two settings conflict.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    read(path).map(drop)
}

/// Parses the command line with the settings as the flags' defaults.
///
/// # Errors
/// As for [`check`].
pub(crate) fn parse_with_settings(
    path: &Path,
    command_line: impl Iterator<Item = OsString>,
) -> Result<Arguments, Failure> {
    let settings = read(path)?;
    let command_line: Vec<_> = command_line.collect();
    let mut program = zts_cli::command::<Arguments>();
    let typed = program.clone().try_get_matches_from(&command_line);
    let typed = typed.map_err(|cause| unusable(path, cause))?;
    if let Some((name, flags)) = typed.subcommand() {
        program = program.mut_subcommand(name, |command| set_defaults(command, &settings, flags));
    }
    let matches = program.try_get_matches_from(command_line);
    let arguments = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    arguments.map_err(|cause| unusable(path, cause))
}

/// Makes the settings defaults of the command's flags, except those that a flag on the command line
/// replaces.
fn set_defaults(command: Command, settings: &[FlagValues], flags: &ArgMatches) -> Command {
    let typed: Vec<_> = flags
        .ids()
        .map(Id::as_str)
        .filter(|id| flags.value_source(id) == Some(ValueSource::CommandLine))
        .collect();
    let is_replaced = |setting: &FlagValues| {
        typed
            .iter()
            .any(|flag| replaces(&command, flag, setting.flag))
    };
    let remaining: Vec<_> = settings
        .iter()
        .filter(|setting| setting.is_flag_of(&command) && !is_replaced(setting))
        .collect();
    remaining.into_iter().fold(command, |command, setting| {
        command.mut_arg(setting.flag, |argument| {
            argument.default_values(&setting.values)
        })
    })
}

/// Returns whether the flag `typed` on the command line replaces the setting of another.
fn replaces(command: &Command, typed: &str, other: &str) -> bool {
    (PLACES.contains(&typed) && PLACES.contains(&other)) || conflict(command, typed, other)
}

/// Returns whether two flags of the command exclude each other.
fn conflict(command: &Command, one: &str, other: &str) -> bool {
    let excludes = |from: &str, to: &str| {
        let mut arguments = command.get_arguments();
        let argument = arguments.find(|argument| argument.get_id() == from);
        argument.is_some_and(|argument| {
            let excluded = command.get_arg_conflicts_with(argument);
            excluded.iter().any(|argument| argument.get_id() == to)
        })
    };
    excludes(one, other) || excludes(other, one)
}

/// Refuses two settings whose flags exclude each other.
fn refuse_conflicts(settings: &[FlagValues]) -> Result<(), String> {
    for command in zts_cli::command::<Arguments>().get_subcommands() {
        let of_command = settings
            .iter()
            .filter(|setting| setting.is_flag_of(command));
        let of_command: Vec<_> = of_command.collect();
        for (index, one) in of_command.iter().enumerate() {
            let mut others = of_command.iter().skip(index + 1);
            if let Some(other) = others.find(|other| conflict(command, one.flag, other.flag)) {
                return Err(format!(
                    "`{}` and `{}` exclude each other",
                    one.field, other.field
                ));
            }
        }
    }
    Ok(())
}

/// Reads the settings that are set.
fn read(path: &Path) -> Result<Vec<FlagValues>, Failure> {
    let settings: Value = serde_json::from_str(&read_text(path)?)
        .map_err(|cause| unusable(path, format_args!("it is no JSON: {cause}")))?;
    convert_all(&settings).map_err(|why| unusable(path, why))
}

fn convert_all(settings: &Value) -> Result<Vec<FlagValues>, String> {
    let mut all = Vec::new();
    for (field, value) in settings.as_object().ok_or("it is no object")? {
        if let Some((command, section)) = SECTIONS.iter().find(|(name, _)| name == field) {
            let fields = value
                .as_object()
                .ok_or_else(|| format!("`{field}`: expected an object"))?;
            for (name, value) in fields {
                let shown = format!("{field}.{name}");
                all.extend(convert(section, Some(command), name, &shown, value)?);
            }
        } else {
            all.extend(convert(SHARED, None, field, field, value)?);
        }
    }
    refuse_conflicts(&all)?;
    Ok(all)
}

/// Converts one setting, and an unset one (`null`) to nothing.
fn convert(
    settings: &[Setting],
    command: Option<&'static str>,
    name: &str,
    shown: &str,
    value: &Value,
) -> Result<Option<FlagValues>, String> {
    let (_, flag, convert) = settings
        .iter()
        .find(|(field, ..)| *field == name)
        .ok_or_else(|| format!("`{shown}` is unknown"))?;
    if value.is_null() {
        return Ok(None);
    }
    let values = convert(value).map_err(|why| format!("`{shown}`: {why}"))?;
    Ok((!values.is_empty()).then_some(FlagValues {
        field: shown.to_owned(),
        command,
        flag,
        values,
    }))
}

fn string(value: &Value) -> Result<&str, String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| "expected a text".to_owned())
}

fn list(value: &Value) -> Result<&[Value], String> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| "expected a list".to_owned())
}

fn text(value: &Value) -> Result<Vec<String>, String> {
    Ok(vec![string(value)?.to_owned()])
}

fn path(value: &Value) -> Result<Vec<String>, String> {
    text(value).map_err(|_| "expected a path".to_owned())
}

fn paths(value: &Value) -> Result<Vec<String>, String> {
    let paths: Result<Vec<_>, String> = list(value)?.iter().map(path).collect();
    Ok(paths?.concat())
}

/// Converts an empty list, which hides nothing, to the value that does so on the command line.
fn hidden_directories(value: &Value) -> Result<Vec<String>, String> {
    let paths = paths(value)?;
    Ok(if paths.is_empty() {
        vec!["none".to_owned()]
    } else {
        paths
    })
}

fn flag(value: &Value) -> Result<Vec<String>, String> {
    let flag = value.as_bool().ok_or("expected `true` or `false`")?;
    Ok(vec![flag.to_string()])
}

fn count(value: &Value) -> Result<Vec<String>, String> {
    let count = value.as_u64().ok_or("expected a number")?;
    Ok(vec![count.to_string()])
}

fn duration(value: &Value) -> Result<Vec<String>, String> {
    let text = string(value).map_err(|_| "expected a time such as `2min`")?;
    zts_cli::duration(text).map_err(|why| format!("`{text}` is no time such as `2min`: {why}"))?;
    Ok(vec![text.to_owned()])
}

fn canary(value: &Value) -> Result<Vec<String>, String> {
    parse_canary(string(value)?)?;
    text(value)
}

fn auth_method(value: &Value) -> Result<Vec<String>, String> {
    let name = string(value)?;
    let method = AuthMethod::from_str(name, false);
    method.map_err(|_| format!("`{name}` is not `token`, `approle`, `jwt` or `kubernetes`"))?;
    text(value)
}

fn recipients(value: &Value) -> Result<Vec<String>, String> {
    let texts = paths(value).map_err(|_| "expected a list of age recipients")?;
    Recipients::parse(&texts).map_err(|failure| failure.message().to_owned())?;
    Ok(texts)
}

fn buckets(value: &Value) -> Result<Vec<String>, String> {
    list(value)?.iter().map(bucket).collect()
}

/// Converts an object with `url` and options to a value of `--s3`.
fn bucket(value: &Value) -> Result<String, String> {
    let fields = value.as_object().ok_or("expected a list of objects")?;
    let (mut url, mut options) = (None, Vec::new());
    for (name, value) in fields {
        let option = match name.as_str() {
            "url" => {
                url = Some(string(value)?);
                continue;
            }
            _ if value.is_null() => continue,
            "region" => format!("region={}", string(value)?),
            "credentials_file" => format!("credentials={}", string(value)?),
            "ca_file" => format!("ca={}", string(value)?),
            "path_style" if value.as_bool() == Some(true) => "style=path".to_owned(),
            "path_style" if value.as_bool() == Some(false) => "style=virtual-host".to_owned(),
            "path_style" => return Err("`path_style`: expected `true` or `false`".to_owned()),
            _ => return Err(format!("`{name}` is unknown")),
        };
        if option.contains('&') {
            return Err(format!("`{name}` must not contain `&`"));
        }
        options.push(option);
    }
    let url = url.ok_or("`url` is missing")?;
    if url.contains('?') {
        return Err("`url` must not contain `?`".to_owned());
    }
    let location = format!("{url}?{}", options.join("&"));
    Location::parse(&location).map_err(|failure| failure.message().to_owned())?;
    Ok(location)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
