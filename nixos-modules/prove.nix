# vault-secrets-prove.service: watches whether services come up with versions of secrets that they
# started with by themselves, and rolls back those that they do not come up with.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
  used = lib.filter (secret: secret.usedBy != [ ]) (lib.attrValues cfg.secrets);
  templates = lib.attrValues cfg.templates;
  places = folders ++ map (template: dirOf template.outputDir) templates;
  folders = lib.unique (map (secret: dirOf secret.outputDir) used);
  caches = map (secret: dirOf secret.cacheDir) (lib.filter (secret: secret.cacheDir != null) used);
  services = lib.unique (lib.concatMap (secret: secret.usedBy) used);

  # Beside the folder of a secret whose version is unproven.
  notes = folder: "|${folder}/.*.vault-fetch/rollout*";
in
{
  config = lib.mkIf (cfg.enable && used != [ ]) {
    systemd.services = {
      # Started by each fetch (OnSuccess) and by a service that failed; without an unproven version,
      # no process starts.
      vault-secrets-prove = {
        description = "Watch whether services come up with new versions of their secrets";
        documentation = documentation "vault-secrets-prove(1)" "explanation/rotation";
        # A switch must not cut a rollout in half.
        restartIfChanged = false;
        unitConfig = {
          ConditionPathExistsGlob = map notes folders;
          StartLimitIntervalSec = 0;
        };
        path = [ config.systemd.package ];
        # A template may have keys of a secret that no service uses.
        serviceConfig = unit.sandbox (lib.attrValues cfg.secrets ++ templates) // {
          # Not oneshot: a boot is not over before those have ended.
          Type = "exec";
          ExecStart = "${cfg.package}/bin/vault-secrets prove${cfg.rotation.startTimeoutFlag}";
          IPAddressDeny = "any";
          PrivateNetwork = true;
          RestrictAddressFamilies = "AF_UNIX";
          ReadWritePaths = map (path: "-${path}") (lib.unique ([ "/run/vault" ] ++ places ++ caches));
        };
      };
    }
    # A list, so that it joins what the service has of its own.
    // lib.genAttrs services (_: {
      unitConfig.OnFailure = [ "vault-secrets-prove.service" ];
    });
  };
}
