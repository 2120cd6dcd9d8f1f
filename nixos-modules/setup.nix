# The folders that secrets stand in, and vault-setup.service, which takes away what an earlier
# configuration left, and takes over what other programs left in the same places.
{ config, lib, ... }:
let
  cfg = config.vault;
  secrets = lib.attrValues cfg.secrets;
  unit = import ./unit.nix { inherit config lib; };

  own = {
    ${cfg.secretsDirectory}.d.mode = "0711";
    "/run/vault".d.mode = "0755";
    ${cfg.cacheDirectory}.d.mode = "0700";
  }
  # On a host whose services.vault keeps its data there, the folder is that one's.
  // lib.optionalAttrs (lib.any (lib.hasPrefix "/var/lib/vault/") lasting) {
    "/var/lib/vault".d.mode = "0711";
  };
  lasting = [
    cfg.appRoleDirectory
    cfg.cacheDirectory
  ];

  # A place that somebody else chose keeps whatever mode it has.
  parents = lib.unique (
    map (secret: dirOf secret.outputDir) secrets
    ++ map (secret: dirOf secret.cacheDir) (lib.filter (secret: secret.cacheDir != null) secrets)
  );
  others = lib.genAttrs (lib.filter (path: !own ? ${path}) parents) (_: {
    d = { };
  });
in
{
  config = lib.mkIf cfg.enable {
    systemd.tmpfiles.settings.vault = own // others;

    systemd.services.vault-setup = {
      description = "Remove and take over what is in the places of secrets";
      wantedBy = [ "multi-user.target" ];
      after = [ "local-fs.target" ];
      # A switch to other declarations runs it again.
      restartTriggers = [ (builtins.hashString "sha256" (builtins.toJSON cfg.declarations)) ];
      path = [ config.systemd.package ];
      serviceConfig = unit.sandbox secrets // {
        Type = "oneshot";
        RemainAfterExit = true;
        # Makes the machine's key for systemd-creds, where there is none yet.
        ExecStartPre = lib.mkIf (lib.any (secret: secret.sealCache != "never") secrets) (
          "-${config.systemd.package}/bin/systemd-creds setup"
        );
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
