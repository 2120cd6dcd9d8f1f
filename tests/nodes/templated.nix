# A host with files made of two secrets: one for a service that is restarted, one for a service that
# is reloaded, and one that no service uses.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
  inherit (config.vault) secrets templates;
in
{
  imports = [ ./lib/host.nix ];

  options.test.isNext = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = "Whether this generation is the second.";
  };

  config = {
    networking.hostName = "templated";

    users.groups.app = { };
    users.users.app = {
      isSystemUser = true;
      group = "app";
    };

    vault.secrets = {
      db = {
        services = [ "other" ];
        restartTrigger = true;
      };
      smtp-relay.restartTrigger = true;
      tls = {
        restartTrigger = true;
        onChange = "reload";
      };
    };

    vault.templates = {
      "app.conf" = {
        content =
          lib.optionalString config.test.isNext "next-" + "{{ db.password }}{{ smtp-relay.password }}";
        owner = "app";
        services = [ "app" ];
      };
      proxy = {
        content = "{{ tls.key }}";
        file = "proxy.conf";
        services = [ "proxy" ];
      };
    }
    // lib.optionalAttrs (!config.test.isNext) {
      plain.content = "db = {{ db.password | json }}\n";
    };

    systemd.services = {
      app = service {
        name = "app";
        file = templates."app.conf".path;
        user = "app";
      };
      proxy = service {
        name = "proxy";
        file = templates.proxy.path;
        reload = true;
      };
      other = service {
        name = "other";
        file = "${secrets.db.path}/password";
      };
    };
  };
}
