//! The text format, written.

use std::fmt::{self, Write};

/// What a metric's value means over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the program starts anew.
    Counter,
    /// It is what it is at this moment.
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

/// A metric with all its labels' values.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name, with the unit at its end where it has one.
    pub name: &'static str,
    /// What its value means over time.
    pub kind: Kind,
    /// What it says, in one line.
    pub help: &'static str,
}

impl Family {
    /// A metric whose value is what it is at this moment.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Gauge;
        Self { name, kind, help }
    }

    /// A metric whose value only grows.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Counter;
        Self { name, kind, help }
    }
}

/// A text that is being written: families, each with its samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page(String);

impl Page {
    /// Begins a family: its samples come next.
    pub fn begin(&mut self, family: &Family) {
        let Family { name, kind, help } = family;
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample of `family`, which was begun last. Each combination of labels comes once.
    pub fn sample(&mut self, family: &Family, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(family.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escape(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{after} {}", Number(value));
    }

    /// A family without labels, whole.
    pub fn single(&mut self, family: &Family, value: f64) {
        self.begin(family);
        self.sample(family, &[], value);
    }

    /// Text that is in the format already.
    pub fn append(&mut self, text: &str) {
        self.0.push_str(text);
        if !text.is_empty() && !text.ends_with('\n') {
            self.0.push('\n');
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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
    fn numbers_are_written_as_prometheus_reads_them() {
        let shown = |value| Number(value).to_string();
        assert_eq!(shown(1.0), "1");
        assert_eq!(shown(1_795_549_899.25), "1795549899.25");
        assert_eq!(shown(-0.5), "-0.5");
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(shown(f64::INFINITY), "+Inf");
        assert_eq!(shown(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn what_is_written_is_read() {
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
