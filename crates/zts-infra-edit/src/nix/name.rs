//! The names of attributes and of systems: parsed from a source, and formatted for one.

use rnix::ast;

use super::expression::literal_string;

/// Returns the name of an attribute; `None` if it is computed (`${…}`).
pub fn attribute_name(attribute: &ast::Attr) -> Option<String> {
    match attribute {
        ast::Attr::Ident(identifier) => Some(identifier.to_string()),
        ast::Attr::Str(string) => literal_string(string),
        ast::Attr::Dynamic(dynamic) => match dynamic.expr()? {
            ast::Expr::Str(string) => literal_string(&string),
            _ => None,
        },
    }
}

/// Formats the name of an attribute: bare if Nix can read it so, and quoted otherwise or if
/// `quoted`.
pub fn format_name(name: &str, quoted: bool) -> String {
    if quoted || !is_identifier(name) {
        quote_name(name)
    } else {
        name.to_owned()
    }
}

/// Returns whether a name is an `ID` of Nix (`[a-zA-Z_][a-zA-Z0-9_'-]*`), and not a keyword.
fn is_identifier(name: &str) -> bool {
    const KEYWORDS: [&str; 10] = [
        "assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with",
    ];
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_'-".contains(&byte))
        && !KEYWORDS.contains(&name)
}

fn quote_name(name: &str) -> String {
    let mut text = String::from('"');
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '$' if letters.peek() == Some(&'{') => text.push_str("\\$"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// Returns whether a text is a system such as `x86_64-linux`.
pub(super) fn is_system(text: &str) -> bool {
    const MACHINES: [&str; 7] = [
        "x86_64",
        "aarch64",
        "i686",
        "armv6l",
        "armv7l",
        "riscv64",
        "powerpc64le",
    ];
    text.split_once('-').is_some_and(|(machine, kernel)| {
        MACHINES.contains(&machine) && matches!(kernel, "linux" | "darwin")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nix_cannot_read_bare_are_quoted() {
        for bare in ["web01", "_x", "web-01", "a'", "iff"] {
            assert_eq!(format_name(bare, false), bare);
        }
        for (name, text) in [
            ("10host", "\"10host\""),
            ("a.b", "\"a.b\""),
            ("if", "\"if\""),
            ("or", "\"or\""),
            ("-a", "\"-a\""),
            ("ü", "\"ü\""),
            ("", "\"\""),
            ("a\"b\\c${d}$e\n", r#""a\"b\\c\${d}$e\n""#),
        ] {
            assert_eq!(format_name(name, false), text);
        }
        assert_eq!(format_name("web01", true), "\"web01\"");
    }

    #[test]
    fn formatted_names_parse_back() {
        for name in ["web01", "a.b", "if", "ü", "a\"b\\c${d}$e\n\t\r", "$${x}"] {
            let source = format!("{{ {} = 1; }}", format_name(name, false));
            let root = super::super::parse::parse_source(&source).unwrap();
            let attribute = root
                .descendants()
                .find_map(|node| super::super::parse::cast::<ast::Attr>(&node));
            assert_eq!(
                attribute
                    .and_then(|attribute| attribute_name(&attribute))
                    .as_deref(),
                Some(name)
            );
        }
    }
}
