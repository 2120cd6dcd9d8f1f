//! Bounds how deep a source is nested: `rnix` and the walks over its tree recurse, and would otherwise
//! end with a stack overflow.

use rnix::SyntaxKind;

/// Levels of brackets, strings' interpolations and operators that nest to the right. People stay below 30.
const DEEPEST: usize = 128;
/// Words in a row that nest to the left: a function with so many arguments, or a sum.
const LONGEST: usize = 1000;

/// What is open at a place in the source.
#[derive(Default)]
struct Level {
    /// A `let` whose `in` has not come yet.
    is_let: bool,
    /// A list, whose elements stand beside each other.
    is_list: bool,
    /// `with` and `assert` whose `;` has not come yet.
    unfinished: usize,
    /// What nests to the right in the expression at hand.
    right: usize,
    /// What may nest to the left in it.
    left: usize,
}

/// The place where `source` is nested too deep, if it is anywhere.
pub(super) fn too_deep(source: &str) -> Option<usize> {
    let mut levels = vec![Level::default()];
    let mut offset = 0;
    for (kind, text) in rnix::tokenize(source) {
        step(&mut levels, kind);
        let depth: usize = levels.len() + levels.iter().map(|level| level.right).sum::<usize>();
        let run = levels.last().map_or(0, |level| level.left);
        if depth > DEEPEST || run > LONGEST {
            return Some(offset);
        }
        offset += text.len();
    }
    None
}

fn step(levels: &mut Vec<Level>, kind: SyntaxKind) {
    use SyntaxKind as S;
    match kind {
        S::TOKEN_L_PAREN | S::TOKEN_L_BRACE | S::TOKEN_INTERPOL_START => {
            levels.push(Level::default());
        }
        S::TOKEN_L_BRACK => levels.push(Level {
            is_list: true,
            ..Level::default()
        }),
        S::TOKEN_LET => levels.push(Level {
            is_let: true,
            ..Level::default()
        }),
        S::TOKEN_R_PAREN | S::TOKEN_R_BRACE | S::TOKEN_R_BRACK | S::TOKEN_INTERPOL_END => {
            while levels.len() > 1 && levels.pop().is_some_and(|level| level.is_let) {}
        }
        S::TOKEN_IN => {
            if levels.last().is_some_and(|level| level.is_let) {
                levels.pop();
            }
            top(levels, |level| level.right += 1);
        }
        S::TOKEN_SEMICOLON => top(levels, |level| match level.unfinished {
            0 => (level.right, level.left) = (0, 0),
            _ => level.unfinished -= 1,
        }),
        S::TOKEN_COMMA => top(levels, |level| (level.right, level.left) = (0, 0)),
        S::TOKEN_WITH | S::TOKEN_ASSERT => top(levels, |level| {
            level.right += 1;
            level.unfinished += 1;
        }),
        S::TOKEN_COLON
        | S::TOKEN_IF
        | S::TOKEN_INVERT
        | S::TOKEN_SUB
        | S::TOKEN_CONCAT
        | S::TOKEN_UPDATE
        | S::TOKEN_IMPLICATION
        | S::TOKEN_PIPE_LEFT => top(levels, |level| level.right += 1),
        S::TOKEN_WHITESPACE
        | S::TOKEN_COMMENT
        | S::TOKEN_STRING_START
        | S::TOKEN_STRING_CONTENT
        | S::TOKEN_STRING_END => {}
        _ => top(levels, |level| level.left += usize::from(!level.is_list)),
    }
}

fn top(levels: &mut [Level], change: impl FnOnce(&mut Level)) {
    if let Some(level) = levels.last_mut() {
        change(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ways to nest without an end: what is repeated, and what closes it.
    const WAYS: [(&str, &str); 20] = [
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
    fn nothing_is_nested_too_deep_for_the_parser() {
        for way in WAYS {
            // as deep as it may be, on the small stack of a test's thread
            let deepest = (1..=LONGEST)
                .rev()
                .map(|times| nested(times, way))
                .find(|source| too_deep(source).is_none())
                .unwrap();
            let started = std::time::Instant::now();
            let parsed = rnix::Root::parse(&deepest);
            let nodes = parsed.syntax().descendants().count();
            let time = started.elapsed();
            eprintln!("{way:?}: {nodes} nodes in {time:?}");
            assert!(nodes > 40, "{way:?}: {nodes} nodes");
            assert!(
                time < std::time::Duration::from_secs(1),
                "{way:?}: {time:?}"
            );
        }
    }

    #[test]
    fn whatever_nests_without_an_end_is_found() {
        for way in WAYS {
            let place = too_deep(&nested(200_000, way));
            assert!(
                place.is_some_and(|place| place < 10_000),
                "{way:?}: {place:?}"
            );
        }
    }

    #[test]
    fn what_people_write_is_not() {
        let binding = "a = let b = f 1; in with b; assert true; if !x then y ++ z else (w: -w) v;";
        for source in [
            format!("{{ {} }}", binding.repeat(2000)),
            format!("[ {} ]", "1 (f 2) \"${a}b\" { c = 3; } ".repeat(2000)),
            format!("''{}''", "${a} and ".repeat(2000)),
            format!("{{ {} ... }}: a", "a ? 1, ".repeat(2000)),
        ] {
            assert_eq!(too_deep(&source), None);
        }
    }
}
