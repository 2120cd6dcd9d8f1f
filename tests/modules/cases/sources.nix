# Cases of secrets that are not in the KV engine.
{ lib, ... }:
let
  certificate = {
    role = "web";
    commonName = "web01.example.org";
  };
  hasArguments =
    config:
    lib.all (part: lib.hasInfix part config.systemd.services.vault-secret-db.serviceConfig.ExecStart);
in
{
  "a certificate" = {
    config.vault.secrets.db = {
      services = [ "app" ];
      source.pki = certificate // {
        altNames = [ "10.0.0.11" ];
        ttl = "720h";
      };
    };
    holds = config: {
      "that vault-fetch asks for it" = hasArguments config [
        "pki/sign/web /run/secrets/db"
        "--source=pki"
        "--common-name=web01.example.org"
        "--alt-name=10.0.0.11"
        "--ttl=720h"
      ];
      "that vault-secrets does" =
        config.vault.declarations.secrets.db.source.pki == {
          common_name = "web01.example.org";
          alt_names = [ "10.0.0.11" ];
          ttl = "720h";
        };
      "that it is renewed" = config.systemd.timers ? vault-secret-rotate-db;
    };
  };
  "a certificate of the host's SSH key" = {
    config.vault.secrets.db.source.ssh = {
      role = "host";
      principals = [ "web01.example.org" ];
    };
    holds = config: {
      "that vault-fetch asks for it" = hasArguments config [
        "ssh/sign/host /run/secrets/db"
        "--source=ssh"
        "--public-key=/etc/ssh/ssh_host_ed25519_key.pub"
        "--principal=web01.example.org"
      ];
      "that the key is there before" =
        lib.elem "sshd-keygen.service" config.systemd.services.vault-secret-db.after;
      "that it is renewed" = config.systemd.timers ? vault-secret-rotate-db;
    };
  };
  "a static role of a database" = {
    config.vault.secrets.db.source.databaseStatic.role = "app";
    holds = config: {
      "that vault-fetch reads it" = hasArguments config [
        "database/static-creds/app /run/secrets/db"
        "--source=database-static"
      ];
      "that it is rotated" = config.systemd.timers ? vault-secret-rotate-db;
    };
  };
  "a read" = {
    config.vault.secrets.db.source.read.path = "ssh/config/ca";
    holds = config: {
      "that vault-fetch reads it" = hasArguments config [
        "ssh/config/ca /run/secrets/db"
        "--source=read"
      ];
      "that nothing rotates it" = !config.systemd.timers ? vault-secret-rotate-db;
    };
  };
  "what only a secret in the KV engine has" = {
    config.vault.secrets.db = {
      source.pki = certificate;
      version = 7;
      generate.password = { };
      secretPath = "hosts/web01/db";
    };
    failed = [
      "vault.secrets.db: a version is pinned of a secret in the KV engine only. Remove `version`, or `source`."
      "vault.secrets.db: only a secret in the KV engine is made by `vault-plan`. Remove `generate`, or `source`."
      "vault.secrets.db.secretPath is `hosts/web01/db`, and with `source` the path is `pki/sign/web`. Remove `secretPath`."
    ];
  };
  "a certificate as an environment file" = {
    config.vault.secrets.db = {
      source.pki = certificate;
      environmentFile = "env";
    };
    failed = [
      "vault.secrets.db: the files of a certificate have fixed names, which are no variables, and are not encoded. Remove `environmentFile` and `encoding`."
    ];
  };
  "a path that climbs" = {
    config.vault.secrets.db.source.read.path = "pki/../sys/health";
    failed = [
      "vault.secrets.db.secretPath is `pki/../sys/health`: write a path as `hosts/web01/db`, without an empty segment, `.` or `..`."
    ];
  };
}
