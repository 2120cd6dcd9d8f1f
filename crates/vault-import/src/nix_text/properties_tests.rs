//! Properties of the edits, on modules made of random parts.

use proptest::prelude::*;

use rnix::ast::{self, InterpolPart};

use super::layout::move_lines;
use super::shapes_tests::read_moves;
use super::syntax::{cast, parse_source};
use super::{Move, declarations, insert, replace};

const BINDINGS: &str =
    "vault.secrets.app = {\n  owner = \"app\"; # the user\n  services = [ \"app\" ];\n};\n";

fn moves() -> Vec<Move> {
    read_moves(
        "sops a -> app a\n\
         sops a/b -> app b.c = vault.secrets.app.links.\"/etc/x\" = \"b.c\";\n\
         age x -> other x\n\
         sops odd -> app it's ${x}\n",
    )
}

/// Bindings that no edit concerns.
fn kept_binding() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "services.a.enable = true;",
        "sops.defaultSopsFile = ./secrets.yaml;",
        "sops.secrets.stays = {\n  owner = \"ü\"; # why\n};",
        "# a comment\n\nage.identityPaths = [ \"/etc/key\" ];",
        "/* a block\n   comment */\n\nx = ''\n  text ''${x}\n    ${config.sops.secrets.stays.path}\n'';",
        "imports = [ ./a.nix\n\t./b.nix ];",
        "sops.templates.stays.content = \"${config.sops.placeholder.stays} {{\";",
    ])
    .prop_map(str::to_owned)
}

/// Bindings that declare or use what moves.
fn moved_binding() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "sops.secrets.a = { };",
        "sops.secrets.a.owner = \"app\"; # behind",
        "# directly above\nsops.secrets.\"a/b\" = {\n  owner = config.x;\n};",
        "sops = { secrets = { a = { }; }; };",
        "sops = {\n  secrets = {\n    # one\n    a = { };\n\n    stays = { };\n    \"a/b\".mode = \"0440\";\n  };\n};",
        "age.secrets.x.file = ./x.age;",
        "age.secrets = lib.mkIf config.y {\n  x = { file = ./x.age; };\n};",
        "sops.secrets = lib.mkMerge [ { a = { }; } (lib.mkIf config.z { odd = { }; }) ];",
        "config.sops.secrets.a = { };",
        "sops.secrets = let b = { }; in { a = b; } // { \"a/b\" = b // { }; };",
        "sops.templates.t = {\n  content = ''\n    {{ {${config.sops.placeholder.a}\n      b\n  '';\n  path = \"/x\";\n  restartUnits = [ \"a.service\" ];\n};",
        "sops.templates = { u.content = \"${config.sops.placeholder.\"a/b\"}\"; };",
        "sops.templates.t.owner = \"app\";",
        "services.x.file = config.sops.secrets.a.path;",
        "services.y.text = ''\n  ${config.sops.secrets.odd.path}\n\n  ${toString config.age.secrets.x.path} ''${x}\n'';",
        "services.z = with config.sops; [ secrets.a.path config.sops.templates.t.path ];",
        "services.w = \"/run/secrets/a/b\";",
    ])
    .prop_map(str::to_owned)
}

fn module() -> impl Strategy<Value = (String, Vec<String>)> {
    let binding = prop_oneof![
        kept_binding().prop_map(|text| (text, true)),
        moved_binding().prop_map(|text| (text, false)),
    ];
    let separator = prop::sample::select(vec!["\n", "\n\n", "\n", " "]);
    let bindings = prop::collection::vec((binding, separator), 0..9);
    let indent = prop::sample::select(vec!["", "  ", "\t"]);
    (bindings, indent, any::<bool>()).prop_map(|(bindings, indent, has_cr)| {
        let line_break = if has_cr { "\r\n" } else { "\n" };
        let mut text = "{ config, lib, ... }:\n{\n".replace('\n', line_break);
        let mut kept = Vec::new();
        for ((binding, is_kept), separator) in bindings {
            let inner = format!("\n{indent}");
            let binding = binding.replace('\n', &inner).replace('\n', line_break);
            // a comment would take the next binding into its line
            let separator = if binding.contains('#') {
                "\n"
            } else {
                separator
            };
            if binding.starts_with(['#', '/']) && text.ends_with(' ') {
                text.push_str(line_break); // else it would be a comment of the binding before it
            }
            text.extend([indent, &binding]);
            text.push_str(&separator.replace('\n', line_break));
            if is_kept {
                kept.push(binding);
            }
        }
        (format!("{text}}}{line_break}"), kept)
    })
}

