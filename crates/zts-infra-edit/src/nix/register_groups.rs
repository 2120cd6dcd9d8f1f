//! Groups of hosts whose entries name one of a set, such as `inventory.web01`, where the other
//! hosts do not.

use std::collections::BTreeSet;

use super::abstraction::rename_path;
use super::files::{FleetFiles, Sources};

/// The least hosts of a group.
const LEAST: usize = 2;

/// Returns the groups of other hosts, each of which names its entry in the same set as the host. A
/// group of all hosts is none.
pub(super) fn list_groups(
    files: &dyn FleetFiles,
    others: &[String],
    host: &str,
) -> BTreeSet<Vec<String>> {
    let sources = Sources::new(files);
    let selection = format!(".{host}");
    let mut groups = BTreeSet::new();
    for file in sources.files_that(|text| text.contains(&selection)) {
        for set in sets_of(&file.text, host) {
            let names = |other: &&String| {
                // the file of the other host is like that of this one
                let own = rename_path(&file.path, host, other);
                let own = Some(own).filter(|own| *own != file.path);
                let own = own.and_then(|own| files.read(&own)).unwrap_or_default();
                [&file.text, &own]
                    .iter()
                    .any(|text| sets_of(text, other).contains(set))
            };
            let group: Vec<String> = others.iter().filter(names).cloned().collect();
            if group.len() >= LEAST && group.len() < others.len() {
                groups.insert(group);
            }
        }
    }
    groups
}

/// Returns the names before that of a host in selections: `inventory` of `inventory.web01`.
fn sets_of<'t>(text: &'t str, host: &str) -> BTreeSet<&'t str> {
    let is_letter = |letter: char| letter.is_alphanumeric() || "_-'".contains(letter);
    let selection = format!(".{host}");
    let places = text.match_indices(&selection);
    let sets = places.filter_map(|(start, _)| {
        let after = &text[start + selection.len()..];
        if after.starts_with(is_letter) {
            return None;
        }
        let before = &text[..start];
        let name = before.trim_end_matches(is_letter).len();
        Some(&before[name..]).filter(|name| !name.is_empty())
    });
    sets.collect()
}
