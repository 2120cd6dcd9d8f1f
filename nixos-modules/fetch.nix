# vault-secret-<name>.service: fetches one secret before the services that need it start, and
# vault-secret-retry@<name>.service, which goes on trying where that failed.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) escapeShellArgs mapAttrs' nameValuePair;
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };

  flag = name: value: lib.optionals (value != null) [ "--${name}=${toString value}" ];

  templateFile =
    name: file: template:
    "${file}=${pkgs.writeText "vault-template-${name}" template.content}";

  # The whole declaration stands in the command, so that the unit changes when it does.
  command =
    name: secret:
    [
      "${cfg.package}/bin/vault-fetch"
      secret.secretPath
      secret.outputDir
    ]
    ++ flag "owner" secret.owner
    ++ flag "group" secret.group
    ++ flag "mode" secret.mode
    ++ flag "cache-dir" secret.cacheDir
    ++ lib.optionals (secret.cacheDir != null) (
      flag "max-cache-age" secret.maxCacheAge ++ flag "seal-cache" secret.sealCache
    )
    ++ lib.optionals secret.asCredential (flag "as-credential" name)
    ++ flag "environment-file" secret.environmentFile
    ++ lib.concatMap (flag "require") secret.requiredKeys
    ++ lib.concatMap (flag "template") (lib.mapAttrsToList (templateFile name) secret.templates)
    ++ flag "approle-dir" cfg.appRoleDirectory
    ++ flag "kv-mount" cfg.kvMount
    ++ flag "approle-mount" cfg.appRoleMount
    ++ lib.optionals (cfg.authentication != "auto") (flag "authentication" cfg.authentication);

  # `%` and `$` mean something to systemd, also in arguments.
  escape = lib.replaceStrings [ "%" "$" ] [ "%%" "$$" ];

  services = secret: map (service: "${service}.service") secret.services;

  fetch =
    name: secret:
    nameValuePair "vault-secret-${name}" (
      unit.asking {
        description = "Secret ${name} from OpenBao";
        secrets = [ secret ];
        wants = [ "vault-setup.service" ] ++ lib.optional cfg.bootstrap.enable "vault-bootstrap.service";
        before = services secret;
        requiredBy = services secret;
        wantedBy = lib.optional (secret.services == [ ]) "multi-user.target";
        unitConfig = {
          OnFailure = "vault-secret-retry@${name}.service";
          StartLimitIntervalSec = 0;
        };
        path = [ config.systemd.package ];
        writes = [
          (dirOf secret.outputDir)
        ]
        ++ lib.optional (secret.cacheDir != null) (dirOf secret.cacheDir);
        serviceConfig = {
          # Not RemainAfterExit: so each start of a service that needs the secret fetches it anew,
          # and stopping or restarting one service does not take others along that share it.
          ExecStart = escape (escapeShellArgs (command name secret));
          TimeoutStartSec = "90s";
        };
      }
    );

  retry = {
    description = "Try again to fetch the secret %i from OpenBao";
    # Started by its failure alone; a switch must not end what it waits for.
    restartIfChanged = false;
    unitConfig.StartLimitIntervalSec = 0;
    path = [ config.systemd.package ];
    serviceConfig = import ./hardening.nix { memory = "256M"; } // {
      Type = "exec";
      ExecStart = "${cfg.package}/bin/vault-secrets retry %i";
      Restart = "on-failure";
      RestartSec = "5s";
      CapabilityBoundingSet = "";
      IPAddressDeny = "any";
      PrivateNetwork = true;
      RestrictAddressFamilies = "AF_UNIX";
      # A fetch that was killed is noted here, beside its directory.
      ReadWritePaths = map (place: "-${place}") (
        lib.unique (map (secret: dirOf secret.outputDir) (lib.attrValues cfg.secrets))
      );
    };
  };
in
{
  config = lib.mkIf cfg.enable {
    systemd.services =
      mapAttrs' fetch cfg.secrets
      // lib.optionalAttrs (cfg.secrets != { }) { "vault-secret-retry@" = retry; };
  };
}
