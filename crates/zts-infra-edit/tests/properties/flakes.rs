//! Flakes.

use proptest::prelude::*;
use zts_infra_edit::{Error, nix};

use crate::assert_only_inserted;
use crate::layout::{before_entry, names, new_name, with_line_breaks};

/// A flake around the entries, which go in at `%`.
struct Shape {
    frame: &'static str,
    /// The text before the names of dotted entries.
    path: &'static str,
    /// The hosts that the frame holds itself, before the others. Their names have three letters,
    /// as no name of `names()` has, so that none is there twice.
    own: &'static [&'static str],
}

const fn shape(frame: &'static str, path: &'static str, own: &'static [&'static str]) -> Shape {
    Shape { frame, path, own }
}

const SHAPES: [Shape; 17] = [
    shape(
        "{ outputs = inputs: { nixosConfigurations = {%}; }; }",
        "",
        &[],
    ),
    shape(
        "{\n  outputs = { self, ... }@inputs: rec {\n    nixosConfigurations = rec {%};\n    x = 1;\n  };\n}\n",
        "",
        &[],
    ),
    shape(
        "{\n  outputs = inputs@{ self, ... }:\n  {%};\n}",
        "nixosConfigurations.",
        &[],
    ),
    shape(
        "{\n  outputs = _: {\n    a = 1;\n    b = { };%  };\n}",
        "nixosConfigurations.",
        &[],
    ),
    shape(
        "{ outputs = _: { a = 1;\n\n b = 2; # b\n%\n}; }",
        "nixosConfigurations.",
        &[],
    ),
    shape(
        "{\n\toutputs = _:\n\t\tlet\n\t\t\thosts = {%};\n\t\tin\n\t\t{\n\t\t\tnixosConfigurations = hosts;\n\t\t};\n}\n",
        "",
        &[],
    ),
    shape(
        "{ outputs = _: let hosts.zzz = 1;%\nin { nixosConfigurations = hosts; }; }",
        "hosts.",
        &["zzz"],
    ),
    shape(
        "{\n  outputs = _: let nixosConfigurations = {%}; in { inherit nixosConfigurations; };\n}\n",
        "",
        &[],
    ),
    shape(
        "{\n    outputs = inputs: inputs.flake-parts.lib.mkFlake { inherit inputs; } {%};\n}\n",
        "flake.nixosConfigurations.",
        &[],
    ),
    shape(
        "{\n  inputs.parts.url = \"github:hercules-ci/flake-parts\";\n  outputs = i: i.parts.lib.mkFlake { } ({ ... }: {\n    flake = { nixosConfigurations = {%}; };\n  });\n}\n",
        "",
        &[],
    ),
    shape(
        "{\n  outputs = _: {\n    nixosConfigurations = f [ \"zzz\" ] // {%};\n  } // each (s: { });\n}\n",
        "",
        &["zzz"],
    ),
    shape(
        "{\n  outputs = _: {\n    nixosConfigurations = { zzz = 1; } // {%};\n  };\n}\n",
        "",
        &["zzz"],
    ),
    shape(
        "{\n  outputs = _: {\n    nixosConfigurations = lib.mapAttrs (name: host: f name host) {%};\n  };\n}\n",
        "",
        &[],
    ),
    shape(
        "{\n  outputs = _: let machines = {%};\n in {\n    nixosConfigurations = builtins.mapAttrs f machines;\n  };\n}\n",
        "",
        &[],
    ),
    shape(
        "{\n  outputs = i: i.fup.lib.mkFlake {\n    inherit (i) self;\n    hosts = {%};\n  };\n}\n",
        "",
        &[],
    ),
    shape(
        "{\n  outputs = i: i.fup.lib.mkFlake {\n    inherit (i) self;\n    hosts.zzz = 1;%};\n}\n",
        "hosts.",
        &["zzz"],
    ),
    shape(
        "{\n  outputs = i: i.flake-parts.lib.mkFlake { } {\n    lite-config = { hosts = {%}; };\n  };\n}\n",
        "",
        &[],
    ),
];

const VALUES: [&str; 7] = [
    "1",
    "mkHost \"a\"",
    "mk {\n  a = 1; # one\n\n  b = [\n    \"x\"\n  ];\n}",
    "mk ''\n  web05 = 1; }\n    ${\"x\"}\n''",
    "let a = 1; in { inherit a; }",
    "with x; { nixosConfigurations = { web05 = 1; }; }",
    "f \"\n multi\" /* { */ ./x",
];

#[derive(Debug, Clone)]
struct Flake {
    source: String,
    names: Vec<String>,
}

prop_compose! {
    fn flake()(
        names in names(),
        shape in 0..SHAPES.len(),
        crlf in any::<bool>(),
        last in before_entry(),
    )(
        entries in names.iter().map(|name| entry(name, SHAPES[shape].path)).collect::<Vec<_>>(),
        names in Just(names),
        last in Just(last),
        shape in Just(shape),
        crlf in Just(crlf),
    ) -> Flake {
        let Shape { frame, own, .. } = &SHAPES[shape];
        let source = frame.replacen('%', &(entries.concat() + &last), 1);
        let names = own.iter().map(|name| (*name).to_owned()).chain(names).collect();
        Flake { source: with_line_breaks(source, crlf), names }
    }
}

