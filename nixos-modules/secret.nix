# The options of one secret.
{
  config,
  hostName,
  lib,
  name,
  vault,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; })
    absolutePath
    apiPath
    calendar
    duration
    fileMode
    fileName
    serviceName
    ;

  sources = import ./source.nix { inherit lib; };

  # The templates over several secrets that have this one in them.
  sharedTemplates = lib.filterAttrs (_: template: lib.elem name template.secrets) vault.templates;

  # As vault-fetch takes it: a key, with its filter.
  keysOf =
    template:
    map (one: one.key + lib.optionalString (one.filter != null) " | ${one.filter}") (
      lib.filter (one: one.secret == name) template.placeholders
    );

  # An attribute of a template that is the secret's by default.
  own =
    type: attribute: example:
    mkOption {
      type = types.nullOr type;
      default = null;
      defaultText = lib.literalMD "the secret's";
      inherit example;
      description = "The ${attribute} of this file, if it differs from the secret's.";
    };

  template = types.submodule {
    options.owner = own types.str "owner" "app";
    options.group = own types.str "group" "app";
    options.mode = own fileMode "mode" "0440";
    options.content = mkOption {
      type = types.str;
      example = "password = {{ password | json }}";
      description = ''
        The text of the file, with placeholders:

        - `{{ key }}`: the value of a key
        - `{{ key | json }}`: the value as a JSON string, with its quotes
        - `{{ key | url }}`: the value, percent-encoded
        - `{{ key | base64 }}`: the value in Base64
        - `{{ key | base64decode }}`: the bytes of which the value is the Base64
        - `{{ "{{" }}`: two braces

        The text is in the Nix store, where everybody can read it; the values are not. If a key is
        missing or empty, the fetch fails and no file changes.
      '';
    };
  };

  generated = types.submodule {
    options.length = mkOption {
      type = types.ints.between 8 4096;
      default = 32;
      example = 64;
      description = "The number of characters.";
    };
    options.characters = mkOption {
      type = types.enum [
        "alphanumeric"
        "hex"
        "symbols"
      ];
      default = "alphanumeric";
      example = "hex";
      description = ''
        Letters and digits; the digits of base 16 in lower case; or letters, digits and
        ``!%*+,-./:=?@_~``.
      '';
    };
  };
