//! Files of other programs, in the folders that `node_exporter` would read them from.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use exposition::{Page, flag, seconds};

use crate::families::{TEXTFILE_ERROR, TEXTFILE_MODIFIED};

/// No program writes more; a file that grows without end must not fill this one's memory.
const LARGEST: u64 = 1 << 20;
/// What only this program says: a second value of it would spoil the whole answer.
const OWN: [&str; 4] = [
    "vault_node_",
    "vault_cluster_",
    "vault_ca_",
    "vault_exporter_",
];

/// Adds what stands in the files `*.prom` of these folders.
pub(crate) fn add(page: &mut Page, folders: &[PathBuf]) {
    let files: Vec<_> = folders.iter().flat_map(|folder| list(folder)).collect();
    let contents: Vec<_> = files.iter().map(|file| read(file)).collect();
    page.begin(&TEXTFILE_ERROR);
    for (file, content) in files.iter().zip(&contents) {
        let failed = flag(content.is_none());
        page.sample(&TEXTFILE_ERROR, &[("file", &shown(file))], failed);
    }
    page.begin(&TEXTFILE_MODIFIED);
    for (file, content) in files.iter().zip(&contents) {
        if let Some(content) = content {
            let labels = [("file", &*shown(file))];
            page.sample(&TEXTFILE_MODIFIED, &labels, content.modified);
        }
    }
    for content in contents.into_iter().flatten() {
        page.append(&content.text);
    }
}

struct Content {
    text: String,
    modified: f64,
}

/// A folder that is not there has no files: what writes to it may come later.
fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "prom"))
        .collect();
    files.sort();
    files
}

/// Nothing where it cannot be read or understood: half of a file would be wrong without anybody's notice.
fn read(path: &Path) -> Option<Content> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST + 1).read_to_string(&mut text).ok()?;
    let samples = exposition::parse(&text).ok()?;
    let is_own = |name: &str| OWN.iter().any(|own| name.starts_with(own));
    if text.len() as u64 > LARGEST || samples.iter().any(|sample| is_own(&sample.name)) {
        return None;
    }
    Some(Content {
        text,
        modified: seconds(metadata.modified().ok()?),
    })
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
