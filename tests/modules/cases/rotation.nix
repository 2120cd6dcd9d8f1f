# Cases of the deployment of a new version.
{ lib, ... }:
let
  secret = more: { services = [ "app" ]; } // more;
  rotation = config: config.systemd.services.vault-secret-rotate-db.serviceConfig;
  proof = config: config.systemd.services.vault-secrets-prove.serviceConfig;
  flag = unit: builtins.match ".* --start-timeout ([^ ]*).*" unit.ExecStart;
in
{
  "a service that cannot be reloaded" = {
    config.vault.secrets.db = secret {
      restartTrigger = true;
      onChange = "reload";
    };
    failed = [
      "vault.secrets.db.onChange is `reload`, and `app` cannot be reloaded (it has no ExecReload). Set it to `restart`."
    ];
  };
  "a watch without a secret that is rotated" = {
    config = {
      vault.watch.enable = true;
      vault.secrets.db = secret { };
    };
    failed = [
      "vault.watch.enable is set, but no secret is rotated. Set vault.secrets.<name>.restartTrigger of one that no service of vault.criticalServices uses."
    ];
  };
  "a pinned version" = {
    config = {
      vault.watch.enable = true;
      vault.secrets.db = secret {
        restartTrigger = true;
        version = 7;
      };
    };
    holds = config: {
      "that vault-fetch reads it" =
        lib.hasInfix "--secret-version=7" config.systemd.services.vault-secret-db.serviceConfig.ExecStart;
      "that vault-secrets does" = config.vault.declarations.secrets.db.version == 7;
      "that nothing rotates it" =
        config.vault.declarations.secrets.db.rotation == null
        && !(config.systemd.services ? vault-secret-rotate-db)
        && !(config.systemd.timers ? vault-secret-rotate-db)
        && !(config.systemd.services ? vault-secrets-watch);
    };
  };
  "a version that is none" = {
    config.vault.secrets.db = secret { version = 0; };
    refused = [
      "secrets"
      "db"
      "version"
    ];
    type = "null or (positive integer, meaning >0)";
  };
  "a service that can" = {
    config = {
      vault.secrets.db = secret {
        restartTrigger = true;
        onChange = "reload";
      };
      systemd.services.app.reload = "true";
    };
  };
  "an instance that can, by its template" = {
    config = {
      vault.secrets.db = {
        services = [ "foo@bar" ];
        restartTrigger = true;
        onChange = "reload";
      };
      systemd.services."foo@".serviceConfig = {
        ExecStart = "/bin/foo %i";
        ExecReload = "/bin/foo --reload %i";
      };
    };
  };
  "a credential that is to be reloaded" = {
    config = {
      vault.secrets.db = secret {
        asCredential = true;
        restartTrigger = true;
        onChange = "reload";
      };
      systemd.services.app.reload = "true";
    };
    failed = [
      "vault.secrets.db: systemd passes credentials (asCredential) when a service starts, so a reload has the old ones. Set onChange to `restart`."
    ];
  };
  "a credential for no service" = {
    config.vault.secrets.db.asCredential = true;
    failed = [
      "vault.secrets.db.asCredential is set, but no service is named in vault.secrets.db.services."
    ];
  };

  "a service that is never restarted" = {
    config = {
      vault.criticalServices = [ "app.service" ];
      vault.secrets.db = secret { restartTrigger = true; };
    };
    warned = [
      "vault.secrets.db.restartTrigger has no effect: `app` is in vault.criticalServices, and is never restarted for a new version. Restart it by hand: its start fetches the new version."
    ];
    holds = config: {
      "that there is no timer" = !config.systemd.timers ? vault-secret-rotate-db;
    };
  };
  "a rotation that is not switched on" = {
    config.vault.secrets.db = secret {
      restartInterval = "daily";
      onChange = "nothing";
    };
    warned = [
      "vault.secrets.db: `restartInterval`, `onChange` without restartTrigger has no effect: new versions are not deployed."
    ];
  };

  "no limit for starts" = {
    config.vault.secrets.db = secret { restartTrigger = true; };
    holds = config: {
      "that each service's own limit counts" =
        flag (rotation config) == null && flag (proof config) == null;
      "that systemd ends no run before" = (rotation config).TimeoutStartSec == "infinity";
    };
  };
  "a limit for starts" = {
    config.vault = {
      rotation.startTimeout = "10min";
      secrets.db = secret { restartTrigger = true; };
    };
    holds = config: {
      "that it is passed on" =
        map flag [
          (rotation config)
          (proof config)
        ] == [
          [ "10min" ]
          [ "10min" ]
        ];
      "that a run may wait for it three times" = (rotation config).TimeoutStartSec == "70min";
    };
  };

  "a calendar expression that is none" = {
    config.vault.secrets.db.restartInterval = "every day at $noon";
    refused = [
      "secrets"
      "db"
      "restartInterval"
    ];
    type = "calendar expression of systemd, such as hourly or 03:30";
  };
  "another thing to do" = {
    config.vault.secrets.db.onChange = "reboot";
    refused = [
      "secrets"
      "db"
      "onChange"
    ];
    type = ''one of "restart", "reload", "nothing"'';
  };
}
