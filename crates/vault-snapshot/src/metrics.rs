//! Figures for Prometheus, in a file that `node_exporter` reads.

use std::{
    fmt::Write,
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Name, meaning, value.
pub(crate) type Figure = (&'static str, &'static str, f64);

/// A whole number as Prometheus knows it.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows no other numbers"
)]
pub(crate) fn number(number: u64) -> f64 {
    number as f64
}

/// Writes the file, whole, with all `figures`. One that is not a number keeps what the file says of it. Where the
/// file cannot be written, the job is not undone: a warning tells.
pub(crate) fn write(path: Option<&Path>, figures: &[Figure]) {
    let Some(path) = path else { return };
    let before = fs::read_to_string(path).unwrap_or_default();
    if let Err(cause) = put(path, &text(figures, &before)) {
        cli::warn(format_args!(
            "the metrics are not written to `{}`: {cause}",
            path.display()
        ));
    }
}

fn text(figures: &[Figure], before: &str) -> String {
    let mut text = String::new();
    for (name, help, value) in figures {
        let value = if value.is_nan() {
            earlier(before, name)
        } else {
            Some(*value)
        };
        if let Some(value) = value {
            // writing to a String cannot fail
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
            );
        }
    }
    text
}

fn earlier(before: &str, name: &str) -> Option<f64> {
    let mut lines = before.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(first, _)| *first == name)?;
    value.parse().ok()
}

/// Whole or not at all, and readable: there is nothing secret in it.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut draft = tempfile::Builder::new()
        .prefix(".vault-snapshot-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    draft.write_all(text.as_bytes())?;
    draft.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_stays_as_it_was() {
        let first = text(&[("a", "A", 1.0), ("b", "B", f64::NAN)], "");
        assert_eq!(first, "# HELP a A\n# TYPE a gauge\na 1\n");
        let second = text(&[("a", "A", f64::NAN), ("b", "B", 1_795_549_800.0)], &first);
        assert!(
            second.contains("\na 1\n") && second.ends_with("\nb 1795549800\n"),
            "{second}"
        );
    }
}
