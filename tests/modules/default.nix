# Configurations that are wrong, with every message of nixos-modules/checks word for word, and no
# other. `failures` is a list of texts; `check` a derivation that is there when it is empty.
{
  pkgs,
  lib ? pkgs.lib,
  nixpkgs ? pkgs.path,
}:
let
  ours = toString ../../nixos-modules;

  evaluate =
    modules:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib;
      system = null;
      modules = [
        ../../nixos-modules
        ../../nixos-modules/server
        base
      ]
      ++ modules;
    };

  # A host in good order, with one service that has a user of its own.
  base = {
    nixpkgs.pkgs = pkgs;
    networking.hostName = "web01";
    vault = {
      enable = lib.mkDefault true;
      address = lib.mkDefault [ "https://openbao.example.internal:8200" ];
    };
    users.users.app = {
      isSystemUser = true;
      group = "app";
    };
    users.groups.app = { };
    systemd.services.app = {
      wantedBy = [ "multi-user.target" ];
      serviceConfig.ExecStart = "/bin/app";
    };
    # The manual is a package of every host's, and takes long.
    documentation.enable = false;
    system.stateVersion = lib.trivial.release;
  };

  # The programs are of no interest to the messages, and take long to evaluate.
  stubs.vault = {
    package = pkgs.hello;
    server.package = pkgs.hello;
  };

  # The messages of our own modules only, because evaluating all of NixOS's assertions takes long.
  said =
    option:
    lib.concatMap (
      definition: lib.optionals (lib.hasPrefix ours definition.file) definition.value
    ) option.definitionsWithLocations;

  results =
    { options, ... }:
    {
      failed = map (assertion: assertion.message) (
        lib.filter (assertion: !assertion.assertion) (said options.assertions)
      );
      warned = said options.warnings;
    };

  # A value that its option's type refuses: Nix's message names the option, the file, and the type.
  refusal =
    path:
    { config, options, ... }:
    let
      value = lib.attrByPath ([ "vault" ] ++ path) null config;
      taken = (builtins.tryEval (builtins.deepSeq value true)).success;
      secret = options.vault.secrets.type.getSubOptions [ ];
      option =
        if lib.head path == "secrets" then
          secret.${lib.last path}
        else
          lib.getAttrFromPath path options.vault;
    in
    {
      inherit taken;
      type = option.type.description;
    };

  compare =
    name: what: wanted: found:
    lib.optional (wanted != found) ''
      ${name}: ${what} is not as expected
        expected: ${builtins.toJSON wanted}
        is:       ${builtins.toJSON found}'';

  outcome =
    name: case:
    let
      host = evaluate [
        stubs
        case.config
      ];
      refused = refusal case.refused host;
      found = results host;
    in
    if case ? refused then
      compare name "the type" case.type refused.type
      ++ lib.optional refused.taken "${name}: the value is taken"
    else
      compare name "what fails" (case.failed or [ ]) found.failed
      ++ compare name "what is warned of" (case.warned or [ ]) found.warned
      # The other results of the case beside the messages, such as a unit.
      ++ lib.concatLists (
        lib.mapAttrsToList (what: compare name what true) ((case.holds or (_: { })) host.config)
      );

  files = lib.filter (lib.hasSuffix ".nix") (lib.attrNames (builtins.readDir ./cases));
  cases = lib.concatMapAttrs (
    file: _:
    lib.mapAttrs' (name: lib.nameValuePair "${lib.removeSuffix ".nix" file}: ${name}") (
      import (./cases + "/${file}") { inherit lib pkgs; }
    )
  ) (lib.genAttrs files (_: null));

  outcomes =
    lib.mapAttrs outcome cases
    // lib.mapAttrs (name: lib.concatMap (pair: compare name pair.what pair.wanted pair.found)) (
      import ./packages.nix { inherit evaluate lib pkgs; }
    );
  failures = lib.concatLists (lib.attrValues outcomes);
in
{
  inherit failures outcomes;
  check =
    if failures == [ ] then
      pkgs.runCommand "check-modules" { } "touch $out"
    else
      throw (lib.concatLines failures);
}
