# The directories of secrets, and vault-setup.service, which removes secrets of an earlier
# configuration, takes over files that other programs left in the same places, and makes links to
# secrets' files.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  cfg = config.vault;
  secrets = lib.attrValues cfg.secrets;
  templates = lib.attrValues cfg.templates;
  unit = import ./unit.nix { inherit config lib; };

  own = {
    ${cfg.secretsDirectory}.d.mode = "0711";
    "/run/vault".d.mode = "0755";
    # The notes that all fetches and rotations share (vault-fetch --runtime-dir).
    "/run/vault-fetch".d.mode = "0700";
    ${cfg.cacheDirectory}.d.mode = "0700";
  }
  // lib.optionalAttrs (cfg.templates != { }) { "/run/vault-templates".d.mode = "0711"; }
  # If services.vault keeps its data there, the directory is that service's.
  // lib.optionalAttrs (lib.any (lib.hasPrefix "/var/lib/vault/") lasting) {
    "/var/lib/vault".d.mode = "0711";
  };
  lasting = [
    cfg.appRoleDirectory
    cfg.cacheDirectory
  ];

  # Directories outside of these keep their mode.
  parents = lib.unique (
    map (secret: dirOf secret.outputDir) (secrets ++ templates)
    ++ map (secret: dirOf secret.cacheDir) (lib.filter (secret: secret.cacheDir != null) secrets)
    ++ lib.concatMap (secret: map dirOf (lib.attrNames secret.links)) secrets
  );
  others = lib.genAttrs (lib.filter (path: !own ? ${path}) parents) (_: {
    d = { };
  });
  seals = lib.any (secret: secret.sealCache != "never") secrets;
in
{
  config = lib.mkIf cfg.enable {
    systemd.tmpfiles.settings.vault = own // others;

    systemd.services.vault-setup = {
      description = "Remove secrets that are no longer declared, and make links to declared ones";
      documentation = documentation "vault-secrets-clean(1)" "explanation/units";
      wantedBy = [ "multi-user.target" ];
      # A switch fetches before it starts what it stopped: then accounts and folders are made just
      # before.
      after = [
        "local-fs.target"
        "systemd-sysusers.service"
        "systemd-tmpfiles-resetup.service"
        "userborn.service"
      ];
      # A switch to other declarations runs it again.
      restartTriggers = [ (builtins.hashString "sha256" (builtins.toJSON cfg.declarations)) ];
      path = [ config.systemd.package ];
      serviceConfig = unit.sandbox (secrets ++ templates) // {
        Type = "oneshot";
        RemainAfterExit = true;
        # Makes the machine's key for systemd-creds, where there is none yet.
        ExecStartPre = lib.mkIf seals "-${config.systemd.package}/bin/systemd-creds setup";
        ExecStart = "${cfg.package}/bin/vault-secrets clean";
        IPAddressDeny = "any";
        PrivateNetwork = true;
        RestrictAddressFamilies = "AF_UNIX";
        # Earlier places may be anywhere, but never among the programs.
        ProtectSystem = true;
        ReadOnlyPaths = [ "/nix" ];
      };
    };
  };
}
