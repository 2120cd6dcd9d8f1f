//! Holds that no files of one crate use each other in a circle.
//!
//! A file uses another where one of its paths (`use` or in code) leads there; re-exports are
//! followed to the file with the definition. Comments, literals and `#[cfg(test)]` items do not
//! count.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its sources fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, iter,
    path::Path,
};

/// The source files of one crate by their path below `src`.
type Sources = BTreeMap<String, String>;

/// A module as the names that lead to it from the root of its crate.
type Module = Vec<String>;

/// Files that use each other.
struct Circle {
    files: String,
    /// Each use, as `a.rs uses b.rs`.
    uses: Vec<String>,
}

#[test]
fn files_do_not_use_each_other_in_circles() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut circles = Vec::new();
    for entry in fs::read_dir(&crates).expect("the folder of all crates can be listed") {
        let folder = entry.expect("an entry can be read").path();
        let name = folder.file_name().and_then(|name| name.to_str());
        let mut sources = Sources::new();
        read_sources(&folder.join("src"), "", &mut sources);
        circles.extend(find_circles(&sources).iter().map(|circle| {
            let uses = circle.uses.join("\n  ");
            format!("{}: {}\n  {uses}", name.unwrap_or_default(), circle.files)
        }));
    }
    assert!(
        circles.is_empty(),
        "move what both files use to a file that uses neither:\n{}",
        circles.join("\n")
    );
}

#[test]
fn circles_are_found() {
    let circles = |sources: &[(&str, &str)]| -> Vec<String> {
        let sources = sources.iter();
        let sources = sources.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let circles = find_circles(&sources.collect()).into_iter();
        circles.map(|circle| circle.files).collect()
    };
    let root = ("lib.rs", "mod a; mod b; mod c; pub use a::A;");
    // directly, over a re-export, and by a path in code
    let uses_b = ("a.rs", "use crate::b::{B, C}; pub struct A;");
    let uses_a = ("b.rs", "pub struct B; fn f() { crate::A::new() }");
    assert_eq!(circles(&[root, uses_b, uses_a]), ["a.rs b.rs"]);
    // one way only
    let text_only = ("b.rs", "// use crate::A;\nconst B: &str = \"crate::A\";");
    assert!(circles(&[root, uses_b, text_only]).is_empty());
    let tested = (
        "b.rs",
        "#[cfg(test)]\nmod tests { use crate::a::A; } pub struct B;",
    );
    assert!(circles(&[root, uses_b, tested]).is_empty());
    // between a parent and its child, and over three files
    let parent = ("a/mod.rs", "mod child; use child::Child; pub struct A;");
    let child = ("a/child.rs", "use super::A; pub struct Child;");
    assert_eq!(circles(&[root, parent, child]), ["a/child.rs a/mod.rs"]);
    let three = [
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use super::c;"),
        ("c.rs", "use crate::a as other;"),
    ];
    assert_eq!(circles(&[&[root][..], &three].concat()), ["a.rs b.rs c.rs"]);
}

fn read_sources(folder: &Path, prefix: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = format!("{prefix}{}", name.unwrap_or_default());
        if path.is_dir() {
            read_sources(&path, &format!("{name}/"), sources);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !name.ends_with("tests.rs")
            && name != "main.rs"
        {
            let text = fs::read_to_string(&path).expect("a source file can be read");
            sources.insert(name, text);
        }
    }
}

/// Returns the circles of one crate.
fn find_circles(sources: &Sources) -> Vec<Circle> {
    let modules: BTreeMap<Module, &str> = sources
        .keys()
        .map(|path| (module_of(path), path.as_str()))
        .collect();
    let paths: BTreeMap<&Module, Vec<UsePath>> = modules
        .iter()
        .map(|(module, path)| (module, read_paths(module, &sources[*path], &modules)))
        .collect();
    let uses: BTreeMap<&str, BTreeSet<&str>> = modules
        .iter()
        .map(|(module, file)| {
            let targets = paths[module].iter();
            let targets = targets.map(|path| modules[&definition(&path.names, &paths)]);
            (*file, targets.filter(|target| target != file).collect())
        })
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses
        .keys()
        .map(|file| (*file, reachable(file, &uses)))
        .collect();
    let circles: BTreeSet<Vec<&str>> = uses
        .keys()
        .filter(|file| reached[*file].contains(*file))
        .map(|file| {
            let others = reached[file].iter().copied();
            others
                .filter(|other| reached[other].contains(file))
                .collect()
        })
        .collect();
    let to_circle = |files: &Vec<&str>| Circle {
        files: files.join(" "),
        uses: files
            .iter()
            .flat_map(|file| uses[file].iter().map(move |used| (file, used)))
            .filter(|(_, used)| files.contains(used))
            .map(|(file, used)| format!("{file} uses {used}"))
            .collect(),
    };
    circles.iter().map(to_circle).collect()
}

