//! The files of hosts that a fleet reads by a computed path, such as
//! `./users/${user}/${hostname}.nix`.

use zts_infra_edit::nix;

/// The sign for a part that is computed.
const ANY: char = '*';
/// The sign for the fleet's root.
const ROOT: &str = "/./";

/// A path with computed parts.
pub(super) struct ComputedPath {
    /// The path, with [`ANY`] for each computed part.
    form: String,
    /// True if it begins at the fleet's root; otherwise it is the end of a path.
    is_whole: bool,
}

impl ComputedPath {
    /// Returns whether it can be this path, or the folder of its `default.nix`.
    pub(super) fn can_be(&self, path: &str) -> bool {
        let folder = path.strip_suffix("/default.nix");
        let mut paths = [Some(path), folder].into_iter().flatten();
        paths.any(|path| {
            let end = || {
                let mut parts = path.rmatch_indices('/').map(|(start, _)| start + 1);
                let count = self.form.matches('/').count();
                parts.nth(count).map_or(path, |start| &path[start..])
            };
            let end = if self.is_whole { path } else { end() };
            is_match(&self.form, end)
        })
    }
}

/// Returns the paths with computed parts in a text of the file `file`.
pub(super) fn computed_paths(text: &str, file: &str) -> Vec<ComputedPath> {
    let words = list_words(text);
    words
        .iter()
        .filter_map(|word| read_path(word, file))
        .collect()
}

/// Returns the words with a variable, each with [`ANY`] in its place.
fn list_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let inner = rest
            .strip_prefix("${")
            .and_then(|inner| inner.split_once('}'));
        if let Some((variable, after)) = inner.filter(|(variable, _)| !variable.contains('{')) {
            let is_root = word.is_empty() && nix::is_flake(variable.trim());
            if is_root {
                word.push_str(ROOT);
            } else {
                word.push(ANY);
            }
            rest = after;
            continue;
        }
        if nix::ends_path(letter) {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(letter);
        }
        rest = &rest[letter.len_utf8()..];
    }
    words.push(word);
    words.retain(|word| word.contains(ANY) && word.contains('/'));
    words
}

fn read_path(word: &str, file: &str) -> Option<ComputedPath> {
    let behind_root = word.strip_prefix(ROOT).map(|rest| ("", rest));
    let beside_file = || word.starts_with('.').then_some((file, word));
    if let Some((file, relative)) = behind_root.or_else(beside_file) {
        let form = nix::resolve_path(file, relative)?;
        return Some(ComputedPath {
            form,
            is_whole: true,
        });
    }
    let form = word.trim_start_matches([ANY, '/']).to_owned();
    // a variable alone could be any file
    let has_folder = form
        .split('/')
        .next()
        .is_some_and(|part| !part.contains(ANY));
    (has_folder && form.contains(ANY)).then_some(ComputedPath {
        form,
        is_whole: false,
    })
}

/// Returns whether a path has a form. A computed part has no `/`.
fn is_match(form: &str, path: &str) -> bool {
    let (form, path): (Vec<&str>, Vec<&str>) =
        (form.split('/').collect(), path.split('/').collect());
    form.len() == path.len()
        && form
            .iter()
            .zip(path)
            .all(|(form, part)| is_part(form, part))
}

fn is_part(form: &str, part: &str) -> bool {
    let Some((before, after)) = form.split_once(ANY) else {
        return form == part;
    };
    let after = after.trim_start_matches(|letter| letter != '.' && letter != '-' && letter != '_');
    part.len() > before.len() + after.len() && part.starts_with(before) && part.ends_with(after)
}

/// Returns whether one of the texts, with their paths, reads the file `inner` of a host's folder by
/// a computed path.
pub(super) fn is_read_beside(texts: &[(String, String)], inner: &str) -> bool {
    let words = [
        format!("}}/{inner}"),
        format!("\"/{inner}\""),
        format!("\"{inner}\""),
        format!("+ /{inner}"),
    ];
    let folder = inner.strip_suffix("/default.nix");
    let folder = folder.map(|folder| format!("}}/{folder}"));
    let mut texts = texts.iter();
    texts.any(|(_, text)| {
        words.iter().any(|word| text.contains(word))
            || folder.as_ref().is_some_and(|folder| has_path(text, folder))
    })
}

/// Returns whether a text has a path, and not one of a longer name.
fn has_path(text: &str, path: &str) -> bool {
    let continues = |letter: char| letter.is_alphanumeric() || "-_./".contains(letter);
    let mut places = text.match_indices(path);
    places.any(|(start, _)| !text[start + path.len()..].starts_with(continues))
}
