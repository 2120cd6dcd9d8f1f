//! The end of a run: its metrics for Prometheus, in a file that `node_exporter` reads, and its
//! failures.

use std::{fs::File, io::Read, path::Path};

use zts_cli::{Failure, warn};
use zts_exposition::{Family, Page};

/// The limit of a metrics file in bytes.
const LIMIT: u64 = 64 << 10;

/// The name, help text and value of a metric. A value of NaN keeps the previous one.
pub(crate) type Metric = (&'static str, &'static str, f64);

/// Writes the metrics file. A failure is only a warning, because the run itself has ended.
pub(crate) fn write_metrics(path: Option<&Path>, metrics: &[Metric]) {
    let Some(path) = path else { return };
    let mut previous = String::new();
    let read = File::open(path).and_then(|file| file.take(LIMIT).read_to_string(&mut previous));
    if read.is_err() {
        previous.clear();
    }
    if let Err(cause) = zts_exposition::write(path, &render_page(metrics, &previous)) {
        warn(format_args!(
            "the metrics could not be written to `{}`: {cause}",
            path.display()
        ));
    }
}

fn render_page(metrics: &[Metric], previous: &str) -> Page {
    let previous = zts_exposition::parse(previous).unwrap_or_default();
    let mut page = Page::default();
    for (name, help, value) in metrics {
        let value = if value.is_nan() {
            let sample = previous.iter().find(|sample| sample.name == *name);
            sample.map(|sample| sample.value)
        } else {
            Some(*value)
        };
        if let Some(value) = value {
            page.single(&Family::gauge(name, help), value);
        }
    }
    page
}

/// Ends the run with the first failure, and prints the others as warnings.
///
/// # Errors
/// The first failure.
pub(crate) fn end_with_first(failures: Vec<Failure>) -> Result<(), Failure> {
    for failure in failures.iter().skip(1) {
        warn(failure.message());
    }
    failures.into_iter().next().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_keeps_the_previous_value() {
        let first = render_page(&[("a", "A", 1.0), ("b", "B", f64::NAN)], "");
        assert_eq!(first.as_str(), "# HELP a A\n# TYPE a gauge\na 1\n");
        let metrics = [("a", "A", f64::NAN), ("b", "B", 1_795_549_800.0)];
        let second = render_page(&metrics, first.as_str());
        let second = second.as_str();
        assert!(
            second.contains("\na 1\n") && second.ends_with("\nb 1795549800\n"),
            "{second}"
        );
    }
}
