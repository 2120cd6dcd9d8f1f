# Cases of the files in a secret's folder.
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
  "a key in Base64" = {
    config.vault.secrets.db.encoding."keystore.p12" = "base64";
    holds = config: {
      "that vault-fetch is told of it" =
        lib.hasInfix "--encoding=keystore.p12=base64" config.systemd.services.vault-secret-db.serviceConfig.ExecStart;
      "that vault-secrets is" =
        config.vault.declarations.secrets.db.encoding == { "keystore.p12" = "base64"; };
    };
  };
  "a generated key" = {
    config.vault.secrets.db = {
      generate.password = { };
      requiredKeys = [ "username" ];
    };
    holds = config: {
      "that vault-fetch requires it" = lib.hasInfix "--require=username --require=password" (
        lib.replaceStrings [ "'" ] [ "" ] config.systemd.services.vault-secret-db.serviceConfig.ExecStart
      );
      "that vault-plan is told of it" =
        config.vault.declarations.secrets.db.generate == {
          password = {
            length = 32;
            characters = "alphanumeric";
          };
        };
    };
  };
  "a key in an encoding that is none" = {
    config.vault.secrets.db.encoding."keystore.p12" = "hex";
    refused = [
      "secrets"
      "db"
      "encoding"
    ];
    type = "attribute set of value \"base64\" (singular enum)";
  };
  "an encoded key without a name" = {
    config.vault.secrets.db.encoding."" = "base64";
    failed = [ "vault.secrets.db.encoding has an empty key." ];
  };
  "a JSON file" = {
    config.vault.secrets.db.jsonFile = "all.json";
    holds = config: {
      "that vault-fetch is told of it" =
        lib.hasInfix "--json-file=all.json" config.systemd.services.vault-secret-db.serviceConfig.ExecStart;
      "that vault-secrets is" = config.vault.declarations.secrets.db.json_file == "all.json";
    };
  };
  "a JSON file named as a template" = {
    config.vault.secrets.db = {
      templates = template "all";
      jsonFile = "all";
    };
    failed = [ "vault.secrets.db: the JSON file and a template are both named `all`." ];
  };
  "a JSON file named as the environment file" = {
    config.vault.secrets.db = {
      environmentFile = "all";
      jsonFile = "all";
    };
    failed = [ "vault.secrets.db: the JSON file and the environment file are both named `all`." ];
  };
  "a JSON file that is no file" = {
    config.vault.secrets.db.jsonFile = "..";
    failed = [ "vault.secrets.db.jsonFile is `..`: it must be a plain file name." ];
  };

  "a template with an owner, a group and a mode of its own" = {
    config.vault.secrets.db = {
      group = "app";
      templates."app.conf" = {
        content = "{{ password }}";
        owner = "app";
        mode = "0440";
      };
      templates.other.content = "{{ password }}";
    };
    holds = config: {
      "that vault-fetch is told of them" =
        lib.hasInfix "'--template-owner=app.conf=app' '--template-mode=app.conf=0440'" config.systemd.services.vault-secret-db.serviceConfig.ExecStart;
      "that vault-secrets is" =
        config.vault.declarations.secrets.db.template_ownership == {
          "app.conf" = {
            owner = "app";
            group = "app";
            mode = "0440";
          };
        };
    };
  };
  "a template of nobody's" = {
    config.vault.secrets.db.templates."app.conf" = {
      content = "{{ password }}";
      owner = "ghost";
      group = "ghosts";
    };
    failed = [
      "vault.secrets.db.templates.\"app.conf\".owner is `ghost`, and this host has no such user. Declare `users.users.ghost`, or, for a service with DynamicUser, set vault.secrets.db.asCredential."
      "vault.secrets.db.templates.\"app.conf\".group is `ghosts`, and this host has no such group. Declare `users.groups.ghosts`."
    ];
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
    type = "null or duration such as 90s, 12h or 7d";
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
    holds =
      config:
      let
        inherit (config.systemd.services.vault-secret-db.serviceConfig) ExecStart;
      in
      {
        "that vault-fetch is told of it" = lib.hasInfix "--as-credential=db" ExecStart;
      };
  };
  "two secrets that give a service one credential" = {
    config.vault.secrets = {
      db = {
        asCredential = true;
        services = [ "app" ];
        requiredKeys = [ "replica_password" ];
      };
      db_replica = {
        asCredential = true;
        services = [ "app" ];
        templates.password.content = "{{ password }}";
      };
    };
    failed = [
      "vault.secrets.db and vault.secrets.db_replica both give the credentials `db_replica_password` to one service, and systemd passes only one of each. Rename one of the secrets."
    ];
  };
  "two secrets that could" = {
    config.vault.secrets = {
      db = {
        asCredential = true;
        services = [ "app" ];
        requiredKeys = [ "password" ];
      };
      db_replica = {
        asCredential = true;
        services = [ "app" ];
      };
    };
    warned = [
      "vault.secrets.db and vault.secrets.db_replica are credentials of one service: a key `replica_…` of the first gets the name of one of the second, and systemd passes only one of them. Rename one of the secrets; `vault-plan` finds such keys."
    ];
  };
  "such names for two services, or as files" = {
    config.systemd.services.other.script = "true";
    config.vault.secrets = {
      db = {
        asCredential = true;
        services = [ "app" ];
        requiredKeys = [ "replica_password" ];
      };
      db_replica.services = [ "app" ];
      db_replica_password = {
        asCredential = true;
        services = [ "other" ];
      };
      dbx = {
        asCredential = true;
        services = [ "app" ];
      };
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