fn reachable<'a>(from: &str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<_> = uses[from].iter().copied().collect();
    while let Some(file) = left.pop() {
        if reached.insert(file) {
            left.extend(&uses[file]);
        }
    }
    reached
}

fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs").trim_end_matches("mod");
    let names = path
        .split('/')
        .filter(|name| !name.is_empty() && *name != "lib");
    names.map(ToOwned::to_owned).collect()
}

/// A path to something of the same crate.
struct UsePath {
    /// The names from the root of the crate on.
    names: Module,
    /// The name under which a `use` makes it known.
    alias: Option<String>,
}

/// Returns the module that defines the item at `names`.
fn definition(names: &[String], paths: &BTreeMap<&Module, Vec<UsePath>>) -> Module {
    let mut seen = BTreeSet::new();
    let mut names = names.to_vec();
    loop {
        let longest = (0..=names.len())
            .rev()
            .map(|length| names[..length].to_vec());
        let module = longest.clone().find(|module| paths.contains_key(module));
        let module = module.unwrap_or_default();
        let exported = names.get(module.len()).and_then(|name| {
            let mut exports = paths[&module].iter();
            exports.find(|path| path.alias.as_ref() == Some(name))
        });
        let Some(exported) = exported.filter(|_| seen.insert(names.clone())) else {
            return module;
        };
        let rest = names.split_off(module.len() + 1);
        names = [exported.names.clone(), rest].concat();
    }
}

/// Returns the paths in the text of `module` that begin with `crate`, `self`, `super` or a child
/// module.
fn read_paths(module: &Module, text: &str, modules: &BTreeMap<Module, &str>) -> Vec<UsePath> {
    let tokens = without_tests(&tokenize(text));
    let mut paths = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| tokens[before].as_str());
        let is_path = tokens.get(index + 1).is_some_and(|next| next == "::");
        let child = [module.as_slice(), slice_of(token)].concat();
        let start = match token.as_str() {
            "{" if before == Some("use") => module.clone(),
            _ if !is_path || matches!(before, Some("::" | "$")) => continue,
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            _ if modules.contains_key(&child) => child,
            _ => continue,
        };
        let is_use = before == Some("use");
        let rest = if token == "{" { index } else { index + 2 };
        read_tree(&tokens, rest, &start, is_use, &mut paths);
    }
    paths
}

/// Reads the tree of a path, such as `a::{b, c as d}`, and returns the index behind it.
fn read_tree(
    tokens: &[String],
    mut index: usize,
    start: &[String],
    is_use: bool,
    paths: &mut Vec<UsePath>,
) -> usize {
    let mut names = start.to_vec();
    loop {
        match tokens.get(index).map_or("", String::as_str) {
            "super" => {
                names.pop();
            }
            "self" | "*" => {}
            "{" if is_use => {
                index += 1;
                while tokens.get(index).is_some_and(|token| token != "}") {
                    index = read_tree(tokens, index, &names, is_use, paths);
                    index += usize::from(tokens.get(index).is_some_and(|token| token == ","));
                }
                return index + 1;
            }
            name if is_name(name) => names.push(name.to_owned()),
            _ => break,
        }
        index += 1;
        if tokens.get(index).is_none_or(|token| token != "::") {
            break;
        }
        index += 1;
    }
    let mut alias = names.last().cloned();
    if is_use && tokens.get(index).is_some_and(|token| token == "as") {
        alias = tokens.get(index + 1).cloned();
        index += 2;
    }
    let alias = alias.filter(|_| is_use);
    paths.push(UsePath { names, alias });
    index
}

fn slice_of(token: &String) -> &[String] {
    std::slice::from_ref(token)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_') && token != "as"
}

/// Drops each item behind `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        if !tokens[index..]
            .iter()
            .map(String::as_str)
            .take(7)
            .eq(CFG_TEST)
        {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        index += CFG_TEST.len();
        let mut depth = 0_usize;
        for token in &tokens[index..] {
            index += 1;
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token.as_str(), ";" | "}") {
                break;
            }
        }
    }
    kept
}

/// Splits Rust code into names, `::` and single characters, without comments, literals and blanks.
fn tokenize(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        let hashes = rest
            .strip_prefix('r')
            .map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let raw = hashes.filter(|hashes| rest[1 + hashes..].starts_with('"'));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw {
            let end: String = iter::once('"').chain(iter::repeat_n('#', hashes)).collect();
            let begin = hashes + 2;
            rest[begin..]
                .find(&end)
                .map_or(rest.len(), |at| begin + at + end.len())
        } else if first == '"' {
            literal_length(rest, '"')
        } else if first == '\'' {
            let is_character = rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
            if is_character {
                literal_length(rest, '\'')
            } else {
                1
            }
        } else if is_of_name(first) {
            let length = rest
                .find(|letter| !is_of_name(letter))
                .unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Returns the length of the literal at the beginning of `text`, with its quotes.
fn literal_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if letter == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text.len()
}
