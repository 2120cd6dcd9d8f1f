# The settings that declared secrets add to the services that use them.
{ config, lib, ... }:
let
  inherit (lib)
    filterAttrs
    genAttrs
    hasInfix
    mapAttrsToList
    ;
  cfg = config.vault;

  secretsOf = service: filterAttrs (_: secret: lib.elem service secret.services) cfg.secrets;
  templatesOf = service: filterAttrs (_: template: lib.elem service template.services) cfg.templates;
  used = lib.unique (
    lib.concatMap (declared: declared.services) (
      lib.attrValues cfg.secrets ++ lib.attrValues cfg.templates
    )
  );

  # A switch restarts a service if the files of its secrets are declared differently. Settings that
  # do not change the files are left out, and so are new settings at their default: otherwise an
  # update of the module would restart every service.
  relevant =
    secret:
    removeAttrs secret (
      lib.optional (secret.jsonFile == null) "jsonFile"
      ++ lib.optional (secret.encoding == { }) "encoding"
      ++ lib.optional (secret.source == null) "source"
      ++ lib.optional (secret.version == null) "version"
      ++ [
        "asCredential"
        "cacheDir"
        "generate"
        "links"
        "maxCacheAge"
        "onChange"
        "path"
        "restartInterval"
        "restartTrigger"
        "sealCache"
        "services"
        "templateKeys"
        "usedBy"
      ]
    )
    // {
      templates = lib.mapAttrs (
        _: template: lib.filterAttrs (_: setting: setting != null) template
      ) secret.templates;
    };

  # The parts of a template, and of the secrets in it, that change the file.
  relevantOfTemplate = template: {
    inherit (template)
      file
      group
      mode
      outputDir
      owner
      text
      ;
    secrets = genAttrs template.secrets (
      name:
      {
        inherit (cfg.secrets.${name}) encoding secretPath;
      }
      // lib.optionalAttrs (cfg.secrets.${name}.version != null) {
        inherit (cfg.secrets.${name}) version;
      }
      // lib.optionalAttrs (cfg.secrets.${name}.source != null) {
        inherit (cfg.secrets.${name}) source;
      }
    );
  };

  digest = declared: builtins.hashString "sha256" (builtins.toJSON declared);

  isWhole = name: config.systemd.services.${name}.serviceConfig ? ExecStart;

  service =
    name:
    let
      secrets = secretsOf name;
      templates = templatesOf name;
    in
    {
      restartTriggers = [
        (digest (lib.mapAttrs (_: relevant) secrets))
      ]
      ++ lib.optional (templates != { }) (digest (lib.mapAttrs (_: relevantOfTemplate) templates));
      serviceConfig = lib.mkIf (lib.any (secret: secret.asCredential) (lib.attrValues secrets)) {
        LoadCredential = mapAttrsToList (id: secret: "${id}:${secret.outputDir}") (
          filterAttrs (_: secret: secret.asCredential) secrets
        );
      };
    }
    // lib.optionalAttrs (hasInfix "@" name) {
      # One instance of a template unit: its file has the additions only. This does not hold for an
      # instance that is a unit of its own, such as `container@web`.
      overrideStrategy = lib.mkIf (!isWhole name) "asDropin";
    }
    // lib.optionalAttrs (hasInfix "@" name && lib.versionAtLeast lib.trivial.release "25.11") {
      # Nor does it get a PATH, which would take the place of its template's.
      enableDefaultPath = lib.mkIf (!isWhole name) (lib.mkDefault false);
    };
in
{
  config.systemd.services = lib.mkIf cfg.enable (genAttrs used service);
}
