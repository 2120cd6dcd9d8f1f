//! Tables for people, numbers in them, and lists of names.

use std::fmt::Display;

/// Formats rows as lines, with columns as wide as their longest cells and two spaces between them.
///
/// ```
/// let rows = [["NAME", "SIZE"], ["db", "2 KB"]].map(|row| row.map(str::to_owned));
/// assert_eq!(zts_cli::format_table(&rows), ["NAME  SIZE", "db    2 KB"]);
/// ```
pub fn format_table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths);
        let padded = cells.map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Formats a number of bytes in the unit (of 1,000) that leaves one to three digits before the
/// point, and one behind it where there is one digit.
///
/// ```
/// assert_eq!(zts_cli::format_size(999), "999 B");
/// assert_eq!(zts_cli::format_size(1_450), "1.4 KB");
/// assert_eq!(zts_cli::format_size(52_400_000), "52 MB");
/// ```
pub fn format_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10_000 {
        tenths /= 1000;
        unit = units.next();
    }
    let unit = unit.unwrap_or(&"EB");
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

/// Formats a number with its noun.
///
/// ```
/// assert_eq!(zts_cli::count_noun(1, "snapshot"), "1 snapshot");
/// assert_eq!(zts_cli::count_noun(2, "snapshot"), "2 snapshots");
/// ```
pub fn count_noun(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Formats names as a list, each in backticks.
///
/// ```
/// assert_eq!(zts_cli::quoted_list(["web01", "db01"]), "`web01`, `db01`");
/// ```
pub fn quoted_list(names: impl IntoIterator<Item = impl Display>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::format_size;

    #[test]
    fn the_largest_number_has_a_unit() {
        assert_eq!(format_size(u64::MAX), "18 EB");
        assert_eq!(format_size(999_999), "999 KB");
        assert_eq!(format_size(1_000_000), "1.0 MB");
        assert_eq!(format_size(0), "0 B");
    }
}
