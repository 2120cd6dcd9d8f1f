//! The paths of secrets in strings.

use rnix::{NodeOrToken, SyntaxKind, SyntaxNode, SyntaxToken};

use super::references::Moving;
use crate::tool::Tool;

/// The directories in which the tools put secrets, the longest first.
const DIRECTORIES: [(Tool, &str); 3] = [
    (Tool::SopsNix, "/run/secrets-for-users"),
    (Tool::SopsNix, "/run/secrets"),
    (Tool::Agenix, "/run/agenix"),
];
/// The directory of templates in that of secrets.
const RENDERED: &str = "/rendered";

/// Finds the strings and paths with the path of a secret or template that moves, or that may.
/// `files` are the names of files that secrets have by their attribute `name`.
pub(super) fn find_mentions(
    root: &SyntaxNode,
    moving: &Moving<'_>,
    files: &[(Tool, String)],
) -> Vec<(usize, String)> {
    let tokens = root
        .descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
        .filter(|token| {
            matches!(
                token.kind(),
                SyntaxKind::TOKEN_STRING_CONTENT | SyntaxKind::TOKEN_PATH_ABS
            )
        });
    let mut found = Vec::new();
    for token in tokens {
        mentions_in(&token, moving, files, &mut found);
    }
    found
}

fn mentions_in(
    token: &SyntaxToken,
    moving: &Moving<'_>,
    files: &[(Tool, String)],
    found: &mut Vec<(usize, String)>,
) {
    let text = token.text();
    let offset = usize::from(token.text_range().start());
    let is_open = token
        .next_sibling_or_token()
        .is_some_and(|next| next.kind() == SyntaxKind::NODE_INTERPOL);
    for (tool, directory) in DIRECTORIES {
        if moving.moves.iter().all(|one| one.tool != tool) {
            continue;
        }
        let names = names_in(tool, moving, files);
        for (at, _) in text.match_indices(directory) {
            let rest = &text[at + directory.len()..];
            let reason = describe_path(directory, rest, is_open, &names);
            found.extend(reason.map(|reason| (offset + at, reason)));
        }
    }
}

/// Returns the paths of secrets and templates below the directory of a tool, in two parts.
fn names_in<'a>(
    tool: Tool,
    moving: &'a Moving<'_>,
    files: &'a [(Tool, String)],
) -> Vec<(&'static str, &'a str)> {
    let secrets = moving.moves.iter().filter(|one| one.tool == tool);
    let mut names: Vec<(&str, &str)> = secrets.map(|one| ("/", one.old.as_str())).collect();
    let files = files.iter().filter(|(of, _)| *of == tool);
    names.extend(files.map(|(_, name)| ("/", name.as_str())));
    let templates = moving.templates.iter();
    names.extend(templates.map(|name| ("/rendered/", name.as_str())));
    names
}

/// Describes the path in a string behind a directory.
fn describe_path(
    directory: &str,
    rest: &str,
    is_open: bool,
    names: &[(&str, &str)],
) -> Option<String> {
    let is_named = |(before, name): &&(&str, &str)| {
        let behind = rest.strip_prefix(before);
        let behind = behind.and_then(|behind| behind.strip_prefix(name));
        behind.is_some_and(ends_path)
    };
    if let Some((_, name)) = names.iter().find(is_named) {
        return Some(format!("the path of `{name}` in a string"));
    }
    if is_open && ["/", RENDERED, "/rendered/"].contains(&rest) {
        return Some(format!("a path below {directory} that is computed"));
    }
    let is_whole = ends_path(rest) || rest.strip_prefix('/').is_some_and(ends_path);
    (is_whole && !is_open).then(|| format!("{directory} as a whole"))
}

/// Returns whether a text continues no path.
fn ends_path(rest: &str) -> bool {
    let mut letters = rest.chars();
    let is_of_name = |letter: char| letter.is_alphanumeric() || "/_-@+".contains(letter);
    match letters.next() {
        None => true,
        Some('.') => !letters.next().is_some_and(is_of_name),
        Some(letter) => !is_of_name(letter),
    }
}
