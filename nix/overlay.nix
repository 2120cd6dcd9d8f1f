# Every program in crates/ by its name. `vault-host` is what a host needs, in one package, and
# `vault-server` what a node of OpenBao needs. `zero-touch-secrets` is the build of all programs,
# which a patch changes for all of them.
#
# The names come from the file system and the caller's `lib`: names that depended on `final` would
# be needed for `final` itself, and nothing would evaluate.
{ lib }:
final: _previous:
let
  # The packages that link the programs: `final.pkgsStatic` makes them static.
  linking = final;

  isProgram = name: builtins.pathExists (../crates + "/${name}/src/main.rs");
  names = lib.filter isProgram (lib.attrNames (builtins.readDir ../crates));

  # Operators run these on a Mac, too. The others manage a Linux host.
  portable = [
    "create-host"
    "vault-import"
    "vault-plan"
    "vault-snapshot"
  ];

  # The programs of each package that has several; the tests' guests read it, too.
  parts = lib.importJSON ./programs.json;

  # Several of them as one package.
  joined =
    name: mainProgram: description:
    final.symlinkJoin {
      name = "${name}-${final.${mainProgram}.version}";
      paths = map (part: final.${part}) parts.${name};
      passthru.tests = import ../tests/vm {
        inherit lib;
        pkgs = final;
      };
      meta = final.${mainProgram}.meta // {
        inherit description mainProgram;
      };
    };
in
lib.genAttrs names (
  pname:
  linking.callPackage ./package.nix {
    inherit pname;
    platforms = lib.platforms.linux ++ lib.optionals (lib.elem pname portable) lib.platforms.darwin;
    workspace = final.zero-touch-secrets;
  }
)
// {
  zero-touch-secrets = linking.callPackage ./workspace.nix {
    programs = if final.stdenv.hostPlatform.isLinux then names else portable;
  };
  vault-host = joined "vault-host" "vault-secrets" "Programs of a host with secrets from OpenBao";
  vault-server = joined "vault-server" "vault-node" "Programs of a node of an OpenBao cluster";
}