/// Expressions with all forms around the options, most of them without sense.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "{ }",
        "true",
        "\"a\"",
        "''\n  {{ ${config.sops.placeholder.a} {\n''",
        "config.sops.secrets.a.path",
        "config.sops.secrets.\"a/b\".path or null",
        "config.sops.placeholder.a",
        "config.sops",
        "[ config.age.secrets.x.path \"${config.sops.secrets.a.path}\" ]",
        "./x.${config.sops.secrets.a.path}",
        "{ inherit (config.sops.secrets) a; inherit (config) sops; }",
        "v",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 60, 4, |inner| {
        let path = prop::sample::select(vec![
            "sops",
            "age",
            "secrets",
            "sops.secrets",
            "age.secrets.x",
            "sops.secrets.a",
            "sops.templates.t",
            "templates.t.content",
            "content",
            "restartUnits",
            "file",
            "\"a/b\"",
            "a",
            "a.owner",
            "config.sops",
            "${v}",
            "sops.${v}.a",
            "home-manager",
        ]);
        let entry = (path, inner.clone(), prop::sample::select(vec![" ", "\n", " # c\n", "\n\n"]));
        let set = prop::collection::btree_map(0..9_usize, entry, 0..4).prop_map(|entries| {
            let mut text = "{".to_owned();
            for (_, (path, value, blank)) in entries {
                text.extend([blank, path, " = ", &value, ";", blank]);
            }
            text + "}"
        });
        prop_oneof![
            4 => set,
            1 => inner.clone().prop_map(|value| format!("lib.mkIf config.x ({value})")),
            1 => inner.clone().prop_map(|value| format!("(if v then {value} else {{ }})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one}) // ({two})")),
            1 => (inner.clone(), inner.clone())
                .prop_map(|(one, two)| format!("(lib.mkMerge [ ({one}) ({two}) ])")),
            1 => (inner.clone(), inner.clone())
                .prop_map(|(one, two)| format!("(let v = {one}; in {two})")),
            1 => inner.clone().prop_map(|value| format!("({{ config, ... }}: {value})")),
            1 => inner.prop_map(|value| format!("(with config.sops.secrets; {value})")),
        ]
    })
}

/// Lines of a string between pairs of single quotes.
fn indented_string() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "\n", "\n  ", "\n    ", "\n      ", "\n\t", "\r\n", "a", " ", "''${x}", "${x}", "${\n x}",
        "''\\n", "\"",
    ]);
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// Returns the parts of the first string of a source, as Nix evaluates them.
fn string_parts(source: &str) -> Vec<String> {
    let root = parse_source(source).unwrap();
    let string = root.descendants().find_map(|node| cast::<ast::Str>(&node));
    let parts = string.unwrap().normalized_parts().into_iter();
    parts
        .map(|part| match part {
            InterpolPart::Literal(text) => text,
            InterpolPart::Interpolation(part) => part.to_string(),
        })
        .filter(|part| !part.is_empty())
        .collect()
}

proptest! {
    #[test]
    fn moved_strings_keep_their_values(
        lines in indented_string(),
        from in "[ ]{0,4}|\t",
        to in "[ ]{0,6}|\t",
    ) {
        let source = format!("x = ''{lines}'';\n{from}y = 1;");
        prop_assume!(parse_source(&format!("{{{source}}}")).is_ok());
        let moved = move_lines(&source, &from, &to);
        let parts = |text: &str| string_parts(&format!("{{{text}}}"));
        prop_assert_eq!(parts(&moved), parts(&source), "{:?}", moved);
        let last = format!("\n{to}y = 1;");
        prop_assert!(moved.ends_with(&last));
    }

    #[test]
    fn other_bindings_stay((source, kept) in module()) {
        let moves = moves();
        let inserted = insert(&source, &moves, BINDINGS).unwrap();
        let replaced = replace(&inserted.text, &moves, &inserted.templates).unwrap();
        for text in [&inserted.text, &replaced.text] {
            let mut rest = text.as_str();
            for binding in &kept {
                let at = rest.find(binding);
                prop_assert!(at.is_some(), "{binding:?} is not in:\n{text}");
                rest = &rest[at.unwrap() + binding.len()..];
            }
        }
        // the new lines are beside the old ones
        let mut lines = inserted.text.lines();
        let is_short = source.lines().any(|line| line.contains("; "));
        for line in source.lines().filter(|_| !is_short) {
            let is_there = lines.any(|one| one == line);
            prop_assert!(is_there, "{line:?} is not in:\n{}", inserted.text);
        }
        let left = declarations(&replaced.text).unwrap();
        for one in &left.secrets {
            prop_assert!(one.name == "stays", "{} in:\n{}", one.name, replaced.text);
        }
        let again = replace(&replaced.text, &moves, &inserted.templates).unwrap();
        prop_assert_eq!(again.text, replaced.text);
    }

    #[test]
    fn any_expression_can_be_edited(source in expression()) {
        let moves = moves();
        prop_assume!(parse_source(&source).is_ok());
        declarations(&source).unwrap();
        let inserted = insert(&source, &moves, BINDINGS).unwrap();
        prop_assert!(parse_source(&inserted.text).is_ok());
        let replaced = replace(&inserted.text, &moves, &inserted.templates).unwrap();
        prop_assert!(parse_source(&replaced.text).is_ok());
        replace(&source, &moves, &["t".to_owned()]).unwrap();
    }

    #[test]
    fn no_text_makes_a_panic(source in "(\\PC|[{}();=.\"'$\n]|sops|age|secrets| a ){0,40}") {
        let moves = moves();
        let _ = declarations(&source);
        let _ = insert(&source, &moves, BINDINGS);
        let _ = replace(&source, &moves, &["t".to_owned()]);
    }
}
