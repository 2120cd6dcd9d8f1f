# The packages that the modules use, with and without an overlay.
{
  lib,
  pkgs,
  evaluate,
}:
let
  overlay = import ../../nix/overlay.nix { inherit lib; };
  own = import ../../nix/packages.nix { inherit pkgs; };

  is = what: wanted: found: { inherit what wanted found; };
  isPackage =
    what: wanted: found:
    is what "${wanted}" "${found}";

  packagesWith =
    overlays:
    let
      inherit (evaluate [ { nixpkgs.overlays = overlays; } ]) config;
    in
    {
      host = config.vault.package;
      server = config.vault.server.package;
      exporter = config.vault.metrics.exporter.package;
    };
  plain = packagesWith [ ];
  overridden = packagesWith [ (_: _: { vault-host = pkgs.hello; }) ];

  # Names that depend on `final` end in an infinite recursion here.
  applied = lib.fix (lib.extends overlay (_: pkgs));
  added = lib.filter (name: !pkgs ? ${name}) (lib.attrNames applied);

  onMac = lib.filterAttrs (_: package: lib.elem "aarch64-darwin" package.meta.platforms) own;

  # The requirements of nixpkgs on a package: pkgs/README.md, "Meta attributes".
  breaks =
    package:
    let
      inherit (package) meta;
      isProgram = package.pname or "" != "zero-touch-secrets";
    in
    lib.attrNames (
      lib.filterAttrs (_: isBroken: isBroken) {
        "description begins with a small letter" = builtins.match "[A-Z].*" meta.description == null;
        "description begins with an article" = builtins.match "(A|An|The) .*" meta.description != null;
        "description begins with the name" = lib.hasPrefix (lib.toLower package.pname or package.name) (
          lib.toLower meta.description
        );
        "description ends with a full stop" = lib.hasSuffix "." meta.description;
        "no license" = !(meta ? license.spdxId);
        "no maintainers" = !lib.isList (meta.maintainers or null);
        "no platforms" = meta.platforms or [ ] == [ ];
        "no main program" = isProgram && !(meta ? mainProgram);
      }
    );
  broken = lib.filterAttrs (_: found: found != [ ]) (lib.mapAttrs (_: breaks) own);

  operators = [
    "create-host"
    "vault-import"
    "vault-plan"
    "vault-snapshot"
    "zero-touch-secrets"
  ];
in
{
  "packages: without an overlay" = [
    (isPackage "vault.package" own.vault-host plain.host)
    (isPackage "vault.server.package" own.vault-server plain.server)
    (isPackage "vault.metrics.exporter.package" own.vault-exporter plain.exporter)
  ];
  "packages: an overlay with a package of the same name" = [
    (isPackage "vault.package" pkgs.hello overridden.host)
    (isPackage "vault.server.package" own.vault-server overridden.server)
  ];
  "packages: meta as nixpkgs requires it" = [ (is "what is broken" { } broken) ];
  "packages: passthru.tests" = [
    (is "the scenarios" true (
      lib.all (name: own.${name}.passthru.tests ? scenario-switch) [
        "vault-host"
        "vault-server"
      ]
    ))
    (is "without a test of its version" [ ] (
      lib.filter (name: !own.${name}.passthru.tests ? version) (
        lib.subtractLists [ "vault-host" "vault-server" "zero-touch-secrets" ] (lib.attrNames own)
      )
    ))
  ];
  "packages: on a Mac" = [ (is "the list" operators (lib.attrNames onMac)) ];
  "packages: names of overlays.default" = [
    (is "the list" (lib.attrNames own) added)
    (isPackage "vault-host" own.vault-host applied.vault-host)
  ];
}
