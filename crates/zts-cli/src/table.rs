//! Tables for people, numbers in them, and lists of names.

use std::{fmt::Display, io};

use rustix::termios::tcgetwinsize;

/// The least width to which a column is narrowed.
const LEAST_WIDTH: usize = 8;
/// The columns that a caller may put before each line.
const INDENT: usize = 2;

/// Formats rows as lines, with columns as wide as their longest cells and two spaces between them.
/// The widest columns are narrowed to the width of the terminal, if stdout is one, and longer cells
/// take several lines.
///
/// ```
/// let rows = [["NAME", "SIZE"], ["db", "2 KB"]].map(|row| row.map(str::to_owned));
/// assert_eq!(zts_cli::format_table(&rows), ["NAME  SIZE", "db    2 KB"]);
/// ```
pub fn format_table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let width = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    let width = width.checked_sub(INDENT).filter(|width| *width > 0);
    format_within(rows, width)
}

/// Formats a table of at most `width` columns, as far as its columns can be narrowed.
fn format_within<const COLUMNS: usize>(
    rows: &[[String; COLUMNS]],
    width: Option<usize>,
) -> Vec<String> {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    if let Some(width) = width {
        narrow(
            &mut widths,
            width.saturating_sub(2 * COLUMNS.saturating_sub(1)),
        );
    }
    rows.iter()
        .flat_map(|row| format_row(row, widths))
        .collect()
}

/// Narrows the widest columns until their sum is `total`.
fn narrow(widths: &mut [usize], total: usize) {
    while widths.iter().sum::<usize>() > total {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST_WIDTH => *widest -= 1,
            _ => return,
        }
    }
}

/// Formats a row as one line, or as several where a cell is wider than its column.
fn format_row<const COLUMNS: usize>(
    row: &[String; COLUMNS],
    widths: [usize; COLUMNS],
) -> Vec<String> {
    let mut columns = row.iter().zip(widths);
    let cells: [Vec<String>; COLUMNS] = std::array::from_fn(|_| {
        columns
            .next()
            .map(|(cell, width)| wrap(cell, width))
            .unwrap_or_default()
    });
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    let line = |index: usize| {
        let parts = cells.iter().zip(widths).map(|(lines, width)| {
            let part = lines.get(index).map_or("", String::as_str);
            format!("{part:width$}")
        });
        parts.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

/// Splits a cell into lines of at most `width` letters, at blanks where there are some.
fn wrap(cell: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = cell.chars().collect();
    while rest.len() > width && width > 0 {
        let blank = rest[..=width].iter().rposition(|letter| *letter == ' ');
        let end = blank.filter(|end| *end > 0).unwrap_or(width);
        lines.push(rest[..end].iter().collect());
        rest.drain(..end);
        if rest.first() == Some(&' ') {
            rest.remove(0);
        }
    }
    lines.push(rest.into_iter().collect());
    lines
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
    use super::{format_size, format_within};

    #[test]
    fn a_table_fits_the_terminal() {
        let rows = [
            ["SECRET", "SERVICES", ""],
            ["db", "one.service, two.service, three.service", "flawed"],
            ["a-secret-with-a-long-name", "-", ""],
        ]
        .map(|row| row.map(str::to_owned));
        let lines = format_within(&rows, Some(44));
        assert_eq!(
            lines,
            [
                "SECRET             SERVICES",
                "db                 one.service,       flawed",
                "                   two.service,",
                "                   three.service",
                "a-secret-with-a-l  -",
                "ong-name",
            ]
        );
        assert!(
            lines.iter().all(|line| line.chars().count() <= 44),
            "{lines:?}"
        );
        assert_eq!(format_within(&rows, None).len(), 3);
        assert_eq!(format_within(&rows, Some(1))[0], "SECRET    SERVICES");
    }

    #[test]
    fn the_largest_number_has_a_unit() {
        assert_eq!(format_size(u64::MAX), "18 EB");
        assert_eq!(format_size(999_999), "999 KB");
        assert_eq!(format_size(1_000_000), "1.0 MB");
        assert_eq!(format_size(0), "0 B");
    }
}
