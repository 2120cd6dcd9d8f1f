//! Checks of a fleet's files after a run.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use zts_infra_edit::{Error, nix, vms};
use zts_testkit::Fleet;

/// Parses the changed files again.
pub(super) fn parse_files(fleet: &Fleet, paths: &BTreeSet<String>) -> Result<(), String> {
    for path in paths {
        let text = fleet.read(path);
        let result = match Path::new(path)
            .extension()
            .and_then(|extension| extension.to_str())
        {
            Some("nix") => nix::check_syntax(&text).map_err(|error| error.to_string()),
            Some("tf" | "tfvars") => parse_hcl(&text),
            Some("json") => serde_json::from_str::<serde_json::Value>(&text)
                .map(drop)
                .map_err(|error| error.to_string()),
            _ => Ok(()),
        };
        result.map_err(|problem| format!("`{path}` is not valid any more: {problem}\n{text}"))?;
    }
    Ok(())
}

fn parse_hcl(text: &str) -> Result<(), String> {
    match vms::list_vms(text, &vms::MapPlace::default()) {
        Err(error @ Error::Parse { .. }) => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Checks that OpenTofu's files that were formatted before are formatted after.
pub(super) fn keep_format(
    before: &[(PathBuf, Vec<u8>)],
    after: &[(PathBuf, Vec<u8>)],
) -> Result<(), String> {
    let Some(tofu) = zts_testkit::find_program("tofu") else {
        return Ok(()); // the test reports it
    };
    for (path, text) in after {
        let is_code = path
            .extension()
            .is_some_and(|extension| extension == "tf" || extension == "tfvars");
        let old = before.iter().find(|(old, _)| old == path);
        let Some((_, old)) = old.filter(|(_, old)| is_code && old != text) else {
            continue;
        };
        let formatted = format_code(&tofu, text);
        if format_code(&tofu, old) == *old && formatted != *text {
            let text = String::from_utf8_lossy(text);
            return Err(format!(
                "`{}` is not formatted any more:\n{text}",
                path.display()
            ));
        }
    }
    Ok(())
}

fn format_code(tofu: &Path, text: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tofu)
        .args(["fmt", "-"])
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(text));
    output.stdout
}

/// Checks that two states of the files differ in lines with a token only.
pub(super) fn only_tokens_differ(
    before: &[(PathBuf, Vec<u8>)],
    after: &[(PathBuf, Vec<u8>)],
) -> Result<(), String> {
    if without_tokens(before) == without_tokens(after) {
        return Ok(());
    }
    Err("--force changed more than the token".to_owned())
}

/// Returns the lines without those that have a wrapping token, a JWT.
fn without_tokens(files: &[(PathBuf, Vec<u8>)]) -> Vec<(&Path, Vec<String>)> {
    files
        .iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            let lines = text.lines().filter(|line| !line.contains("eyJ"));
            (path.as_path(), lines.map(str::to_owned).collect())
        })
        .collect()
}

/// Checks that no folder is left without a file.
pub(super) fn no_empty_folder(folder: &Path) -> Result<(), String> {
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    if entries.is_empty() {
        return Err(format!("`{}` is left, without files", folder.display()));
    }
    let mut folders = entries
        .iter()
        .filter(|path| path.is_dir() && !path.ends_with(".git"));
    folders.try_for_each(|path| no_empty_folder(path))
}