/// One entry with what stands before it and behind it.
fn entry(name: &str, path: &str) -> impl Strategy<Value = String> + use<> {
    let (name, path) = (name.to_owned(), path.to_owned());
    let quoted = any::<bool>();
    let blank = prop_oneof![Just(" "), Just(""), Just("\n    "), Just(" /* = 1; */ ")];
    let tail =
        prop_oneof![4 => Just(""), 1 => Just(" # x\n"), 1 => Just(" /* y */"), 1 => Just("\n")];
    (before_entry(), quoted, blank, 0..VALUES.len(), tail).prop_map(
        move |(before, quoted, blank, value, tail)| {
            let name = if quoted || ["if", "in", "or"].contains(&name.as_str()) {
                format!("\"{name}\"")
            } else {
                name.clone()
            };
            format!(
                "{before}{path}{name}{blank}={blank}{};{tail}",
                VALUES[value]
            )
        },
    )
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn adding_and_removing(flake in flake(), name in new_name(), value in 0..VALUES.len()) {
        let source = flake.source;
        prop_assert_eq!(&nix::list_configurations(&source).unwrap(), &flake.names);
        let value = VALUES[value];
        if flake.names.contains(&name) {
            check_existing(&source, &name, value);
            return Ok(());
        }
        let result = nix::add_configuration(&source, &name, value).unwrap();
        nix::check_syntax(&result).unwrap();
        assert_only_inserted(&source, &result);
        let mut expected = flake.names.clone();
        expected.push(name.clone());
        expected.sort();
        let mut names = nix::list_configurations(&result).unwrap();
        names.sort();
        prop_assert_eq!(names, expected);
        prop_assert_eq!(&nix::add_configuration(&result, &name, value).unwrap(), &result);
        let other = nix::add_configuration(&result, &name, "somethingElse");
        assert!(matches!(other, Err(Error::Exists { .. })), "{other:?}");
        prop_assert_eq!(nix::remove_configuration(&result, &name).unwrap(), source);
    }

    #[test]
    fn removing_leaves_the_others(flake in flake(), index in any::<prop::sample::Index>()) {
        if flake.names.is_empty() {
            return Ok(());
        }
        let gone = &flake.names[index.index(flake.names.len())];
        let result = nix::remove_configuration(&flake.source, gone).unwrap();
        nix::check_syntax(&result).unwrap();
        let expected: Vec<_> = flake.names.iter().filter(|name| *name != gone).cloned().collect();
        // A `let` that held the only host leaves nothing to read.
        if !expected.is_empty() || !flake.source.contains("hosts.") {
            prop_assert_eq!(nix::list_configurations(&result).unwrap(), expected);
        }
        prop_assert_eq!(nix::remove_configuration(&result, gone).unwrap(), result);
    }

    #[test]
    fn nothing_panics(source in "[{}();=.\"'a-z# \n$/*,@:]{0,60}") {
        let _ = nix::list_configurations(&source);
        if let Ok(result) = nix::add_configuration(&source, "web05", "1") {
            nix::check_syntax(&result).unwrap();
        }
        if let Ok(result) = nix::remove_configuration(&source, "web05") {
            nix::check_syntax(&result).unwrap();
        }
    }
}

/// A list of hosts in a call, which goes in at `%`.
const LISTS: [&str; 4] = [
    "{ outputs = _: { nixosConfigurations = lib.genAttrs [%] f; }; }",
    "{\n  outputs = _: {\n    nixosConfigurations = builtins.listToAttrs (map f [%]);\n  };\n}\n",
    "{\n  outputs = _: let\n    names = [%];\n  in {\n    nixosConfigurations = lib.genAttrs names (n: f n);\n  };\n}\n",
    "{\n\toutputs = _: {\n\t\tnixosConfigurations = lib.genAttrs ([ \"zzz\" ] ++ [%]) f;\n\t};\n}\n",
];

prop_compose! {
    fn list()(names in names(), last in before_entry(), shape in 0..LISTS.len(), crlf in any::<bool>())(
        elements in names.iter().map(|name| element(name)).collect::<Vec<_>>(),
        names in Just(names),
        last in Just(last),
        shape in Just(shape),
        crlf in Just(crlf),
    ) -> Flake {
        let own = (shape == 3).then(|| "zzz".to_owned());
        let source = LISTS[shape].replacen('%', &(elements.concat() + &last), 1);
        let names = own.into_iter().chain(names).collect();
        Flake { source: with_line_breaks(source, crlf), names }
    }
}

fn element(name: &str) -> impl Strategy<Value = String> + use<> {
    let name = name.to_owned();
    let tail =
        prop_oneof![4 => Just(" "), 1 => Just(" # x\n"), 1 => Just(" /* y */"), 1 => Just("\n")];
    (before_entry(), tail).prop_map(move |(before, tail)| format!("{before}\"{name}\"{tail}"))
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn adding_to_a_list_and_removing(flake in list(), name in new_name()) {
        let source = flake.source;
        prop_assert_eq!(&nix::list_configurations(&source).unwrap(), &flake.names);
        let result = nix::add_configuration(&source, &name, "1").unwrap();
        if flake.names.contains(&name) {
            prop_assert_eq!(result, source);
            return Ok(());
        }
        nix::check_syntax(&result).unwrap();
        assert_only_inserted(&source, &result);
        let mut names = nix::list_configurations(&result).unwrap();
        names.sort();
        let mut expected = flake.names.clone();
        expected.push(name.clone());
        expected.sort();
        prop_assert_eq!(names, expected);
        prop_assert_eq!(nix::remove_configuration(&result, &name).unwrap(), source);
    }
}

/// Checks that the addition of an existing host changes nothing, or is refused.
fn check_existing(source: &str, name: &str, value: &str) {
    match nix::add_configuration(source, name, value) {
        Ok(result) => assert_eq!(result, source),
        Err(error) => assert!(matches!(error, Error::Exists { .. }), "{error}"),
    }
}
