//! Checks that the flake has the function that a new entry calls.

#![expect(clippy::unwrap_used, reason = "a failure must end the test")]

use zts_infra_edit::nix::undefined_function;

const FLAKE: &str = r#"{
  # there is no mkServer
  outputs = { self, nixpkgs, ... }:
    let mkHost = name: nixpkgs.lib.nixosSystem { modules = [ (./hosts + "/${name}") ]; };
    in { nixosConfigurations = { }; };
}
"#;

#[track_caller]
fn undefined(value: &str) -> Option<String> {
    undefined_function(FLAKE, value).unwrap()
}

#[test]
fn defined_functions_pass() {
    for value in [
        "mkHost \"web01\"",
        "(mkHost) \"web01\"",
        "nixpkgs.lib.nixosSystem { }",
        "self.lib.host { } \"web01\"",
        "import ./web01.nix",
        "builtins.import ./web01.nix",
        "{ modules = [ ]; }",
        "let mkServer = x: x; in mkServer { }",
        "with nixpkgs.lib; nixosSystem { }",
        "./web01.nix",
    ] {
        assert_eq!(undefined(value), None, "{value}");
    }
}

#[test]
fn undefined_functions_are_named() {
    assert_eq!(undefined("mkServer \"web01\"").as_deref(), Some("mkServer"));
    assert_eq!(undefined("(mkServer { }) 1").as_deref(), Some("mkServer"));
    assert_eq!(
        undefined("inputs.self.lib.host { }").as_deref(),
        Some("inputs")
    );
    assert_eq!(
        undefined("lib.nixosSystem { }"),
        None,
        "`lib` occurs, if only as an attribute"
    );
}

#[test]
fn a_with_may_define_any_function() {
    let flake = FLAKE.replace("in {", "in with self.lib; {");
    assert_eq!(undefined_function(&flake, "mkServer 1").unwrap(), None);
}

#[test]
fn an_invalid_flake_is_an_error() {
    undefined_function("{", "mkHost 1").unwrap_err();
}
