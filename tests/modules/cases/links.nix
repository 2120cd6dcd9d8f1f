# Links to files of secrets.
{ lib, ... }:
let
  link = path: { vault.secrets.db.links.${path} = "password"; };
  execStart = config: config.systemd.services.vault-secret-db.serviceConfig.ExecStart;
in
{
  "a link to a key" = {
    config = link "/etc/app/password";
    holds = config: {
      "that it is declared" =
        config.vault.declarations.secrets.db.links == { "/etc/app/password" = "password"; };
      "that the key is required" =
        config.vault.declarations.secrets.db.required_keys == [ "password" ]
        && lib.hasInfix "--require=password" (execStart config);
      "that its folder is made" = config.systemd.tmpfiles.settings.vault ? "/etc/app";
    };
  };
  "a link to what is made of keys" = {
    config.vault.secrets.db = {
      templates."app.conf".content = "{{ password }}";
      environmentFile = "env";
      jsonFile = "all.json";
      links = {
        "/etc/app.conf" = "app.conf";
        "/etc/app.env" = "env";
        "/etc/app.json" = "all.json";
      };
    };
    holds = config: {
      "that no key is required for it" = config.vault.declarations.secrets.db.required_keys == [ ];
    };
  };
  "a link that restarts no service" = {
    config = {
      imports = [ (link "/etc/app/password") ];
      vault.secrets.db = {
        services = [ "app" ];
        requiredKeys = [ "password" ];
      };
      vault.secrets.other = {
        services = [ "other" ];
        requiredKeys = [ "password" ];
      };
      systemd.services.other.serviceConfig.ExecStart = "/bin/other";
    };
    holds = config: {
      "that its triggers do not name it" =
        !lib.hasInfix "/etc/app" (builtins.toJSON config.systemd.services.app.restartTriggers);
    };
  };
  "a link where NixOS has a file" = {
    config = {
      imports = [ (link "/etc/app.conf") ];
      environment.etc."app.conf".text = "x";
    };
    failed = [
      "vault.secrets.db.links has `/etc/app.conf`, and environment.etc puts `/etc/app.conf` there. Leave one of the two out."
    ];
  };
  "a link where NixOS had a file" = {
    config = {
      imports = [ (link "/etc/app.conf") ];
      environment.etc."app.conf" = {
        text = "x";
        enable = false;
      };
    };
  };
  "a link in a secret's folder" = {
    config = link "/run/secrets/db/other";
    failed = [
      "vault.secrets.db.links has `/run/secrets/db/other`, in `/run/secrets/db`, which holds secrets and nothing else."
    ];
  };
  "a link where vault-setup sees nothing" = {
    config = link "/home/app/.pgpass";
    failed = [
      "vault.secrets.db.links has `/home/app/.pgpass`: vault-setup.service makes no links in `/home`."
    ];
  };
  "links that are none" = {
    config.vault.secrets.db.links = {
      "etc/app.conf" = "password";
      "/etc/../app.conf" = "..";
    };
    failed = [
      "vault.secrets.db.links has `/etc/../app.conf`: write a link as `/etc/app.conf`, with letters, digits and `_.@+=,-` only, without `.`, `..` or a `/` at its end."
      "vault.secrets.db.links leads `/etc/../app.conf` to `..`: it must be a plain file name."
      "vault.secrets.db.links has `etc/app.conf`: write a link as `/etc/app.conf`, with letters, digits and `_.@+=,-` only, without `.`, `..` or a `/` at its end."
    ];
  };
  "two links at one path" = {
    config = {
      imports = [ (link "/etc/app.conf") ];
      vault.secrets.other.links."/etc/app.conf" = "password";
    };
    failed = [
      "`vault.secrets.db.links`, `vault.secrets.other.links` both have `/etc/app.conf`: each link needs a path of its own."
    ];
  };
  "a user's password by a link" = {
    config = {
      imports = [ (link "/etc/alice") ];
      users.users.alice = {
        isNormalUser = true;
        hashedPasswordFile = "/etc/alice";
      };
    };
    warned = [
      "users.users.alice.hashedPasswordFile is `/etc/alice`, a file of vault.secrets.db: a boot sets passwords before the network is up, which secrets need, and does not find it. Set hashedPassword, or name a file that is on the disk when the host boots."
    ];
  };
}
