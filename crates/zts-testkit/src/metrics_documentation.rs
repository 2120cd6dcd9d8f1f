//! Compares the metrics of a program with its table in `docs/metrics.md`.

use std::{collections::BTreeMap, fs, path::Path};

/// A row of the table: kind, description and label names.
type Row = (String, String, Vec<String>);

/// Asserts that `docs/metrics.md` has, below a heading with `program`, a row for each metric that
/// `page` (Prometheus's text format) declares, word for word, and no other row. The row names all
/// labels of the metric on the page.
pub fn assert_metrics_documented(program: &str, page: &str) {
    let (declared, seen) = (parse_declarations(page), parse_labels(page));
    let documented = read_table(program);
    for (name, (kind, meaning)) in &declared {
        let Some(row) = documented.get(name) else {
            let labels = seen
                .get(name)
                .map_or(String::new(), |labels| labels.join(", "));
            panic!("docs/metrics.md lacks: | `{name}` | {kind} | {labels} | {meaning} |");
        };
        assert_eq!(
            (&row.0, &row.1),
            (kind, meaning),
            "`{name}` in docs/metrics.md"
        );
        for label in seen.get(name).into_iter().flatten() {
            assert!(
                row.2.contains(label),
                "`{name}` in docs/metrics.md lacks the label `{label}`"
            );
        }
    }
    for name in documented.keys() {
        assert!(
            declared.contains_key(name),
            "docs/metrics.md has `{name}`, which {program} does not have"
        );
    }
}

/// Returns the kind and description of each metric that a page declares.
fn parse_declarations(page: &str) -> BTreeMap<String, (String, String)> {
    let of = |start: &str| -> BTreeMap<String, String> {
        let lines = page
            .lines()
            .filter_map(|line| line.strip_prefix(start)?.split_once(' '));
        lines
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    };
    let mut kinds = of("# TYPE ");
    let pairs = of("# HELP ").into_iter();
    pairs
        .map(|(name, meaning)| {
            let kind = kinds.remove(&name).unwrap_or_default();
            (name, (kind, meaning))
        })
        .collect()
}

/// Returns the label names of each metric on a page.
fn parse_labels(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut seen = BTreeMap::<String, Vec<String>>::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let names = rest
            .split("=\"")
            .filter_map(|part| part.rsplit(['{', ',', '"']).next());
        let known = seen.entry(name.to_owned()).or_default();
        let labels = rest.matches("=\"").count();
        for label in names.take(labels).filter(|label| !label.is_empty()) {
            if !known.iter().any(|known| known == label) {
                known.push(label.to_owned());
            }
        }
    }
    seen
}

/// Returns the table of a program, by metric name.
fn read_table(program: &str) -> BTreeMap<String, Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = fs::read_to_string(file).expect("docs/metrics.md is read");
    let mut sections = text.split("\n## ");
    let section = sections
        .find(|section| {
            section
                .lines()
                .next()
                .is_some_and(|title| title.contains(&format!("`{program}`")))
        })
        .unwrap_or_else(|| panic!("docs/metrics.md has no section `{program}`"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, meaning] = cells[..] else {
            panic!("docs/metrics.md: a row has four cells: {line}");
        };
        let labels = labels
            .split(',')
            .map(|label| label.trim().trim_matches('`').to_owned());
        let row = (kind.to_owned(), meaning.to_owned(), labels.collect());
        (name.trim_matches('`').to_owned(), row)
    })
    .collect()
}
