# A host with a bit of everything: a service with a template and an environment file, one that is
# reloaded, one that runs as a dynamic user, and a critical one.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
  inherit (config.vault) secrets;
in
{
  imports = [ ./lib/host.nix ];

  options.test.withProxy = lib.mkOption {
    type = lib.types.bool;
    default = true;
    description = "Whether this generation has the proxy and its secret.";
  };

  config = {
    networking.hostName = "web01";
    vault.metrics.textfileDirectory = "/var/lib/node-exporter";

    users.groups.app = { };
    users.users.app = {
      isSystemUser = true;
      group = "app";
    };

    vault.secrets = lib.mkMerge [
      (lib.mkIf config.test.withProxy {
        tls = {
          services = [ "proxy" ];
          restartTrigger = true;
          onChange = "reload";
        };
      })
      {
        db = {
          owner = "app";
          group = "app";
          services = [
            "app"
            "report"
          ];
          restartTrigger = true;
          requiredKeys = [ "username" ];
          templates."app.json".content = ''
            { "user": {{ username | json }}, "password": {{ password | json }} }
          '';
          environmentFile = "env";
        };
        token = {
          services = [ "worker" ];
          restartTrigger = true;
          asCredential = true;
        };
        zone = {
          services = [ "bind" ];
          restartTrigger = true; # in vain: bind is critical
          jsonFile = "all.json";
          templates."zone.conf" = {
            content = "key {{ key }};\n";
            owner = "app";
            mode = "0440";
          };
          links = {
            "/etc/bind/zone.conf" = "zone.conf";
            "/etc/bind/key" = "key";
          };
        };
      }
    ];

    systemd.services = lib.mkMerge [
      (lib.mkIf config.test.withProxy {
        proxy = service {
          name = "proxy";
          file = "${secrets.tls.path}/key";
          reload = true;
        };
      })
      {
        app = lib.mkMerge [
          (service {
            name = "app";
            file = "${secrets.db.path}/password";
            user = "app";
          })
          { serviceConfig.EnvironmentFile = "${secrets.db.path}/env"; }
        ];
        worker = lib.mkMerge [
          (service {
            name = "worker";
            file = "$CREDENTIALS_DIRECTORY/token_value";
          })
          {
            serviceConfig.DynamicUser = true;
          }
        ];
        report = service {
          name = "report";
          file = "${secrets.db.path}/password";
          user = "app";
        };
        bind = lib.mkMerge [
          (service {
            name = "bind";
            file = "${secrets.zone.path}/key";
          })
          { serviceConfig.Restart = "always"; }
        ];
      }
    ];
  };
}
