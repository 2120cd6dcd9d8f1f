# The options of one template over several secrets.
{
  config,
  lib,
  name,
  vault,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; })
    absolutePath
    fileMode
    fileName
    serviceName
    ;
  placeholders = import ./placeholders.nix { inherit lib; };
in
{
  options = {
    content = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "postgres://app:{{ db.password | url }}@db/app";
      description = ''
        The text of the file, with placeholders as in `vault.secrets.<name>.templates`, each with the name
        of a secret and a dot before the key: `{{ db.password }}`, `{{ db.password | url }}`. A placeholder
        stands for the content of the file of that key. So `json` makes a JSON string of it, also where the
        value in OpenBao is a number.

        The text is in the Nix store, where everybody can read it; the values are not.
      '';
    };

    source = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./app.conf";
      description = "A file with the text, in place of `content`. It is read at evaluation.";
    };

    outputDir = mkOption {
      type = absolutePath;
      default = "/run/vault-templates/${name}";
      defaultText = lib.literalMD "`/run/vault-templates/<name>`";
      example = "/run/app-config/main";
      description = ''
        The directory of the file. It is replaced as a whole, so it must hold no other files. Each
        directory above it must belong to root.
      '';
    };

    file = mkOption {
      type = fileName;
      default = name;
      defaultText = lib.literalMD "`<name>`";
      example = "config.toml";
      description = "The name of the file.";
    };

    owner = mkOption {
      type = types.str;
      default = "root";
      example = "app";
      description = "The owner of the file: name or number of a user of this host.";
    };

    group = mkOption {
      type = types.str;
      default = "root";
      example = "app";
      description = "The group of the file: name or number of a group of this host.";
    };

    mode = mkOption {
      type = fileMode;
      default = "0400";
      example = "0440";
      description = "The mode of the file. Users who may read it may list and enter the directory.";
    };

    services = mkOption {
      type = types.listOf serviceName;
      default = [ ];
      example = [ "app" ];
      description = ''
        The services that need the file. Each also counts as a service of every secret in the
        template. It starts after their fetches, does not start without them, and takes part in
        their rotation. It is restarted or reloaded once, also if several of them changed, as
        `onChange` of the changed secrets sets.
      '';
    };

    path = mkOption {
      type = types.path;
      readOnly = true;
      default = "${config.outputDir}/${config.file}";
      defaultText = lib.literalMD "`<outputDir>/<file>`";
      example = lib.literalExpression "config.vault.templates.\"app.conf\".path";
      description = "The path of the file, for use in other modules.";
    };

    text = mkOption {
      type = types.str;
      readOnly = true;
      internal = true;
      description = "The text, of `content` or of `source`.";
    };

    placeholders = mkOption {
      type = types.listOf types.attrs;
      readOnly = true;
      internal = true;
      description = "The placeholders in the text.";
    };

    secrets = mkOption {
      type = types.listOf types.str;
      readOnly = true;
      internal = true;
      description = "The declared secrets in the text.";
    };
  };

  config = {
    text =
      if config.content != null then
        config.content
      else
        lib.optionalString (config.source != null) (builtins.readFile config.source);
    placeholders = placeholders.of (lib.attrNames vault.secrets) config.text;
    secrets = lib.unique (lib.filter (name: name != null) (map (one: one.secret) config.placeholders));
  };
}
