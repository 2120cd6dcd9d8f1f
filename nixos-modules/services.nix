# What the declared secrets add to the services that use them.
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
  used = lib.unique (lib.concatMap (secret: secret.services) (lib.attrValues cfg.secrets));

  # Another declaration of a secret is another configuration of the service: a switch restarts it.
  # How and when the secret is rotated is not the service's business.
  relevant =
    secret:
    removeAttrs secret [
      "asCredential"
      "cacheDir"
      "maxCacheAge"
      "onChange"
      "path"
      "restartInterval"
      "restartTrigger"
      "sealCache"
      "services"
    ];

  isWhole = name: config.systemd.services.${name}.serviceConfig ? ExecStart;

  service =
    name:
    let
      secrets = secretsOf name;
    in
    {
      restartTriggers = [
        (builtins.hashString "sha256" (builtins.toJSON (lib.mapAttrs (_: relevant) secrets)))
      ];
      serviceConfig = lib.mkIf (lib.any (secret: secret.asCredential) (lib.attrValues secrets)) {
        LoadCredential = mapAttrsToList (id: secret: "${id}:${secret.outputDir}") (
          filterAttrs (_: secret: secret.asCredential) secrets
        );
      };
    }
    // lib.optionalAttrs (hasInfix "@" name) {
      # One instance of a template unit: only what is added stands in its file. Not where the instance is
      # a unit of its own, as `container@web` is.
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
