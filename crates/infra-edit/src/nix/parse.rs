//! From text to a checked syntax tree.

use std::ops::Range;

use rnix::ast::{self, AstNode};
use rnix::{ParseError, SyntaxKind, SyntaxNode};

use super::depth::too_deep;
use crate::error::{Error, Language, Position};

/// The root of a source that holds one whole expression.
pub(super) fn parse(source: &str) -> Result<SyntaxNode, Error> {
    let at = |offset: usize, message: String| Error::Parse {
        language: Language::Nix,
        position: Position::at(source, offset),
        message,
    };
    if source.starts_with('\u{feff}') {
        return Err(at(0, "the file begins with a byte order mark".to_owned()));
    }
    if let Some(offset) = too_deep(source) {
        return Err(at(offset, "it is nested too deep here".to_owned()));
    }
    let parsed = rnix::Root::parse(source);
    if let Some(error) = parsed.errors().first() {
        let (offset, message) = describe(error, source);
        return Err(at(offset, message));
    }
    let root = parsed.syntax();
    match unclosed(&root) {
        Some(offset) => Err(at(offset, "a `(` is not closed by `)`".to_owned())),
        None => Ok(root),
    }
}

/// `rnix` takes any token for the `)` of a parenthesis, where Nix does not.
fn unclosed(root: &SyntaxNode) -> Option<usize> {
    let parens = root
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::NODE_PAREN);
    parens
        .filter(|node| {
            node.last_token()
                .is_none_or(|token| token.kind() != SyntaxKind::TOKEN_R_PAREN)
        })
        .map(|node| range(&node).start)
        .next()
}

fn describe(error: &ParseError, source: &str) -> (usize, String) {
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
            format!("the argument `{name}` is there twice"),
        ),
        ParseError::UnexpectedEOF | ParseError::UnexpectedEOFWanted(_) => {
            (source.len(), "unexpected end of file".to_owned())
        }
        other => (0, other.to_string()),
    }
}

/// The bytes of `node`, without the blanks and comments around it.
pub(super) fn range(node: &SyntaxNode) -> Range<usize> {
    let range = node.text_range();
    range.start().into()..range.end().into()
}

/// The untyped node behind a typed one.
pub(super) fn node<N: AstNode>(typed: &N) -> SyntaxNode {
    typed.syntax().clone()
}

/// The typed node of an untyped one, if it is of that type.
pub(super) fn cast<N: AstNode>(node: &SyntaxNode) -> Option<N> {
    N::cast(node.clone())
}

/// The tokens of `node` that mean something, to compare two expressions whatever their layout.
pub(super) fn meaning(node: &SyntaxNode) -> Vec<String> {
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

/// The ranges of the strings in `node`, whose lines keep their indentation.
pub(super) fn strings(node: &SyntaxNode) -> Vec<Range<usize>> {
    node.descendants()
        .filter(|node| node.kind() == SyntaxKind::NODE_STRING)
        .map(|node| range(&node))
        .collect()
}

/// The expression of a source that holds nothing else: no comment, no blank line before or after.
pub(super) fn whole_expression(root: &SyntaxNode, source: &str) -> Option<SyntaxNode> {
    let expression = node(&cast::<ast::Root>(root)?.expr()?);
    (range(&expression) == (0..source.len())).then_some(expression)
}
