# What a secret's folder holds, and how.
{ lib, ... }:
let
  template = name: { ${name}.content = "password = {{ password }}"; };
  odd = name: "vault.secrets.db.templates: `${name}` must be plain file names, without `/` and `=`.";
in
{
  "a template in a folder" = {
    config.vault.secrets.db.templates = template "conf.d/db.conf";
    failed = [ (odd "conf.d/db.conf") ];
  };
  "a template that is no file" = {
    config.vault.secrets.db.templates = template "..";
    failed = [ (odd "..") ];
  };
  "a template whose name vault-fetch would cut" = {
    config.vault.secrets.db.templates = template "a=b";
    failed = [ (odd "a=b") ];
  };
  "a template of another name" = {
    config.vault.secrets.db.templates = template "app config.toml";
  };
  "an environment file named as a template" = {
    config.vault.secrets.db = {
      templates = template "env";
      environmentFile = "env";
    };
    failed = [ "vault.secrets.db: the environment file and a template are both named `env`." ];
  };
  "an environment file that is no file" = {
    config.vault.secrets.db.environmentFile = "..";
    failed = [ "vault.secrets.db.environmentFile is `..`: it must be a plain file name." ];
  };
  "an environment file in a folder" = {
    config.vault.secrets.db.environmentFile = "app/env";
    refused = [
      "secrets"
      "db"
      "environmentFile"
    ];
    type = "null or name of a file";
  };
  "a key without a name" = {
    config.vault.secrets.db.requiredKeys = [ "" ];
    failed = [ "vault.secrets.db.requiredKeys has an empty key." ];
  };

  "a mode that is none" = {
    config.vault.secrets.db.mode = "u=r";
    refused = [
      "secrets"
      "db"
      "mode"
    ];
    type = "mode in octal, such as 0400";
  };
  "an age that is none" = {
    config.vault.secrets.db.maxCacheAge = "a week";
    refused = [
      "secrets"
      "db"
      "maxCacheAge"
    ];
    type = "null or duration such as 12h or 7d";
  };
  "an age for a copy that is not kept" = {
    config.vault.secrets.db = {
      cacheDir = null;
      maxCacheAge = "7d";
    };
    holds = config: {
      "that vault-fetch is not told of it" =
        builtins.match ".*--max-cache-age.*" config.systemd.services.vault-secret-db.serviceConfig.ExecStart
        == null;
    };
  };

  "names that systemd takes for no credentials" = {
    config.vault.secrets.db = {
      asCredential = true;
      services = [ "app" ];
      environmentFile = ".env";
      requiredKeys = [
        "schlüssel"
        "a:b"
        "good key~"
      ];
      templates."app.conf".content = "{{ password }}";
    };
    failed = [
      "vault.secrets.db.asCredential is set, and systemd takes no credential named `.env`, `schlüssel`, `a:b`: printable ASCII without `:`, no dot at the beginning, 255 bytes with the secret's name and `_` before it."
    ];
  };
  "names that systemd takes" = {
    config.vault.secrets.db = {
      asCredential = true;
      services = [ "app" ];
      requiredKeys = [ (lib.concatStrings (lib.genList (_: "x") 252)) ];
    };
    holds = config: {
      "that vault-fetch is told of it" = lib.hasInfix "--as-credential=db" (
        config.systemd.services.vault-secret-db.serviceConfig.ExecStart
      );
    };
  };
  "the programs on PATH" = {
    config = { };
    holds = config: {
      "that they are" = lib.elem config.vault.package config.environment.systemPackages;
    };
  };
  "no program on the PATH of a host without secrets" = {
    config.vault.enable = false;
    holds = config: {
      "that there is none" = !(lib.elem config.vault.package config.environment.systemPackages);
    };
  };
}
