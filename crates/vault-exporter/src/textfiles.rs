//! Files of other programs, in the directories of `node_exporter`'s textfile collector.
//!
//! Prometheus's format has each family of metrics once, so the families of several files are
//! merged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use zts_exposition::{Page, flag, seconds};
use zts_secure_fs::{open_at_once, read_file_bounded};

use crate::families::{TEXTFILE_ERROR, TEXTFILE_MODIFIED};

/// The largest file in bytes: one that grows without end must not fill the memory.
const MAX_SIZE: u64 = 1 << 20;
/// The prefixes of this program's own metrics: a second value would spoil the page.
const OWN_PREFIXES: [&str; 4] = [
    "vault_node_",
    "vault_cluster_",
    "vault_ca_",
    "vault_exporter_",
];
const KINDS: [&str; 5] = ["counter", "gauge", "histogram", "summary", "untyped"];

/// Adds the metrics of the files `*.prom` in these directories.
pub(crate) fn add_files(page: &mut Page, directories: &[PathBuf]) {
    let paths: BTreeSet<_> = directories
        .iter()
        .flat_map(|directory| list_files(directory))
        .collect();
    let mut merged = Families::default();
    let mut files = BTreeMap::new();
    for file in paths {
        let added = read_file(&file).and_then(|(families, modified)| {
            merged.add(families)?;
            Some(modified)
        });
        files.insert(file.to_string_lossy().into_owned(), added);
    }
    page.begin(&TEXTFILE_ERROR);
    for (file, modified) in &files {
        let failed = flag(modified.is_none());
        page.sample(&TEXTFILE_ERROR, &[("file", file)], failed);
    }
    page.begin(&TEXTFILE_MODIFIED);
    for (file, modified) in &files {
        if let Some(modified) = modified {
            page.sample(&TEXTFILE_MODIFIED, &[("file", file)], *modified);
        }
    }
    page.append(&merged.to_text());
}

/// Lists the files of a directory, which may not exist yet.
fn list_files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "prom"))
}

/// Reads a file and the time of its last change. A damaged one is left out whole: a missing half
/// would go unnoticed.
fn read_file(path: &Path) -> Option<(Families, f64)> {
    let file = open_at_once(path).ok()?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let text = String::from_utf8(read_file_bounded(file, MAX_SIZE).ok()?).ok()?;
    let families = Families::parse(&text)?;
    let is_own = |name: &String| OWN_PREFIXES.iter().any(|own| name.starts_with(own));
    if families.0.keys().any(is_own) {
        return None;
    }
    Some((families, seconds(metadata.modified().ok()?)))
}

/// Families of metrics by their names.
#[derive(Default)]
struct Families(BTreeMap<String, Family>);

#[derive(Default)]
struct Family {
    help: Option<String>,
    kind: Option<String>,
    /// The lines with samples.
    lines: Vec<String>,
    /// The name and the sorted labels of each sample.
    series: BTreeSet<(String, Vec<(String, String)>)>,
}

impl Families {
    /// Parses a file; none if it is damaged or has a sample twice.
    fn parse(text: &str) -> Option<Self> {
        let mut families = Self::default();
        for comment in text.lines().filter_map(|line| line.strip_prefix('#')) {
            families.add_comment(comment.trim())?;
        }
        let is_sample = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        let lines = text.lines().filter(is_sample);
        for (line, sample) in lines.zip(zts_exposition::parse(text).ok()?) {
            let name = families.family_of(&sample.name).to_owned();
            let family = families.0.entry(name).or_default();
            let mut labels = sample.labels;
            labels.sort();
            if !family.series.insert((sample.name, labels)) {
                return None;
            }
            family.lines.push(line.to_owned());
        }
        Some(families)
    }

    fn add_comment(&mut self, comment: &str) -> Option<()> {
        let mut words = comment.splitn(3, [' ', '\t']);
        let (Some(keyword @ ("HELP" | "TYPE")), Some(name)) = (words.next(), words.next()) else {
            return Some(());
        };
        zts_exposition::parse(&format!("{name} 0")).ok()?;
        let text = words.next().unwrap_or_default().trim();
        let family = self.0.entry(name.to_owned()).or_default();
        let field = match keyword {
            "HELP" => &mut family.help,
            _ if KINDS.contains(&text) => &mut family.kind,
            _ => return None,
        };
        field.get_or_insert_with(|| text.to_owned());
        Some(())
    }

    /// Returns the family of a sample, such as `a` for `a_sum` if `a` is a summary.
    fn family_of<'a>(&self, sample: &'a str) -> &'a str {
        let suffixes = ["_bucket", "_sum", "_count"].iter();
        suffixes
            .filter_map(|suffix| sample.strip_suffix(suffix))
            .find(|base| {
                let kind = self.0.get(*base).and_then(|family| family.kind.as_deref());
                matches!(kind, Some("histogram" | "summary"))
            })
            .unwrap_or(sample)
    }

    /// Adds the families of another file; none if one has another type here, or a sample is here
    /// already.
    fn add(&mut self, other: Self) -> Option<()> {
        let contradicts = |(name, family): (&String, &Family)| {
            self.0.get(name).is_some_and(|known| {
                let kinds = known.kind.as_ref().zip(family.kind.as_ref());
                kinds.is_some_and(|(a, b)| a != b) || !known.series.is_disjoint(&family.series)
            })
        };
        if other.0.iter().any(contradicts) {
            return None;
        }
        for (name, family) in other.0 {
            let known = self.0.entry(name).or_default();
            known.help = known.help.take().or(family.help);
            known.kind = known.kind.take().or(family.kind);
            known.lines.extend(family.lines);
            known.series.extend(family.series);
        }
        Some(())
    }

    fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for (name, family) in &self.0 {
            lines.extend(
                family
                    .help
                    .as_ref()
                    .map(|help| format!("# HELP {name} {help}")),
            );
            lines.extend(
                family
                    .kind
                    .as_ref()
                    .map(|kind| format!("# TYPE {name} {kind}")),
            );
            lines.extend(family.lines.iter().cloned());
        }
        lines.join("\n")
    }
}
