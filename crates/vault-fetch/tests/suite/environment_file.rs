//! The file for systemd's `EnvironmentFile=`, read by systemd itself and by a shell.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use zts_testkit::Run;

use crate::host::{Host, files};

/// Values with all characters that have a meaning for systemd or a shell.
const ODD: [(&str, &str); 13] = [
    ("QUOTES", "it's \"quoted\" ''' \"\"\""),
    ("BACKSLASHES", r"\ \\ \\\ \n \t \x41 \"),
    ("DOLLARS", "$HOME ${HOME} $$ $(id) $"),
    ("TICKS", "`id` ``"),
    ("LINES", "\n-----BEGIN-----\nabc=\n-----END-----\n\n"),
    ("COMMENT", "# no comment ; neither"),
    ("BLANKS", "  \t around \t "),
    ("ASSIGNS", "A=B\nC=\"D\"\nexport E=F"),
    ("UNICODE", "ü 密码 🔑 \u{85}\u{feff}"),
    ("SPECIFIERS", "%i %% %n !history !! ~ * ? [a]"),
    ("EMPTY", ""),
    ("CONTROLS", "\r\n\x01\x07\x1b[31m\x7f\r"),
    ("_end_with_1", "\\\n\\"),
];

fn written(name: &str) -> Host {
    let host = Host::new(name);
    let values: BTreeMap<_, _> = ODD.into_iter().collect();
    host.put(&json!(values));
    host.fetch()
        .args(["--environment-file", "env"])
        .succeed_silently();
    host
}

fn odd() -> BTreeMap<String, String> {
    files(ODD)
}

#[test]
fn a_shell_that_sources_it_has_the_values() {
    zts_testkit::require_bao!();
    let host = written("env-shell");
    let file = host.output().join("env");
    for (name, value) in ODD {
        let script = format!(". \"$1\" && printf %s \"${name}\"");
        let run = Run::new("/bin/sh").args(["-c", &script, "sh"]).arg(&file);
        let output = run.run();
        assert_eq!(output.stdout, value, "{name}: {output}");
    }
}

/// Calls systemd's own function that reads `EnvironmentFile=`, and the one that selects the
/// variables for a service.
const READER: &str = r#"
import ctypes, json, sys
systemd = ctypes.CDLL(sys.argv[1])
systemd.load_env_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
systemd.env_assignment_is_valid.argtypes = [ctypes.c_char_p]
systemd.env_assignment_is_valid.restype = ctypes.c_bool
found = ctypes.POINTER(ctypes.c_char_p)()
result = systemd.load_env_file(None, sys.argv[2].encode(), ctypes.byref(found))
assert result >= 0, result
variables, index = {}, 0
while found and found[index]:
    if systemd.env_assignment_is_valid(found[index]):
        name, value = found[index].decode().split("=", 1)
        variables[name] = value
    index += 1
json.dump(variables, sys.stdout)
"#;

fn systemd_library() -> Option<std::path::PathBuf> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu/systemd",
        "/usr/lib/aarch64-linux-gnu/systemd",
        "/usr/lib/systemd",
    ];
    let entries = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let mut paths = entries.flatten().flatten().map(|entry| entry.path());
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libsystemd-shared-") && name.ends_with(".so")
    })
}

fn read_by_systemd(python: &Path, library: &Path, file: &Path) -> BTreeMap<String, String> {
    let run = Run::new(python).args(["-c", READER]).arg(library).arg(file);
    let output = run.env("PYTHONUTF8", "1").succeed();
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn systemd_reads_the_values_to_the_letter() {
    zts_testkit::require_bao!();
    let python = zts_testkit::require_program!("python3");
    let Some(library) = systemd_library() else {
        zts_testkit::skip!("no library of systemd's own on this machine");
    };
    let host = written("env-systemd");
    let variables = read_by_systemd(&python, &library, &host.output().join("env"));
    assert_eq!(variables, odd());
}

#[test]
fn the_keys_files_stand_beside_it() {
    zts_testkit::require_bao!();
    let host = written("env-beside");
    let mut expected = odd();
    expected.insert("env".to_owned(), host.files()["env"].clone());
    assert_eq!(host.files(), expected);
}

#[test]
fn a_key_that_cannot_be_a_variable_refuses_the_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("env-refused").with_cached(&json!({ "password": "hunter2" }));
    let mut said = String::new();
    for (key, value) in [
        ("tls.crt", "never-written"),
        ("1st", "never-written"),
        ("NUL", "never-written\0"),
        ("ODD", "never-written\u{ffff}"),
        ("LONG", &"never-written".repeat(12_000)),
        ("env", "never-written"),
    ] {
        host.put(&json!({ "A_FIRST_KEY": "never-written", key: value }));
        let output = host
            .fetch()
            .cached()
            .args(["--environment-file", "env"])
            .run();
        assert_eq!(output.code(), Some(1), "{key}: {output}");
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
        assert_eq!(host.files(), files([("password", "hunter2")]), "{key}");
        assert!(host.files_with("never-written").is_empty(), "{key}");
    }
    insta::assert_snapshot!(said, @r#"
    error: `hosts/env-refused/db` was not written: the key "tls.crt" of `hosts/env-refused/db` cannot be in an environment file: a variable's name has letters, digits and `_` only
    error: `hosts/env-refused/db` was not written: the key "1st" of `hosts/env-refused/db` cannot be in an environment file: a variable's name does not start with a digit
    error: `hosts/env-refused/db` was not written: the key "NUL" of `hosts/env-refused/db` cannot be in an environment file: its value has a NUL character
    error: `hosts/env-refused/db` was not written: the key "ODD" of `hosts/env-refused/db` cannot be in an environment file: its value has a character that is not for exchange (a Unicode noncharacter)
    error: `hosts/env-refused/db` was not written: the key "LONG" of `hosts/env-refused/db` cannot be in an environment file: its value is longer than 128 KiB, the most that Linux hands to a program
    error: `hosts/env-refused/db` was not written: the environment file cannot be named `env`: a key of `hosts/env-refused/db` has that name
    "#);
}

#[test]
fn a_name_that_leads_elsewhere_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = Host::new("env-names");
    host.put(&json!({ "password": "hunter2" }));
    for name in ["", "..", "../env", "/etc/environment", "a/b"] {
        let output = host.fetch().args(["--environment-file", name]).run();
        assert_eq!(output.code(), Some(2), "{name}: {output}");
        assert!(!host.output().exists());
    }
}

#[test]
fn an_empty_secret_is_an_empty_file() {
    zts_testkit::require_bao!();
    let host = Host::new("env-empty");
    host.put(&Value::Object(serde_json::Map::default()));
    host.fetch()
        .args(["--environment-file", "env"])
        .succeed_silently();
    assert_eq!(host.files(), files([("env", "")]));
}
