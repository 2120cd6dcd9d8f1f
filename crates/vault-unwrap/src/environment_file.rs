//! `/etc/environment`: lines of `NAME=value`. One of them has the wrapping token.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;
use zts_secure_fs::{Access, Guard, ResolvedFile, read_bounded, remove_file_if_exists};

use crate::failure::Error;

/// The limit for the size of the file, in bytes.
const MAX_FILE_SIZE: u64 = 1 << 20;

/// The prefixes of variables. The first that is set counts, as in OpenBao's own command line.
pub(crate) const PREFIXES: [&str; 2] = ["BAO", "VAULT"];

/// The content of the file.
pub(crate) struct EnvironmentFile {
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
}

impl EnvironmentFile {
    /// Reads the file. A missing file counts as empty.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        match read_bounded(path, MAX_FILE_SIZE) {
            Ok(text) => Ok(Self {
                path: path.to_owned(),
                text: Zeroizing::new(text),
            }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Self {
                path: path.to_owned(),
                text: Zeroizing::default(),
            }),
            Err(cause) => Err(Error::io("read", path, cause)),
        }
    }

    /// Returns the value of `BAO_<name>`, else of `VAULT_<name>`.
    pub(crate) fn prefixed_value(&self, name: &str) -> Option<String> {
        let mut values = PREFIXES
            .iter()
            .filter_map(|prefix| self.value(&format!("{prefix}_{name}")));
        values.find(|value| !value.is_empty())
    }

    /// Returns the value of a variable by the last line that sets it, without quotes and without a
    /// comment at the end.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let line = lines(&self.text).rfind(|line| sets_variable(line, name))?;
        let text = str::from_utf8(line).ok()?;
        let value = text.split_once('=')?.1.trim();
        let quoted = |quote: char| {
            let rest = value.strip_prefix(quote)?;
            let ends = |at: &usize| {
                let behind = rest[at + 1..].trim_start();
                behind.is_empty() || behind.starts_with('#')
            };
            let mut quotes = rest.match_indices(quote).map(|(at, _)| at);
            Some(&rest[..quotes.find(ends)?])
        };
        let plain = || {
            let comment = value.match_indices('#').map(|(at, _)| at);
            let mut comment = comment.filter(|at| value[..*at].ends_with([' ', '\t']) || *at == 0);
            value[..comment.next().unwrap_or(value.len())].trim_end()
        };
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or_else(plain);
        Some(value.to_owned())
    }

    /// Removes every line that sets `name`. All other lines keep every byte. The file keeps its
    /// owner, group, mode and access control list.
    pub(crate) fn remove_variable(&self, name: &str) -> Result<(), Error> {
        if !lines(&self.text).any(|line| sets_variable(line, name)) {
            return Ok(());
        }
        let kept: Vec<u8> = lines(&self.text)
            .filter(|line| !sets_variable(line, name))
            .flatten()
            .copied()
            .collect();
        self.replace(&kept)
            .map_err(|cause| Error::io("remove the token from", &self.path, cause))
    }

    /// Removes the draft of a killed run. The caller holds the lock on the credentials.
    pub(crate) fn remove_leftover_draft(&self) {
        if let Ok(file) = ResolvedFile::resolve(&self.path, Guard::Strict) {
            // the next draft replaces one that cannot be removed
            let _ = remove_file_if_exists(&file.folder.within(DRAFT));
        }
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let file = ResolvedFile::resolve(&self.path, Guard::Strict)?; // a link stays a link
        let original = File::open(file.path())?;
        let draft = file.folder.draft(DRAFT)?;
        draft
            .write(text, Access::CopyOf(&original))?
            .replace(&file.name)
    }
}

/// The name of the new file until it is complete. It is the same in each run, so the next run
/// removes the draft of one that was killed.
const DRAFT: &str = ".environment.vault-unwrap";

/// Returns the lines with their line endings.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Returns whether a line sets the variable `name`.
fn sets_variable(line: &[u8], name: &str) -> bool {
    let line = line.trim_ascii_start();
    let exported = line
        .strip_prefix(b"export")
        .filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"));
    let line = exported.unwrap_or(line).trim_ascii_start();
    line.strip_prefix(name.as_bytes())
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, EnvironmentFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("environment");
        fs::write(&path, text).unwrap();
        let read = EnvironmentFile::read(&path).unwrap();
        (folder, read)
    }

    #[test]
    fn values_are_read_without_quotes() {
        for line in [
            "T=abc",
            "T=\"abc\"",
            "T='abc'",
            "export T=abc",
            " T = abc ",
            "T=abc\r",
            "T=abc # the token",
            "T=\"abc\" # the \"token\"",
            "T='abc'\t#",
            "X=1\nT=old\nT=abc\nTT=no",
        ] {
            assert_eq!(file(line).1.value("T").as_deref(), Some("abc"), "{line:?}");
        }
        for line in ["", "# T=abc", "TT=abc", "T", "XT=abc"] {
            assert_eq!(file(line).1.value("T"), None, "{line:?}");
        }
    }

    #[test]
    fn a_hash_within_a_value_is_part_of_it() {
        for (line, value) in [
            ("T=a#b", "a#b"),
            ("T=\"a #b\"", "a #b"),
            ("T= # none", ""),
            ("T=\"a", "\"a"),
        ] {
            assert_eq!(file(line).1.value("T").as_deref(), Some(value), "{line:?}");
        }
    }

    #[test]
    fn variables_of_openbao_have_priority() {
        for (text, value) in [
            ("VAULT_T=old\nBAO_T=new", Some("new")),
            ("VAULT_T=old\nBAO_T=", Some("old")),
            ("T=no", None),
        ] {
            assert_eq!(
                file(text).1.prefixed_value("T").as_deref(),
                value,
                "{text:?}"
            );
        }
    }

    #[test]
    fn other_lines_keep_every_byte() {
        let cases = [
            ("A=1\nT=abc\n# T=abc\nB=ü", "A=1\n# T=abc\nB=ü"),
            ("A=1\r\nT=abc\r\nB=2\r\n", "A=1\r\nB=2\r\n"),
            ("T=abc", ""),
            ("A=1\nT=a\nT=b", "A=1\n"),
        ];
        for (before, after) in cases {
            let (folder, environment) = file(before);
            environment.remove_variable("T").unwrap();
            assert_eq!(
                fs::read_to_string(folder.path().join("environment")).unwrap(),
                after,
                "{before:?}"
            );
        }
    }

    #[test]
    fn a_missing_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let none = EnvironmentFile::read(&folder.path().join("none")).unwrap();
        assert_eq!(none.value("T"), None);
        none.remove_variable("T").unwrap();
    }

    proptest::proptest! {
        /// In any file, the variable is removed and other lines keep every byte.
        #[test]
        fn any_text(lines in proptest::collection::vec("(export )?[ A-U]{0,2}T?[ =#'\"\\r\\PC]{0,12}", 0..12)) {
            let text = lines.join("\n");
            let (folder, environment) = file(&text);
            environment.remove_variable("T").unwrap();
            let after = fs::read_to_string(folder.path().join("environment")).unwrap();
            let kept: Vec<&str> = text
                .split_inclusive('\n')
                .filter(|line| !sets_variable(line.as_bytes(), "T"))
                .collect();
            assert_eq!(after, kept.concat());
            assert_eq!(EnvironmentFile::read(&folder.path().join("environment")).unwrap().value("T"), None);
        }
    }
}
