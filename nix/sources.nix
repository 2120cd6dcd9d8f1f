# The files that each kind of build reads: a change of any other file builds nothing anew.
{ lib }:
let
  inherit (lib) fileset;

  source =
    files:
    fileset.toSource {
      root = ../.;
      fileset = fileset.unions (
        [
          ../Cargo.toml
          ../Cargo.lock
        ]
        ++ files
      );
    };

  # Cargo reads the manifests and the root files of all members, also of those for tests.
  allButRoot = fileset.fileFilter (file: file.name != "lib.rs" && file.name != "Cargo.toml");
  ofTests = fileset.unions [
    (allButRoot ../crates/zts-book)
    (allButRoot ../crates/zts-testkit)
    (fileset.fileFilter (file: lib.hasSuffix "_tests.rs" file.name) ../crates)
    (inEachCrate "examples")
    (inEachCrate "tests")
  ];
  inEachCrate =
    folder:
    fileset.unions (
      map (crate: fileset.maybeMissing (../crates + "/${crate}/${folder}")) (
        lib.attrNames (builtins.readDir ../crates)
      )
    );

  # The example fleet, which tests copy and compile in.
  fleet = ../example;
in
{
  programs = source [
    (fileset.difference ../crates ofTests)
    ../example/fleet.toml # the comments of the file that `create-host init` writes
  ];

  clippy = source [
    ../clippy.toml
    ../crates
    fleet
  ];

  # All tests but those of the documentation, which reads every file.
  tests = source [
    ../crates
    ../docs
    ../kubernetes
    ../monitoring
    ../tests/units/rendered.json
    fleet
  ];

  everything = source [ ../. ];
}
