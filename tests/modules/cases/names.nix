# Names of secrets, their paths in OpenBao, and their owners.
_:
let
  badName =
    name:
    "vault.secrets.${name}: a secret's name becomes the name of units and directories: letters, digits, `_`, `.` and `-` only, a letter or digit first. Another path in OpenBao is for vault.secrets.${name}.secretPath to say.";
  badPath =
    path:
    "vault.secrets.db.secretPath is `${path}`: write a path as `hosts/web01/db`, without an empty segment, `.` or `..`.";
in
{
  "a name as sops-nix has them" = {
    config.vault.secrets."services/acme" = {
      outputDir = "/run/secrets/acme";
      cacheDir = null;
      secretPath = "hosts/web01/acme";
    };
    failed = [ (badName "services/acme") ];
  };
  "a name with a blank" = {
    config.vault.secrets."my db" = {
      outputDir = "/run/secrets/my-db";
      cacheDir = null;
    };
    failed = [ (badName "my db") ];
  };
  "a name that is hidden" = {
    config.vault.secrets.".db" = { };
    failed = [ (badName ".db") ];
  };
  "a name with all that is allowed" = {
    config.vault.secrets."0Db_a.b-c" = { };
  };
  "the name of another one's rotation" = {
    config.vault.secrets = {
      db.restartTrigger = true;
      rotate-db = { };
    };
    failed = [
      "vault.secrets.rotate-db: the unit vault-secret-rotate-db is the rotation of vault.secrets.db. Give one of the two another name."
    ];
  };
  "that name beside one that is not rotated" = {
    config.vault.secrets = {
      db = { };
      rotate-db = { };
    };
  };

  "a path that climbs" = {
    config.vault.secrets.db.secretPath = "hosts/web01/../web02/db";
    failed = [ (badPath "hosts/web01/../web02/db") ];
  };
  "a path that begins with a slash" = {
    config.vault.secrets.db.secretPath = "/hosts/web01/db";
    failed = [ (badPath "/hosts/web01/db") ];
  };

  "an owner who is nobody" = {
    config.vault.secrets.db.owner = "postgres";
    failed = [
      "vault.secrets.db.owner is `postgres`, and this host has no such user. Declare `users.users.postgres`, or, for a service with DynamicUser, set vault.secrets.db.asCredential."
    ];
  };
  "an owner who is a dynamic user" = {
    config = {
      vault.secrets.db = {
        owner = "web";
        services = [ "web" ];
      };
      systemd.services.web.serviceConfig = {
        ExecStart = "/bin/web";
        DynamicUser = true;
      };
    };
    failed = [
      "vault.secrets.db.owner is `web`, and this host has no such user. Declare `users.users.web`, or, for a service with DynamicUser, set vault.secrets.db.asCredential."
    ];
  };
  "a group that is none" = {
    config.vault.secrets.db.group = "postgres";
    failed = [
      "vault.secrets.db.group is `postgres`, and this host has no such group. Declare `users.groups.postgres`."
    ];
  };
  "owners by number" = {
    config.vault.secrets.db = {
      owner = "4711";
      group = "4711";
    };
  };
}
