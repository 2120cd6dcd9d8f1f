//! A limit for the nesting of a source. `rnix` and the walks over its tree recurse, and could
//! otherwise overflow the stack.

use rnix::SyntaxKind;

/// The limit for brackets, interpolations in strings, and operators that nest to the right. Usual
/// flakes have fewer than 30 levels.
const MAX_DEPTH: usize = 128;
/// The limit for words in a row, which nest to the left: the arguments of a function, or a sum.
const MAX_RUN: usize = 1000;

/// Operators and words before an expression that nests to the right.
const NESTING_TO_THE_RIGHT: [SyntaxKind; 8] = [
    SyntaxKind::TOKEN_COLON,
    SyntaxKind::TOKEN_IF,
    SyntaxKind::TOKEN_INVERT,
    SyntaxKind::TOKEN_SUB,
    SyntaxKind::TOKEN_CONCAT,
    SyntaxKind::TOKEN_UPDATE,
    SyntaxKind::TOKEN_IMPLICATION,
    SyntaxKind::TOKEN_PIPE_LEFT,
];
/// Tokens that are no expressions of their own.
const NOT_NESTING: [SyntaxKind; 5] = [
    SyntaxKind::TOKEN_WHITESPACE,
    SyntaxKind::TOKEN_COMMENT,
    SyntaxKind::TOKEN_STRING_START,
    SyntaxKind::TOKEN_STRING_CONTENT,
    SyntaxKind::TOKEN_STRING_END,
];

/// An open bracket or `let`, and the nesting inside of it.
#[derive(Default)]
struct Level {
    /// True for a `let` before its `in`.
    is_let: bool,
    /// True for a list, whose elements do not nest.
    is_list: bool,
    /// The number of `with` and `assert` before their `;`.
    unfinished: usize,
    /// The levels that nest to the right in the present expression.
    right: usize,
    /// The levels that may nest to the left in it.
    left: usize,
}

/// Finds the place where `source` is nested too deep.
pub(super) fn find_deep_nesting(source: &str) -> Option<usize> {
    let mut levels = vec![Level::default()];
    let mut offset = 0;
    for (kind, text) in rnix::tokenize(source) {
        track_token(&mut levels, kind);
        let depth: usize = levels.len() + levels.iter().map(|level| level.right).sum::<usize>();
        let run = levels.last().map_or(0, |level| level.left);
        if depth > MAX_DEPTH || run > MAX_RUN {
            return Some(offset);
        }
        offset += text.len();
    }
    None
}

fn track_token(levels: &mut Vec<Level>, kind: SyntaxKind) {
    use SyntaxKind as S;
    match kind {
        S::TOKEN_L_PAREN
        | S::TOKEN_L_BRACE
        | S::TOKEN_L_BRACK
        | S::TOKEN_INTERPOL_START
        | S::TOKEN_LET => levels.push(Level {
            is_list: kind == S::TOKEN_L_BRACK,
            is_let: kind == S::TOKEN_LET,
            ..Level::default()
        }),
        S::TOKEN_R_PAREN | S::TOKEN_R_BRACE | S::TOKEN_R_BRACK | S::TOKEN_INTERPOL_END => {
            while levels.len() > 1 && levels.pop().is_some_and(|level| level.is_let) {}
        }
        S::TOKEN_IN => {
            if levels.last().is_some_and(|level| level.is_let) {
                levels.pop();
            }
            change_top(levels, |level| level.right += 1);
        }
        S::TOKEN_SEMICOLON => change_top(levels, |level| match level.unfinished {
            0 => (level.right, level.left) = (0, 0),
            _ => level.unfinished -= 1,
        }),
        S::TOKEN_COMMA => change_top(levels, |level| (level.right, level.left) = (0, 0)),
        S::TOKEN_WITH | S::TOKEN_ASSERT => change_top(levels, |level| {
            level.right += 1;
            level.unfinished += 1;
        }),
        kind if NESTING_TO_THE_RIGHT.contains(&kind) => {
            change_top(levels, |level| level.right += 1);
        }
        kind if NOT_NESTING.contains(&kind) => {}
        _ => change_top(levels, |level| level.left += usize::from(!level.is_list)),
    }
}

fn change_top(levels: &mut [Level], change: impl FnOnce(&mut Level)) {
    if let Some(level) = levels.last_mut() {
        change(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constructs that nest: the repeated text, and the text that closes it.
    const CONSTRUCTS: [(&str, &str); 20] = [
        ("(", ")"),
        ("[", "]"),
        ("{ a = ", "; }"),
        ("\"${", "}\""),
        ("''${", "}''"),
        ("a: ", ""),
        ("{ a, ... }: ", ""),
        ("let a = 1; in ", ""),
        ("let a = ", "; in a"),
        ("with a; ", ""),
        ("assert a; ", ""),
        ("if a then b else ", ""),
        ("!", ""),
        ("-", ""),
        ("a ++ ", ""),
        ("a // ", ""),
        ("a -> ", ""),
        ("a + ", ""),
        ("a ", ""),
        ("a.\"${", "}\""),
    ];

    fn nested(times: usize, (open, close): (&str, &str)) -> String {
        format!("{}a{}", open.repeat(times), close.repeat(times))
    }

    #[test]
    fn the_parser_survives_nesting_at_the_limit() {
        for construct in CONSTRUCTS {
            // at the limit, on the small stack of a test's thread
            let deepest = (1..=MAX_RUN)
                .rev()
                .map(|times| nested(times, construct))
                .find(|source| find_deep_nesting(source).is_none())
                .unwrap();
            let started = std::time::Instant::now();
            let parsed = rnix::Root::parse(&deepest);
            let nodes = parsed.syntax().descendants().count();
            let time = started.elapsed();
            eprintln!("{construct:?}: {nodes} nodes in {time:?}");
            assert!(nodes > 40, "{construct:?}: {nodes} nodes");
            assert!(
                time < zts_testkit::scale_timeout(std::time::Duration::from_secs(1)),
                "{construct:?}: {time:?}"
            );
        }
    }

    #[test]
    fn deep_nesting_is_found() {
        for construct in CONSTRUCTS {
            let place = find_deep_nesting(&nested(200_000, construct));
            assert!(
                place.is_some_and(|place| place < 10_000),
                "{construct:?}: {place:?}"
            );
        }
    }

    #[test]
    fn usual_sources_are_not_too_deep() {
        let binding = "a = let b = f 1; in with b; assert true; if !x then y ++ z else (w: -w) v;";
        for source in [
            format!("{{ {} }}", binding.repeat(2000)),
            format!("[ {} ]", "1 (f 2) \"${a}b\" { c = 3; } ".repeat(2000)),
            format!("''{}''", "${a} and ".repeat(2000)),
            format!("{{ {} ... }}: a", "a ? 1, ".repeat(2000)),
        ] {
            assert_eq!(find_deep_nesting(&source), None);
        }
    }
}
