//! Figures for Prometheus, in a file that `node_exporter` reads.

use std::{fs::File, io::Read, path::Path};

use exposition::{Family, Page};

/// Longer than any file of figures, in bytes.
const LONGEST: u64 = 64 << 10;

/// Name, meaning, value.
pub(crate) type Figure = (&'static str, &'static str, f64);

/// Writes the file, whole, with all `figures`. One that is not a number keeps what the file says of it. Where the
/// file cannot be written, the job is not undone: a warning tells.
pub(crate) fn write(path: Option<&Path>, figures: &[Figure]) {
    let Some(path) = path else { return };
    let mut before = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut before));
    if read.is_err() {
        before.clear();
    }
    if let Err(cause) = exposition::write(path, &page(figures, &before)) {
        cli::warn(format_args!(
            "the metrics are not written to `{}`: {cause}",
            path.display()
        ));
    }
}

fn page(figures: &[Figure], before: &str) -> Page {
    let earlier = exposition::parse(before).unwrap_or_default();
    let mut page = Page::default();
    for (name, help, value) in figures {
        let kept = || earlier.iter().find(|sample| sample.name == *name);
        let value = if value.is_nan() {
            kept().map(|sample| sample.value)
        } else {
            Some(*value)
        };
        if let Some(value) = value {
            page.single(&Family::gauge(name, help), value);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_stays_as_it_was() {
        let first = page(&[("a", "A", 1.0), ("b", "B", f64::NAN)], "");
        assert_eq!(first.as_str(), "# HELP a A\n# TYPE a gauge\na 1\n");
        let figures = [("a", "A", f64::NAN), ("b", "B", 1_795_549_800.0)];
        let second = page(&figures, first.as_str());
        let second = second.as_str();
        assert!(
            second.contains("\na 1\n") && second.ends_with("\nb 1795549800\n"),
            "{second}"
        );
    }
}
