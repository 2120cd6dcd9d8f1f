# vault-secret-<name>.service: fetches one secret before the services that need it start, and
# vault-secret-retry@<name>.service, which goes on trying where that failed.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (lib) escapeShellArgs mapAttrs' nameValuePair;
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
  required = import ./required.nix { inherit lib; };
  sources = import ./source.nix { inherit lib; };

  flag = name: value: lib.optionals (value != null) [ "--${name}=${toString value}" ];

  templateFile =
    name: file: template:
    "${file}=${pkgs.writeText "vault-template-${name}" template.content}";

  # The keys that templates over several secrets need.
  templateKeys =
    secret:
    lib.concatLists (
      lib.mapAttrsToList (template: map (key: "${template}=${key}")) secret.templateKeys
    );

  # The settings of each template, as flags of the form NAME=VALUE.
  ofTemplates =
    setting: secret:
    lib.concatLists (
      lib.mapAttrsToList (
        file: template:
        lib.optionals (template.${setting} != null) (
          flag "template-${setting}" "${file}=${template.${setting}}"
        )
      ) secret.templates
    );

  # The command has everything that the files and the copy depend on, so that the unit changes with
  # it.
  command =
    name: secret:
    [
      "${cfg.package}/bin/vault-fetch"
      secret.secretPath
      secret.outputDir
    ]
    ++ lib.optionals (secret.source != null) (
      lib.concatMap (one: flag (lib.head one) (lib.last one)) (sources.flags secret.source)
    )
    ++ flag "secret-version" secret.version
    ++ flag "owner" secret.owner
    ++ flag "group" secret.group
    ++ flag "mode" secret.mode
    ++ flag "cache-dir" secret.cacheDir
    ++ lib.optionals (secret.cacheDir != null) (
      flag "max-cache-age" secret.maxCacheAge ++ flag "seal-cache" secret.sealCache
    )
    ++ lib.optionals secret.asCredential (flag "as-credential" name)
    ++ lib.concatMap (flag "service") (services secret)
    ++ flag "environment-file" secret.environmentFile
    ++ flag "json-file" secret.jsonFile
    ++ lib.concatMap (flag "require") (required secret)
    ++ lib.concatLists (
      lib.mapAttrsToList (key: encoding: flag "encoding" "${key}=${encoding}") secret.encoding
    )
    ++ lib.concatMap (flag "template-key") (templateKeys secret)
    ++ lib.concatMap (flag "template") (lib.mapAttrsToList (templateFile name) secret.templates)
    ++ ofTemplates "owner" secret
    ++ ofTemplates "group" secret
    ++ ofTemplates "mode" secret
    ++ flag "approle-dir" cfg.appRoleDirectory
    ++ flag "kv-mount" cfg.kvMount
    ++ flag "approle-mount" cfg.appRoleMount
    ++ lib.optionals (cfg.authentication != "auto") (flag "authentication" cfg.authentication);

  # `%` and `$` mean something to systemd, also in arguments.
  escape = lib.replaceStrings [ "%" "$" ] [ "%%" "$$" ];

  services = secret: map (service: "${service}.service") secret.usedBy;

  templates =
    secret: map (template: "vault-template-${template}.service") (lib.attrNames secret.templateKeys);

  # Watches its services, and renders the templates with it.
  whenFetched =
    secret: lib.optional (secret.usedBy != [ ]) "vault-secrets-prove.service" ++ templates secret;

  # Tries again, and removes the files of templates whose secret is gone.
  whenFailed = name: secret: [ "vault-secret-retry@${name}.service" ] ++ templates secret;

  fetch =
    name: secret:
    nameValuePair "vault-secret-${name}" (
      unit.asking {
        description = "Secret ${name} from OpenBao";
        documentation = documentation "vault-fetch(1)" "runbook/index";
        secrets = [ secret ];
        wants = [ "vault-setup.service" ] ++ lib.optional cfg.bootstrap.enable "vault-bootstrap.service";
        after = [
          "vault-secrets.service"
        ]
        ++ lib.optional (secret.source != null && secret.source ? ssh) "sshd-keygen.service";
        before = services secret;
        requiredBy = services secret;
        wantedBy = lib.optional (secret.usedBy == [ ]) "multi-user.target";
        unitConfig = {
          # vault-secrets.service has just fetched it, at boot or for a switch.
          ConditionPathExists = "!/run/vault-fetched/${name}";
          OnFailure = lib.concatStringsSep " " (whenFailed name secret);
          OnSuccess = lib.mkIf (whenFetched secret != [ ]) (lib.concatStringsSep " " (whenFetched secret));
          StartLimitIntervalSec = 0;
          # The services require this unit, so a stop or restart by hand would stop them, too. A
          # switch that changes or removes the unit lets a fetch that is running end.
          RefuseManualStop = true;
        };
        path = [ config.systemd.package ];
        writes = unit.foldersOf [ secret ];
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
    documentation = documentation "vault-secrets-retry(1)" "runbook/index";
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
