//! The text of `fleet.toml`.
//!
//! The comments are those of the example fleet, which name every key. A setting that was found or
//! given stands below its comment; any other key is a comment with its default.

use toml_edit::DocumentMut;
use zts_cli::Failure;

use crate::fleet::{SETTINGS_FILE, Settings, document, parse_settings, value_of};

use super::{
    answers::{Answers, render_values},
    survey::Survey,
};

/// The file with the comments.
const EXAMPLE: &str = include_str!("../../../../example/fleet.toml");

const HEADER: &str = "\
# Written by `create-host init` from the files of this repository. Edit it as you like.

";

/// Returns the text of the file.
///
/// # Errors
/// A text that means something else than the settings of the survey.
pub(super) fn render_file(survey: &Survey, answers: &Answers) -> Result<String, Failure> {
    let renderer = Renderer {
        survey,
        answers,
        actual: document(&survey.fleet.settings),
        defaults: document(&Settings::default()),
    };
    let mut text = HEADER.to_owned();
    let mut section = "";
    for line in EXAMPLE.lines() {
        if let Some(name) = section_name(line) {
            section = name;
        }
        match setting_name(line).filter(|_| !section.is_empty()) {
            Some(name) => renderer.write_setting(&format!("{section}.{name}"), line, &mut text),
            None => text.extend([line, "\n"]),
        }
    }
    let written = document(&parse_settings(&text)?).to_string();
    if written == renderer.actual.to_string() {
        return Ok(text);
    }
    Err(Failure::failed(format_args!(
        "the text of `{SETTINGS_FILE}` has other settings than those that were found"
    ))
    .hint("nothing was written; please report this, with the shape of your fleet"))
}

/// Returns the name of the section that a line begins: empty for one that is a comment, or whose
/// name the user chooses.
fn section_name(line: &str) -> Option<&str> {
    let header = line.strip_prefix('#').unwrap_or(line);
    let name = header.strip_prefix('[')?.strip_suffix(']')?;
    let is_fixed = header == line && !name.contains('.');
    Some(if is_fixed { name } else { "" })
}

/// Returns the key of a line with a setting, which may be a comment without a space.
fn setting_name(line: &str) -> Option<&str> {
    let setting = line.strip_prefix('#').unwrap_or(line);
    let (name, _) = setting.split_once(" = ")?;
    let letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    name.chars().all(letter).then_some(name)
}

struct Renderer<'a> {
    survey: &'a Survey,
    answers: &'a Answers,
    actual: DocumentMut,
    defaults: DocumentMut,
}

impl Renderer<'_> {
    /// Writes a setting with its origin, or its default as a comment.
    fn write_setting(&self, key: &str, example: &str, text: &mut String) {
        let name = key.rsplit('.').next().unwrap_or(key);
        let mut findings = self.survey.fleet.inference.findings.iter();
        let origin = if self.answers.has(key) {
            Some("# given to `create-host init`".to_owned())
        } else {
            let finding = findings.find(|finding| finding.key == key);
            finding.map(|finding| format!("# found: {}", finding.origin))
        };
        if let (Some(origin), Some(value)) = (origin, value_of(&self.actual, key)) {
            text.extend([&origin, "\n", name, " = ", &value, "\n"]);
            return;
        }
        let setting = match (key, value_of(&self.defaults, key)) {
            ("text.flake_entry", _) => self.describe_entry(text),
            ("text.vm_entry", _) => {
                self.describe_machine(text);
                None
            }
            (_, Some(value)) => Some(format!("{name} = {value}")),
            (_, None) => None,
        };
        let setting = setting.unwrap_or_else(|| example.trim_start_matches('#').to_owned());
        for line in setting.lines() {
            text.extend(["#", line, "\n"]);
        }
    }

    /// Describes the entry of a new host, and returns it as a setting.
    fn describe_entry(&self, text: &mut String) -> Option<String> {
        let preview = &self.survey.preview;
        if let Some(origin) = &preview.entry_origin {
            text.extend([
                "# learnt from the other hosts at each run; at present ",
                origin,
                "\n",
            ]);
        }
        let entry = preview.entry.as_ref()?;
        Some(if entry.contains(['\n', '\'']) {
            format!("flake_entry = '''\n{entry}\n'''")
        } else {
            format!("flake_entry = '{entry}'")
        })
    }

    /// Describes the values that each new machine is given.
    fn describe_machine(&self, text: &mut String) {
        if let Some(flags) = render_values(&self.survey.preview.values) {
            let line = "# learnt from the other machines at each run; values that differ among them are given: ";
            text.extend([line, &flags, "\n"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_example_are_recognised() {
        for (line, section, setting) in [
            ("[paths]", Some("paths"), None),
            ("#[host_types.vps]", Some(""), None),
            ("[hosts.web01]", Some(""), None),
            ("kv_mount = \"secret\"", None, Some("kv_mount")),
            ("#vms = \"\"", None, Some("vms")),
            ("# Path of `a = b`", None, None),
            ("", None, None),
        ] {
            assert_eq!(section_name(line), section, "{line}");
            assert_eq!(setting_name(line), setting, "{line}");
        }
    }
}