in
{
  options = {
    source = mkOption {
      type = types.nullOr sources.type;
      default = null;
      example = lib.literalExpression ''
        { pki = { role = "web"; commonName = "web01.example.org"; }; }
      '';
      description = ''
        The engine of a secret that is not in the KV engine. The host needs the right to use its path: see
        `policies` in `fleet.toml`. Files, templates, cache, rotation and roll-back are the same as for
        a KV secret. OpenBao has no numbers for such versions; the host counts them.
      '';
    };

    secretPath = mkOption {
      type = apiPath;
      default =
        if config.source == null then "hosts/${hostName}/${name}" else sources.pathOf config.source;
      defaultText = lib.literalMD "`hosts/<hostname>/<name>`";
      example = "hosts/web01/database";
      description = ''
        The path of the secret in the KV mount. `create-host` lets a host read the secrets below
        `hosts/<hostname>/`. With `source` it is the path of that in OpenBao's API.
      '';
    };

    version = mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      example = 7;
      description = ''
        The version of the secret to use, as `bao kv get -version=7` reads it. It stays until another
        one is declared: newer versions are not deployed, also with `restartTrigger`. After a
        roll-back to a NixOS generation that pinned another version, that one is deployed again. With
        `null` it is the newest.

        OpenBao keeps a number of versions (`max_versions`, 10 by default). Of one that it no longer
        keeps, the cached copy stands in.
      '';
    };

    outputDir = mkOption {
      type = absolutePath;
      default = "${vault.secretsDirectory}/${name}";
      defaultText = lib.literalMD "`<vault.secretsDirectory>/<name>`";
      example = "/run/postgresql-secrets/db";
      description = ''
        The directory for the files. It is replaced as a whole, all files at once, so it must hold no
        other files. Each directory above it must belong to root.
      '';
    };

    cacheDir = mkOption {
      type = types.nullOr absolutePath;
      default = "${vault.cacheDirectory}/${name}";
      defaultText = lib.literalMD "`<vault.cacheDirectory>/<name>`";
      example = null;
      description = ''
        The directory for the cached copy, which is used while OpenBao is unavailable. With `null`
        there is no copy, and the services of this secret do not start while OpenBao is unavailable. A
        boot then forgets a rejected version, and deploys it again without a way back.
      '';
    };

    sealCache = mkOption {
      type = types.enum [
        "auto"
        "always"
        "never"
      ];
      default = "auto";
      example = "always";
      description = ''
        Encrypt the cached copy with a key of this machine (`systemd-creds`: its TPM2 chip, if there is
        one, and the key in `/var/lib/systemd/credential.secret`). `auto` encrypts if systemd can;
        `always` keeps no copy if it cannot.

        Without a TPM2 chip, or without `security.tpm2.enable`, which lets units use it, the key is on
        the same disk. Encryption then protects a backup or a copied directory, but not a stolen disk.
        If the root file system is erased at boot, persist that key file; without it no copy can be
        decrypted.
      '';
    };

    maxCacheAge = mkOption {
      type = types.nullOr duration;
      default = null;
      example = "7d";
      description = ''
        The maximum age of a cached copy, counted from its last confirmation by OpenBao. With `null`
        there is no limit.
      '';
    };

    owner = mkOption {
      type = types.str;
      default = "root";
      example = "postgres";
      description = "The owner of the files: name or number of a user of this host.";
    };

    group = mkOption {
      type = types.str;
      default = "root";
      example = "postgres";
      description = "The group of the files: name or number of a group of this host.";
    };

    mode = mkOption {
      type = fileMode;
      default = "0400";
      example = "0440";
      description = ''
        The mode of the files. Users who may read them may list and enter the directory. The directory
        belongs to root; if the files have another owner, everybody may list it, but not read the files.
      '';
    };

    services = mkOption {
      type = types.listOf serviceName;
      default = [ ];
      example = [ "postgresql" ];
      description = ''
        The services that need the secret. They start after it is fetched, do not start without it, and
        each of their starts fetches it again. If the list is empty, the secret is fetched at boot.

        `systemctl start vault-secret-<name>` fetches the secret by hand and affects no service.
        systemd refuses to stop or restart that unit by hand, because that would affect these
        services.
      '';
    };

    restartTrigger = mkOption {
      type = types.bool;
      default = sources.ends config.source;
      defaultText = lib.literalMD "`false`; `true` with `source.pki`, `source.ssh` and `source.databaseStatic`";
      example = true;
      description = ''
        Deploy new versions on a timer, and apply `onChange` to the services. If a service does not come
        up with a new version, the proven version before it is deployed again, if there is one.
      '';
    };

    restartInterval = mkOption {
      type = calendar;
      default = "hourly";
      example = "*-*-* 03:30:00";
      description = ''
        The schedule on which new versions are deployed, as a calendar expression (systemd.time(7)).
        Secrets of a host with the same expression are rotated together, with one request to
        OpenBao. Each service is restarted once, also if several of its secrets changed.
      '';
    };

    onChange = mkOption {
      type = types.enum [
        "restart"
        "reload"
        "nothing"
      ];
      default = "restart";
      example = "reload";
      description = "The action on the running services of this secret when a new version is deployed.";
    };

    requiredKeys = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "username"
        "password"
      ];
      description = ''
        Keys that a version must have. A rotation rejects a version in which one of them is missing or
        empty, and the deployed version stays. A fetch of such a version fails, and the services of this
        secret do not start. Keys in templates, `encoding` and
        `links` are always required.
      '';
    };

    encoding = mkOption {
      type = types.attrsOf (types.enum [ "base64" ]);
      default = { };
      example = {
        "keystore.p12" = "base64";
      };
      description = ''
        Keys whose values are encoded in OpenBao, and the encoding. The file of such a key has the
        decoded bytes. Use it for binary files, because a secret in OpenBao is JSON, which cannot
        hold arbitrary bytes. Line breaks in the value are ignored. The environment file and the
        JSON file have the value as it is in OpenBao. The key is required, as in `requiredKeys`; the
        host does not deploy a version in which it is not Base64.
      '';
    };

    generate = mkOption {
      type = types.attrsOf generated;
      default = { };
      example = lib.literalExpression ''
        {
          password = { };
          token = {
            length = 64;
            characters = "hex";
          };
        }
      '';
      description = ''
        Random values for keys of a secret that does not exist in OpenBao. `vault-plan` lists it, and
        `vault-plan --make-missing` makes it, once: a secret that exists is never changed. The host cannot
        write secrets. The keys are required, as in `requiredKeys`; a secret that needs other keys, too,
        is not made.
      '';
    };

    templates = mkOption {
      type = types.attrsOf template;
      default = { };
      example = lib.literalExpression ''
        {
          "pgpass".content = "*:*:*:{{ username }}:{{ password }}";
        }
      '';
      description = ''
        Files made from the secret's keys, for services that read one configuration file. They are in
        the same directory as the files of the keys, and change together with them.
      '';
    };

    environmentFile = mkOption {
      type = types.nullOr fileName;
      default = null;
      example = "env";
      description = ''
        The name of a file with all keys in the format of systemd's `EnvironmentFile=`, each value
        quoted: `serviceConfig.EnvironmentFile = "''${config.vault.secrets.db.path}/env"`. Each key must
        be a valid name of a variable, and none may have the name of this file. If a service should get
        some of the keys, use a template or a secret of its own.
      '';
    };

    jsonFile = mkOption {
      type = types.nullOr fileName;
      default = null;
      example = "all.json";
      description = ''
        The name of a file with all keys as one JSON object. Values are exactly those in OpenBao:
        strings, numbers, lists and objects.
      '';
    };

    links = mkOption {
      type = types.attrsOf fileName;
      default = { };
      example = lib.literalExpression ''
        { "/etc/app.conf" = "app.conf"; }
      '';
      description = ''
        Symbolic links for programs that read a file at a fixed path. The name is the absolute path
        of the link. The value is the name of the file in the secret's directory: of a key, a
        template, the environment file or the JSON file. A link leads through `outputDir`, and so
        follows each new version. A key with a link is required, as in `requiredKeys`.

        `vault-setup.service` makes the links at boot and after a switch to other declarations, and removes
        links that are no longer declared. Any other file at the path stays, and the unit fails with its
        name. The owner and mode of the linked file decide who may read it.
      '';
    };

    asCredential = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Pass the files to the services as systemd credentials (`LoadCredential=`), for services with a
        dynamic user: key `password` of secret `db` is `$CREDENTIALS_DIRECTORY/db_password`.

        systemd restricts credentials. Names are printable ASCII without `:`, do not begin with a
        dot, and have at most 255 bytes including the secret's name. All credentials of a service
        have at most 1 MiB. The fetch refuses a version with such a name, and a version whose files
        alone exceed 1 MiB. It does not count the other credentials of the service.
      '';
    };

    usedBy = mkOption {
      type = types.listOf types.str;
      readOnly = true;
      internal = true;
      default = lib.unique (
        config.services ++ lib.concatMap (template: template.services) (lib.attrValues sharedTemplates)
      );
      description = "The services of the secret, and those of `vault.templates` with it.";
    };

    templateKeys = mkOption {
      type = types.attrsOf (types.listOf types.str);
      readOnly = true;
      internal = true;
      default = lib.mapAttrs (_: keysOf) sharedTemplates;
      description = "The keys that `vault.templates` need, with their filters.";
    };

    path = mkOption {
      type = types.path;
      readOnly = true;
      default = config.outputDir;
      defaultText = lib.literalMD "`outputDir`";
      example = lib.literalExpression ''"''${config.vault.secrets.db.path}/password"'';
      description = ''
        The directory with the files, for use in other modules. Files that NixOS reads before the network is
        up, such as `users.users.<name>.hashedPasswordFile`, cannot be there: the module warns of them.
      '';
    };
  };
}
