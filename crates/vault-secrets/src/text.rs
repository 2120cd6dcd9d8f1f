//! Names, lists and times as text.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

/// Names of units or of secrets.
pub(crate) type Names = BTreeSet<String>;

/// Returns a list such as `` `a`, `b` ``.
pub(crate) fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let quoted = names.into_iter().map(|name| format!("`{}`", name.as_ref()));
    quoted.collect::<Vec<_>>().join(", ")
}

/// Returns the time since `time` in its largest unit, such as `3h`.
pub(crate) fn ago(time: SystemTime) -> String {
    let passed = SystemTime::now().duration_since(time).unwrap_or_default();
    age(passed)
}

/// Returns a duration in its largest unit.
pub(crate) fn age(passed: Duration) -> String {
    let seconds = passed.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}min", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns the text on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_given_in_its_largest_unit() {
        for (seconds, text) in [(59, "59s"), (61, "1min"), (7_200, "2h"), (172_800, "2d")] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
