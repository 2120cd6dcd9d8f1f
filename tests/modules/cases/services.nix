# The services that secrets name.
{ pkgs, ... }:
let
  secret =
    service: more:
    {
      services = [ service ];
    }
    // more;
  missing = "Where a package brings its unit (systemd.packages), add it to vault.packagedServices.";
  packaged = pkgs.writeTextDir "lib/systemd/system/packaged.service" ''
    [Service]
    ExecStart=/bin/packaged
  '';
in
{
  "a service that is none" = {
    config.vault.secrets.db = secret "postgresql" { };
    failed = [
      "vault.secrets.db.services names `postgresql`, and this host has no such service. ${missing}"
    ];
  };
  "a service by half its name" = {
    config = {
      vault.secrets.db = secret "zebra" { };
      systemd.services.zebra-main.script = "true";
    };
    failed = [
      "vault.secrets.db.services names `zebra`, and this host has no such service. It has `zebra-main`. ${missing}"
    ];
  };
  "a service with its suffix" = {
    config.vault.secrets.db = secret "app.service" { };
    holds = config: {
      "what the unit is before" = config.systemd.services.vault-secret-db.before == [ "app.service" ];
    };
  };
  "credentials of a service that a switch reloads" = {
    config = {
      vault.secrets.db = secret "app" { asCredential = true; };
      systemd.services.app.reloadIfChanged = true;
    };
    failed = [
      "vault.secrets.db.asCredential is set, and a switch reloads `app` (reloadIfChanged): systemd passes credentials when a service starts, so a reload has the old ones. Leave out reloadIfChanged, or use files."
    ];
  };
  "an instance of a template" = {
    config = {
      vault.secrets.db = secret "foo@bar" { };
      systemd.services."foo@".serviceConfig.ExecStart = "/bin/foo %i";
    };
    holds = config: {
      "that the instance is a drop-in" = config.systemd.services."foo@bar".overrideStrategy == "asDropin";
    };
  };
  "an instance that is a unit of its own" = {
    config = {
      vault.secrets.db = secret "foo@bar" { };
      systemd.services."foo@".serviceConfig.ExecStart = "/bin/foo %i";
      systemd.services."foo@bar".serviceConfig.ExecStart = "/bin/foo bar";
    };
    holds = config: {
      "that the instance is whole" = config.systemd.services."foo@bar".overrideStrategy != "asDropin";
    };
  };
  "an instance of no template" = {
    config.vault.secrets.db = secret "foo@bar" { };
    failed = [
      "vault.secrets.db.services names `foo@bar`, and this host has no such service. ${missing}"
    ];
  };
  "a template" = {
    config = {
      vault.secrets.db = secret "foo@" { };
      systemd.services."foo@".serviceConfig.ExecStart = "/bin/foo %i";
    };
    failed = [
      "vault.secrets.db.services names `foo@`, a template: name its instances, such as `foo@1`."
    ];
  };
  "a service of users" = {
    config = {
      vault.secrets.db = secret "sync" { };
      systemd.user.services.sync.script = "true";
    };
    failed = [
      "vault.secrets.db.services names `sync`, which users run (systemd.user.services): it cannot wait for the system's. Leave it out; the secret is then fetched at boot."
    ];
  };
  "a service that a package brings" = {
    config = {
      vault.secrets.db = secret "packaged" { };
      systemd.packages = [ packaged ];
    };
    failed = [
      "vault.secrets.db.services names `packaged`, and this host has no such service. ${missing}"
    ];
  };
  "a service that a package brings, said so" = {
    config = {
      vault.secrets.db = secret "packaged" { };
      vault.packagedServices = [ "packaged.service" ];
      systemd.packages = [ packaged ];
    };
  };
  "a service that starts when it is asked" = {
    config = {
      vault.secrets.db = secret "web" { };
      systemd.services.web.serviceConfig.ExecStart = "/bin/web";
      systemd.sockets.web = {
        wantedBy = [ "sockets.target" ];
        listenStreams = [ "8080" ];
      };
    };
  };
  "a socket" = {
    config = {
      vault.secrets.db = secret "web.socket" { };
      systemd.services.web.serviceConfig.ExecStart = "/bin/web";
      systemd.sockets.web.listenStreams = [ "8080" ];
    };
    failed = [
      "vault.secrets.db.services names `web.socket`, and only services can need a secret. Name the service behind it."
    ];
  };
  "a service that the network waits for" = {
    config = {
      vault.secrets.vpn = secret "wireguard-wg0" { };
      networking.wireguard.interfaces.wg0.privateKeyFile = "/run/secrets/vpn/key";
    };
    failed = [
      "vault.secrets.vpn.services names `wireguard-wg0`, which starts before network.target, and so before the network, which secrets need: they would wait for each other. Name services that start when the network is up."
    ];
    warned = [
      "networking.wireguard.interfaces.wg0.privateKeyFile is `/run/secrets/vpn/key`, a file of vault.secrets.vpn: the interface comes up before the network is up, which secrets need. Use networking.wg-quick, and name its service `wg-quick-wg0` in the secret's services."
    ];
  };
}
