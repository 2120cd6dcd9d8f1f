//! `/etc/environment`: lines of `NAME=value`, of which one carries the wrapping token.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use secure_fs::{Guard, Place, copy_access, read_bounded};
use zeroize::Zeroizing;

use crate::failure::Error;

/// Longer than any such file.
const LONGEST: u64 = 1 << 20;

/// What variables begin with; the first that is set counts, as in OpenBao's own command line.
pub(crate) const PREFIXES: [&str; 2] = ["BAO", "VAULT"];

/// The file as it was read.
pub(crate) struct EnvironmentFile {
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
}

impl EnvironmentFile {
    /// Reads the file; one that is not there is empty.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        match read_bounded(path, LONGEST) {
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

    /// The value of `BAO_<name>`, else of `VAULT_<name>`.
    pub(crate) fn either(&self, name: &str) -> Option<String> {
        let mut values = PREFIXES
            .iter()
            .filter_map(|prefix| self.value(&format!("{prefix}_{name}")));
        values.find(|value| !value.is_empty())
    }

    /// The value of a variable: the last line that sets it, without quotes around, and without a comment
    /// behind it.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let line = lines(&self.text).rfind(|line| sets(line, name))?;
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

    /// Takes every line that sets `name` out of the file; the others keep every byte, and the file its
    /// owner, group, mode and access control list.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        if !lines(&self.text).any(|line| sets(line, name)) {
            return Ok(());
        }
        let kept: Vec<u8> = lines(&self.text)
            .filter(|line| !sets(line, name))
            .flatten()
            .copied()
            .collect();
        self.replace(&kept)
            .map_err(|cause| Error::io("take the token out of", &self.path, cause))
    }

    /// Removes what a killed run left beside the file. Only for a run that has the lock.
    pub(crate) fn sweep(&self) {
        if let Ok(place) = Place::find(&self.path, Guard::Strict) {
            let _ = fs::remove_file(place.folder.within(DRAFT)); // one that stays is written over
        }
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let place = Place::find(&self.path, Guard::Strict)?; // a link stays a link
        let original = File::open(place.path())?;
        let draft = place.folder.within(DRAFT);
        let _ = fs::remove_file(&draft); // a killed run's
        let replaced = write_like(&draft, text, &original)
            .and_then(|()| fs::rename(&draft, place.path()))
            .and_then(|()| Ok(place.folder.flush()?));
        let _ = fs::remove_file(&draft);
        replaced
    }
}

/// What the file is called until it is whole: the same in each run, so that one that was killed leaves
/// nothing that the next does not take away.
const DRAFT: &str = ".environment.vault-unwrap";

fn write_like(draft: &Path, text: &[u8], original: &File) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(text)?;
    copy_access(original, &file)?;
    file.sync_all()
}

/// The lines with their ends.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn sets(line: &[u8], name: &str) -> bool {
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
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, EnvironmentFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("environment");
        fs::write(&path, text).unwrap();
        let read = EnvironmentFile::read(&path).unwrap();
        (folder, read)
    }

    #[test]
    fn values_come_without_quotes() {
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
    fn a_hash_inside_a_value_is_a_part_of_it() {
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
    fn openbaos_own_variables_come_first() {
        for (text, value) in [
            ("VAULT_T=old\nBAO_T=new", Some("new")),
            ("VAULT_T=old\nBAO_T=", Some("old")),
            ("T=no", None),
        ] {
            assert_eq!(file(text).1.either("T").as_deref(), value, "{text:?}");
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
            environment.remove("T").unwrap();
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
        none.remove("T").unwrap();
    }

    proptest::proptest! {
        /// Whatever a file holds: what is taken out is gone, and other lines keep every byte.
        #[test]
        fn any_text(lines in proptest::collection::vec("(export )?[ A-U]{0,2}T?[ =#'\"\\r\\PC]{0,12}", 0..12)) {
            let text = lines.join("\n");
            let (folder, environment) = file(&text);
            environment.remove("T").unwrap();
            let after = fs::read_to_string(folder.path().join("environment")).unwrap();
            let kept: Vec<&str> = text
                .split_inclusive('\n')
                .filter(|line| !sets(line.as_bytes(), "T"))
                .collect();
            assert_eq!(after, kept.concat());
            assert_eq!(EnvironmentFile::read(&folder.path().join("environment")).unwrap().value("T"), None);
        }
    }
}
