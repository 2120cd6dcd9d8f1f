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
  inherit (import ./types.nix { inherit lib; }) folder serviceName;

  octal = types.strMatching "0?[0-7]{3}" // {
    description = "mode in octal, such as 0400";
  };

  fileName = types.strMatching "[^/[:cntrl:]]+" // {
    description = "name of a file";
  };

  duration = types.strMatching "([0-9]+ ?(ms|s|sec|m|min|h|hr|d|day|days|w|week|weeks) ?)+" // {
    description = "duration such as 12h or 7d";
  };

  # What systemd reads (systemd.time(7)), as far as its letters go; the build asks systemd itself.
  calendar = types.strMatching "[A-Za-z0-9*,:/.~ +_-]+" // {
    description = "systemd calendar expression, such as hourly or 03:30";
  };

  template = types.submodule {
    options.content = mkOption {
      type = types.str;
      example = "password = {{ password | json }}";
      description = ''
        The file's text. `{{ key }}` stands for the value of a key, `{{ key | json }}` for the value as
        a JSON string with its quotes, `{{ key | url }}` for the value percent-encoded,
        `{{ key | base64 }}` for its Base64, and `{{ "{{" }}` for two braces. The text is in the Nix
        store, where everybody can read it; the values are not. A key that is missing or empty fails
        the fetch, and nothing is changed.
      '';
    };
  };
in
{
  options = {
    secretPath = mkOption {
      type = types.str;
      default = "hosts/${hostName}/${name}";
      defaultText = lib.literalMD "`hosts/<hostname>/<name>`";
      example = "hosts/web01/database";
      description = ''
        The secret's path in the KV mount. `create-host` lets a host read what is below
        `hosts/<hostname>/`.
      '';
    };

    outputDir = mkOption {
      type = folder;
      default = "${vault.secretsDirectory}/${name}";
      defaultText = lib.literalMD "`<vault.secretsDirectory>/<name>`";
      example = "/run/postgresql-secrets/db";
      description = ''
        The folder that gets the files. It is replaced as a whole, all files at once, so nothing else
        may stand in it; each folder above it must be root's.
      '';
    };

    cacheDir = mkOption {
      type = types.nullOr folder;
      default = "${vault.cacheDirectory}/${name}";
      defaultText = lib.literalMD "`<vault.cacheDirectory>/<name>`";
      example = null;
      description = ''
        Where the copy for the day OpenBao is down is kept; `null` for none: the services of this
        secret then do not start while OpenBao cannot be used.
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
        Whether the cached copy is encrypted with a key of this machine (`systemd-creds`: its TPM2
        chip where there is one, and the key in `/var/lib/systemd/credential.secret`). `auto` does so
        where systemd can; `always` keeps no copy where it cannot.

        Without a TPM2 chip, or without `security.tpm2.enable`, which lets units use it, the key lies
        on the same disk: that guards a backup or a copied folder, not a stolen disk. Where the root
        file system is erased at boot, keep that file, or no copy opens any more.
      '';
    };

    maxCacheAge = mkOption {
      type = types.nullOr duration;
      default = null;
      example = "7d";
      description = ''
        How long after OpenBao confirmed it last a cached copy may still be used; `null` for ever.
      '';
    };

    owner = mkOption {
      type = types.str;
      default = "root";
      example = "postgres";
      description = "Who owns the files: the name or the number of a user of this host.";
    };

    group = mkOption {
      type = types.str;
      default = "root";
      example = "postgres";
      description = "Which group the files have: the name or the number of a group of this host.";
    };

    mode = mkOption {
      type = octal;
      default = "0400";
      example = "0440";
      description = ''
        The files' mode. Whoever may read them may list and enter the folder. That stays root's; where
        the files have another owner, everybody may list it, but not read them.
      '';
    };

    services = mkOption {
      type = types.listOf serviceName;
      default = [ ];
      example = [ "postgresql" ];
      description = ''
        The services that need the secret. They start after it is there, not at all without it, and
        each of their starts fetches it anew. Without any, the secret is fetched at boot.
      '';
    };

    restartTrigger = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Look for new versions on a timer, put them in place, and do to the services what `onChange`
        says. A service that does not come up with a new version gets the previous one back.
      '';
    };

    restartInterval = mkOption {
      type = calendar;
      default = "hourly";
      example = "*-*-* 03:30:00";
      description = ''
        When to look for new versions, as a calendar expression of systemd (systemd.time(7)). Secrets
        of a host with the same expression are looked after together: one question to OpenBao, and one
        restart of each service, however many of its secrets changed.
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
      description = "What a new version does to the services of this secret that run.";
    };

    requiredKeys = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "username"
        "password"
      ];
      description = ''
        Keys without which the secret is not taken: a version that lacks one of them, or has it empty,
        is refused, and what is in place stays. Keys that a template names are required by themselves.
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
        Files made from the secret's keys, for services that want one configuration file. They stand
        beside the files of the keys, and change together with them.
      '';
    };

    environmentFile = mkOption {
      type = types.nullOr fileName;
      default = null;
      example = "env";
      description = ''
        The name of a file that holds all keys as `EnvironmentFile=` of systemd reads them, each value
        quoted: `serviceConfig.EnvironmentFile = "''${config.vault.secrets.db.path}/env"`. Each key must
        then be the name of a variable.
      '';
    };

    asCredential = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Hand the files to the services as systemd credentials (`LoadCredential=`), for those that run
        as a dynamic user: key `password` of secret `db` is `$CREDENTIALS_DIRECTORY/db_password`.

        systemd takes fewer names than a directory does: printable ASCII without `:`, no dot at the beginning,
        255 bytes with the secret's name; and 1 MiB for all credentials of a service. A version that breaks these
        rules is refused when it is fetched, with the name of the key.
      '';
    };

    path = mkOption {
      type = types.path;
      readOnly = true;
      default = config.outputDir;
      defaultText = lib.literalMD "`outputDir`";
      example = lib.literalExpression ''"''${config.vault.secrets.db.path}/password"'';
      description = "Where the files are, for other modules to write.";
    };
  };
}
