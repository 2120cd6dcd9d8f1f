# vault-secrets-watch.service: starts the rotation of secrets seconds after they change in OpenBao.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (import ./types.nix { inherit lib; }) duration;
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
in
{
  options.vault.watch = {
    enable = lib.mkEnableOption ''
      a small process that asks OpenBao for new versions every few seconds, and starts the rotation of a
      secret that has one. Without it, new versions wait for `vault.secrets.<name>.restartInterval`, which
      stays in use beside it. It watches the secrets with `restartTrigger`, but not those of critical
      services. A thousand hosts with five secrets each take a quarter of a core of OpenBao's'';

    interval = lib.mkOption {
      type = duration;
      default = "10s";
      example = "1min";
      description = ''
        The time between two queries. It varies by a tenth, and each host begins at another moment within
        it. While OpenBao is slow or cannot be reached, the pauses grow to five minutes.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.watch.enable) {
    assertions = [
      {
        # one that is pinned for now is enough
        assertion =
          cfg.rotation.secrets != [ ]
          || lib.any (secret: secret.restartTrigger && secret.version != null) (lib.attrValues cfg.secrets);
        message = "vault.watch.enable is set, but no secret is rotated. Set vault.secrets.<name>.restartTrigger of one that no service of vault.criticalServices uses.";
      }
    ];

    systemd.services.vault-secrets-watch = lib.mkIf (cfg.rotation.secrets != [ ]) (
      unit.asking {
        description = "Watch OpenBao for new versions of secrets";
        documentation = documentation "vault-secrets-watch(1)" "explanation/rotation";
        wants = [ "vault-setup.service" ] ++ lib.optional cfg.bootstrap.enable "vault-bootstrap.service";
        after = [ "vault-secrets.service" ];
        wantedBy = [ "multi-user.target" ];
        restartTriggers = [ (builtins.hashString "sha256" (builtins.toJSON cfg.declarations)) ];
        unitConfig.StartLimitIntervalSec = 0;
        path = [ config.systemd.package ];
        writes = [ "/run/vault-fetch" ];
        serviceConfig = {
          Type = "notify";
          ExecStart = "${cfg.package}/bin/vault-secrets watch --interval ${lib.escapeShellArg cfg.watch.interval}";
          Restart = "always";
          RestartSec = "30s";
          # To systemd, for the rotations.
          RestrictAddressFamilies = [
            "AF_INET"
            "AF_INET6"
            "AF_UNIX"
          ];
        };
      }
    );
  };
}
