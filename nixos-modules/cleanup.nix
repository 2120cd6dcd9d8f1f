# vault-cleanup.service: removes the secrets of this host when a switch leads to a configuration
# without this module.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
  secrets = lib.attrValues cfg.secrets;
  templates = lib.attrValues cfg.templates;
  services = lib.unique (lib.concatMap (secret: secret.usedBy) secrets);

  credentials = map (file: "${cfg.appRoleDirectory}/${file}") [
    "role-id"
    "secret-id"
  ];
  page = lib.optional (
    cfg.metrics.textfileDirectory != null
  ) "${cfg.metrics.textfileDirectory}/vault-secrets.prom";
  notes = [
    "/run/vault"
    "/run/vault-fetch"
  ]
  ++ page;
  directories = [
    cfg.secretsDirectory
    cfg.cacheDirectory
    cfg.appRoleDirectory
  ]
  ++ lib.optional (cfg.templates != { }) "/run/vault-templates";

  command = name: arguments: lib.escapeShellArgs ([ "${pkgs.coreutils}/bin/${name}" ] ++ arguments);
  remove = extra: [
    # If one of them fails, the rest is done all the same.
    "-${command "rm" ([ "-rf" ] ++ notes ++ extra)}"
    "-${cfg.package}/bin/vault-secrets clean --all"
    "-${command "rmdir" ([ "--ignore-fail-on-non-empty" ] ++ directories)}"
  ];
  commands = {
    nothing = [ (command "true" [ ]) ];
    secrets = remove [ ];
    everything = remove credentials;
  };
in
{
  options.vault.cleanup = lib.mkOption {
    type = lib.types.enum [
      "nothing"
      "secrets"
      "everything"
    ];
    default = "secrets";
    example = "everything";
    description = ''
      The files that are removed when a switch leads to a configuration without `vault.enable`, or without
      this module:

      - `secrets`: the files of all secrets and templates, links to them, cached copies, notes and the page
        of metrics. The host keeps its credentials, so a switch back fetches the secrets again.
      - `everything`: also `role-id` and `secret-id`. The host then needs a new wrapping token to come
        back.
      - `nothing`.

      The value in the last configuration with the module applies: switch to another value first, then
      disable the module. `nixos-rebuild boot` with a reboot removes only what is in `/run`.
    '';
  };

  config = lib.mkIf cfg.enable {
    systemd.services.vault-cleanup = {
      description = "Remove the secrets when the module leaves this host";
      documentation = documentation "vault-secrets-clean(1)" "explanation/units";
      wantedBy = [ "multi-user.target" ];
      # Is stopped after those that use secrets, and those that write them.
      before =
        map (service: "${service}.service") services
        ++ map (name: "vault-secret-rotate-${name}.service") cfg.rotation.secrets
        ++ [
          "vault-secrets-prove.service"
          "vault-secrets-watch.service"
        ];
      # Only a configuration without this unit stops it: no change of the unit, no shutdown and no
      # rescue mode. So its name must never change.
      restartIfChanged = false;
      unitConfig = {
        DefaultDependencies = false;
        IgnoreOnIsolate = true;
      };
      serviceConfig = unit.sandbox (secrets ++ templates) // {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStop = commands.${cfg.cleanup};
        IPAddressDeny = "any";
        PrivateNetwork = true;
        RestrictAddressFamilies = "AF_UNIX";
        # Secrets may be anywhere, but never among the programs.
        ProtectSystem = true;
        ReadOnlyPaths = [ "/nix" ];
      };
    };
  };
}
