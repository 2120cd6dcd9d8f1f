//! The texts in a fleet's files that settings are found in, read once.

use zts_infra_edit::{
    declarations::{Declaration, list_declarations},
    nix::{self, Literal},
    vms::Notation,
};

use crate::fleet::Fleet;

/// The limit of Nix files that are read.
const MAX_FILES: usize = 4000;

/// The words of which a Nix file must have one to be parsed. This saves time in a large repository.
/// Each attribute that [`Facts::find`] is asked for has one of them in its name.
const WORDS: [&str; 7] = [
    "@hostname@",
    "BAO_ADDR",
    "VAULT_ADDR",
    "ateway",
    "domain",
    "nameservers",
    "vault",
];

/// The literal texts in the fleet's files, each with its file.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) literals: Vec<(String, Literal)>,
    pub(super) declarations: Vec<(String, Declaration)>,
    /// The Nix files with the placeholder of the host's name.
    pub(super) templates: Vec<String>,
    /// The files of OpenTofu.
    pub(super) opentofu: Vec<String>,
}

impl Facts {
    /// Reads the files. One that is not valid has no facts: the run that edits it says why.
    pub(super) fn read(fleet: &Fleet) -> Self {
        let tree = &fleet.tree;
        let mut facts = Self {
            opentofu: tree.find_files(is_opentofu),
            ..Self::default()
        };
        for file in tree
            .find_files(nix::is_nix_file)
            .into_iter()
            .take(MAX_FILES)
        {
            let text = tree.read_text(&file).ok().flatten().unwrap_or_default();
            if !WORDS.iter().any(|word| text.contains(word)) {
                continue;
            }
            if text.contains("@hostname@") {
                facts.templates.push(file);
                continue; // its texts are placeholders
            }
            let literals = nix::list_literals(&text).unwrap_or_default();
            let found = literals.into_iter().map(|literal| (file.clone(), literal));
            facts.literals.extend(found);
        }
        for file in &facts.opentofu {
            let text = tree.read_text(file).ok().flatten().unwrap_or_default();
            let found = list_declarations(&text, notation(file)).unwrap_or_default();
            let found = found.into_iter().map(|one| (file.clone(), one));
            facts.declarations.extend(found);
        }
        facts
    }

    /// Returns the texts of attributes in Nix files whose paths end with one of `names`, and of
    /// OpenTofu's declarations at one of `paths`, each with its place.
    pub(super) fn find(&self, names: &[&[&str]], paths: &[&[&str]]) -> Vec<(Vec<String>, Place)> {
        let literals = self.literals.iter().filter_map(|(file, literal)| {
            let is_named = names.iter().any(|names| literal.is_named(names));
            is_named.then(|| (literal.texts.clone(), Place::new(file, literal.line)))
        });
        let declared = self.declarations.iter().filter_map(|(file, declaration)| {
            let is_there = paths.iter().any(|path| declaration.is_at(path));
            let texts = &declaration.texts;
            (is_there && !texts.is_empty())
                .then(|| (texts.clone(), Place::new(file, declaration.line)))
        });
        literals.chain(declared).collect()
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

impl Place {
    pub(super) fn new(file: &str, line: usize) -> Self {
        Self {
            file: file.to_owned(),
            line,
        }
    }
}

/// Describes places, the first ones by name.
pub(super) fn describe_places(places: &[Place]) -> String {
    const SHOWN: usize = 3;
    if let [place] = places {
        return format!("`{}`, line {}", place.file, place.line);
    }
    let mut files: Vec<String> = places
        .iter()
        .map(|place| format!("`{}`", place.file))
        .collect();
    files.dedup();
    let more = files.len().saturating_sub(SHOWN);
    files.truncate(SHOWN);
    match more {
        0 => files.join(", "),
        more => format!("{} and {more} more", files.join(", ")),
    }
}

/// Returns the text as a setting, if it is a valid one.
pub(super) fn parse_setting<T: TryFrom<String>>(text: &str) -> Option<T> {
    text.to_owned().try_into().ok()
}

/// Groups the places by their values, in the order of the values' first places.
pub(super) fn group<T: PartialEq>(found: Vec<(T, Place)>) -> Vec<(T, Vec<Place>)> {
    let mut groups: Vec<(T, Vec<Place>)> = Vec::new();
    for (value, place) in found {
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, places)) => places.push(place),
            None => groups.push((value, vec![place])),
        }
    }
    groups
}

/// Returns the notation of a file of OpenTofu, or of its data.
pub(super) fn notation(file: &str) -> Notation {
    Notation::of_file(file).unwrap_or(Notation::Hcl)
}

/// Returns whether OpenTofu reads a file by itself.
pub(super) fn is_opentofu(file: &str) -> bool {
    let ends = [
        ".tf",
        ".tofu",
        ".tfvars",
        ".tf.json",
        ".tofu.json",
        ".tfvars.json",
    ];
    ends.iter().any(|end| file.ends_with(end))
}
