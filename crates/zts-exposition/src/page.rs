//! Writes the text format.

use std::{
    fmt::{self, Write},
    time::SystemTime,
};

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that only grows, until the program restarts.
    Counter,
    /// A current value, which may rise and fall.
    Gauge,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        })
    }
}

/// A metric family: a name, with samples for each combination of labels.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name, which ends with the unit if there is one.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The description, in one line.
    pub help: &'static str,
}

impl Family {
    /// Defines a gauge.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Gauge;
        Self { name, kind, help }
    }

    /// Defines a counter.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Counter;
        Self { name, kind, help }
    }
}

/// A text in the format: families, each with its samples.
///
/// ```
/// use zts_exposition::{Family, Page};
///
/// const SEALED: Family = Family::gauge("node_sealed", "1 if the node is sealed.");
/// let mut page = Page::default();
/// page.begin(&SEALED);
/// page.sample(&SEALED, &[("node", "bao1")], 0.0);
/// assert!(page.as_str().ends_with("node_sealed{node=\"bao1\"} 0\n"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page(String);

impl Page {
    /// Begins a family, whose samples follow.
    pub fn begin(&mut self, family: &Family) {
        let Family { name, kind, help } = family;
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes a sample of `family`, which was begun last. Each combination of labels is written
    /// once.
    pub fn sample(&mut self, family: &Family, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(family.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escape(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{after} {}", Number(value));
    }

    /// Writes a family with one sample and no labels.
    pub fn single(&mut self, family: &Family, value: f64) {
        self.begin(family);
        self.sample(family, &[], value);
    }

    /// Appends text that is already in the format.
    pub fn append(&mut self, text: &str) {
        self.0.push_str(text);
        if !text.is_empty() && !text.ends_with('\n') {
            self.0.push('\n');
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns 1 for true and 0 for false.
pub fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Returns an integer as a sample's value; above 2^53, the nearest one.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has floating-point numbers only, and no count here is that large"
)]
pub fn number(number: u64) -> f64 {
    number as f64
}

/// Returns a time in whole seconds since 1970, or 0 for an earlier time.
pub fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    number(since.unwrap_or_default().as_secs())
}

/// A value in the text format.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: Family = Family::gauge("vault_example", "An example.");

    #[test]
    fn numbers_have_prometheus_form() {
        let shown = |value| Number(value).to_string();
        assert_eq!(shown(1.0), "1");
        assert_eq!(shown(1_795_549_899.25), "1795549899.25");
        assert_eq!(shown(-0.5), "-0.5");
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(shown(f64::INFINITY), "+Inf");
        assert_eq!(shown(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn a_written_page_is_parsed() {
        let mut page = Page::default();
        page.begin(&FAMILY);
        let odd = "a \"b\" \\ c\nd } , ü";
        page.sample(&FAMILY, &[("a", odd), ("b", "")], 2.5);
        page.sample(&FAMILY, &[], f64::INFINITY);
        let samples = crate::parse(page.as_str()).unwrap();
        assert_eq!(samples.len(), 2, "{page:?}");
        assert_eq!(samples[0].name, "vault_example");
        let labels = [("a", odd), ("b", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(samples[0].labels, labels);
        assert!((samples[0].value - 2.5).abs() < f64::EPSILON);
        assert!(samples[1].value.is_infinite());
    }
}
