//! Parses a source into a checked syntax tree.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use rnix::ast::{self, AstNode};
use rnix::{ParseError, SyntaxKind, SyntaxNode};

use super::nesting::find_deep_nesting;
use crate::error::{Error, Language, Position};

thread_local! {
    /// The valid sources that were parsed, because each search of a fleet opens the same files.
    static PARSED: RefCell<HashMap<String, rnix::Parse<rnix::Root>>> = RefCell::default();
}

/// The limit of the texts that are kept.
const MAX_PARSED: usize = 2000;

/// Parses a source that is one expression, and returns its root. Each call returns a tree of its
/// own, also for the same text.
pub(super) fn parse_source(source: &str) -> Result<SyntaxNode, Error> {
    let known = PARSED.with_borrow(|parsed| parsed.get(source).map(rnix::Parse::syntax));
    if let Some(root) = known {
        return Ok(root);
    }
    let parsed = parse_checked(source)?;
    let root = parsed.syntax();
    PARSED.with_borrow_mut(|all| {
        if all.len() >= MAX_PARSED {
            all.clear();
        }
        all.insert(source.to_owned(), parsed);
    });
    Ok(root)
}

fn parse_checked(source: &str) -> Result<rnix::Parse<rnix::Root>, Error> {
    let at = |offset: usize, message: String| Error::Parse {
        language: Language::Nix,
        position: Position::at(source, offset),
        message,
    };
    if source.starts_with('\u{feff}') {
        return Err(at(0, "the file begins with a byte order mark".to_owned()));
    }
    if let Some(offset) = find_deep_nesting(source) {
        return Err(at(offset, "it is nested too deep here".to_owned()));
    }
    let parsed = rnix::Root::parse(source);
    if let Some(error) = parsed.errors().first() {
        let (offset, message) = describe_error(error, source);
        return Err(at(offset, message));
    }
    match find_unclosed(&parsed.syntax()) {
        Some(offset) => Err(at(offset, "a `(` is not closed by `)`".to_owned())),
        None => Ok(parsed),
    }
}

/// Finds a parenthesis without its `)`, in whose place `rnix` accepts any token.
fn find_unclosed(root: &SyntaxNode) -> Option<usize> {
    let parens = root
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::NODE_PAREN);
    parens
        .filter(|node| {
            node.last_token()
                .is_none_or(|token| token.kind() != SyntaxKind::TOKEN_R_PAREN)
        })
        .map(|node| node_range(&node).start)
        .next()
}

fn describe_error(error: &ParseError, source: &str) -> (usize, String) {
    let near = |range: &rnix::TextRange| {
        let start = usize::from(range.start());
        let word = source[start..]
            .split_whitespace()
            .next()
            .unwrap_or_default();
        let word: String = word.chars().take(40).collect();
        (start, format!("unexpected `{word}`"))
    };
    match error {
        ParseError::Unexpected(range)
        | ParseError::UnexpectedExtra(range)
        | ParseError::UnexpectedWanted(_, range, _)
        | ParseError::UnexpectedDoubleBind(range) => near(range),
        ParseError::DuplicatedArgs(range, name) => (
            usize::from(range.start()),
            format!("the argument `{name}` appears twice"),
        ),
        ParseError::UnexpectedEOF | ParseError::UnexpectedEOFWanted(_) => {
            (source.len(), "unexpected end of file".to_owned())
        }
        other => (0, other.to_string()),
    }
}

/// Returns the range of a node, without the blanks and comments around it.
pub fn node_range(node: &SyntaxNode) -> Range<usize> {
    let range = node.text_range();
    range.start().into()..range.end().into()
}

/// Returns the untyped node of a typed one.
pub fn untyped<N: AstNode>(typed: &N) -> SyntaxNode {
    typed.syntax().clone()
}

/// Returns the typed node of an untyped one, if it is of that type.
pub fn cast<N: AstNode>(node: &SyntaxNode) -> Option<N> {
    N::cast(node.clone())
}

/// Returns the tokens of a node without blanks and comments, to compare expressions regardless of
/// their layout.
pub(super) fn significant_tokens(node: &SyntaxNode) -> Vec<String> {
    node.descendants_with_tokens()
        .filter_map(rnix::NodeOrToken::into_token)
        .filter(|token| {
            !matches!(
                token.kind(),
                SyntaxKind::TOKEN_WHITESPACE | SyntaxKind::TOKEN_COMMENT
            )
        })
        .map(|token| token.text().replace("\r\n", "\n"))
        .collect()
}

/// Returns the ranges of the strings in a node, whose lines keep their indentation.
pub(super) fn string_ranges(node: &SyntaxNode) -> Vec<Range<usize>> {
    node.descendants()
        .filter(|node| node.kind() == SyntaxKind::NODE_STRING)
        .map(|node| node_range(&node))
        .collect()
}

/// Returns the expression of a source without comments or blanks around it.
pub(super) fn sole_expression(root: &SyntaxNode, source: &str) -> Option<SyntaxNode> {
    let expression = untyped(&cast::<ast::Root>(root)?.expr()?);
    (node_range(&expression) == (0..source.len())).then_some(expression)
}
