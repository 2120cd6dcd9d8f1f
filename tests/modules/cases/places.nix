# Folders of secrets and of their copies.
_:
let
  inStore =
    option: path: example:
    "vault.${option} is `${path}`: everybody can read what is in the Nix store. Write a directory as `${example}`.";
  notPlain =
    option: path: example:
    "vault.${option} is `${path}`: write a directory as `${example}`, with letters, digits and `_.@+=,-` only, without `.`, `..` or a `/` at its end.";
  output = path: { outputDir = path; };
  store = builtins.storeDir;
  aPath = refused: type: vault: {
    config = { inherit vault; };
    inherit refused type;
  };
in
{
  "a folder in the store" = {
    config.vault.secrets.db = output "${store}/db";
    failed = [ (inStore "secrets.db.outputDir" "${store}/db" "/run/secrets/db") ];
  };
  "a folder as a path" = aPath [ "secrets" "db" "outputDir" ] "absolute path as a string" {
    secrets.db.outputDir = ./there-is-none;
  };
  "a cache in the store" = {
    config.vault.secrets.db.cacheDir = "${store}/db";
    failed = [ (inStore "secrets.db.cacheDir" "${store}/db" "/var/lib/vault/cache/db") ];
  };
  "a cache as a path" = aPath [ "secrets" "db" "cacheDir" ] "null or absolute path as a string" {
    secrets.db.cacheDir = ./there-is-none;
  };
  "credentials as a path" = aPath [ "appRoleDirectory" ] "absolute path as a string" {
    appRoleDirectory = ./there-is-none;
  };
  "a folder with a slash at its end" = {
    config.vault.secrets.db = output "/run/secrets/db/";
    failed = [ (notPlain "secrets.db.outputDir" "/run/secrets/db/" "/run/secrets/db") ];
  };
  "a folder with a blank" = {
    config.vault.secrets.db = output "/run/my secrets/db";
    failed = [ (notPlain "secrets.db.outputDir" "/run/my secrets/db" "/run/secrets/db") ];
  };
  "a folder that climbs" = {
    config.vault.secrets.db = output "/run/../etc/db";
    failed = [ (notPlain "secrets.db.outputDir" "/run/../etc/db" "/run/secrets/db") ];
  };
  "all of /run" = {
    config.vault.secrets.db = output "/run";
    failed = [
      "vault.secrets.db.outputDir is `/run`: it is replaced as a whole, so it must be a directory in another one, as `/run/secrets/db` is."
      "vault.secretsDirectory (`/run/secrets`) lies inside vault.secrets.db.outputDir (`/run`): each needs its own directory."
    ];
    warned = [
      "vault.secrets.db.outputDir is `/run`, not in /run: the secret then lies on the disk as plain text, and stays there when the host is off."
    ];
  };
  "the folder of all secrets" = {
    config.vault.secrets.db = output "/run/secrets";
    failed = [
      "vault.secrets.db.outputDir is `/run/secrets`, which is vault.secretsDirectory, the directory of all secrets: each secret needs its own directory in it."
    ];
  };
  "the folder of a service" = {
    config.vault.secrets.db = output "/run/vault-fetched/db";
    failed = [
      "vault.secrets.db.outputDir is `/run/vault-fetched/db`, in `/run/vault-fetched`, which systemd removes when vault-secrets.service ends. Write a directory as `/run/secrets/db`."
    ];
  };

  "two secrets in one folder" = {
    config.vault.secrets = {
      db = output "/run/app";
      tls = output "/run/app";
    };
    failed = [
      "`vault.secrets.db.outputDir`, `vault.secrets.tls.outputDir` are all `/run/app`: each needs its own directory."
    ];
  };
  "a secret inside another" = {
    config.vault.secrets = {
      db = output "/run/app";
      tls = output "/run/app/tls";
    };
    failed = [
      "vault.secrets.tls.outputDir (`/run/app/tls`) lies inside vault.secrets.db.outputDir (`/run/app`): each needs its own directory."
    ];
  };
  "a cache among the credentials" = {
    config.vault.secrets.db.cacheDir = "/var/lib/vault/approle/db";
    failed = [
      "vault.secrets.db.cacheDir (`/var/lib/vault/approle/db`) lies inside vault.appRoleDirectory (`/var/lib/vault/approle`): each needs its own directory."
    ];
  };

  "a secret on the disk" = {
    config.vault.secrets.db = output "/etc/app/secrets";
    warned = [
      "vault.secrets.db.outputDir is `/etc/app/secrets`, not in /run: the secret then lies on the disk as plain text, and stays there when the host is off."
    ];
  };
  "a copy that does not last" = {
    config.vault.secrets.db.cacheDir = "/run/cache/db";
    warned = [
      "vault.secrets.db.cacheDir is `/run/cache/db`: after a reboot /run is empty, and there is no copy while OpenBao is down."
    ];
  };
}
